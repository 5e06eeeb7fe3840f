//! A store for tests: it holds entries, counts calls, and fails or finds whatever a test tells it to.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::{Found, Store};
use crate::cache::{SwapOutcome, Version, Versioned};
use crate::error::Error;
use crate::fetch::FetchOptions;
use crate::ttl::Ttl;
use crate::under_way::UnderWay;
use crate::value::Value;

/// What an entry is to the next `fetch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    Fresh,
    /// Past its lifetime, and nobody refreshes it.
    Old,
    /// Past its lifetime, and somebody else refreshes it.
    BeingRefreshed,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    pub(crate) ttl: Ttl,
    /// In seconds; only a completed fill leaves one behind.
    pub(crate) grace: u32,
    pub(crate) age: Age,
    version: u64,
}

/// What is shared by the store and its fills, which outlive borrows of it.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) entries: RefCell<BTreeMap<String, Entry>>,
    /// Answered, one for each call, before anything else happens.
    pub(crate) failures: RefCell<VecDeque<Error>>,
    /// The most keys in a batch; more is an error.
    pub(crate) batch: Cell<Option<u32>>,
    /// Somebody else holds the fill of every key.
    pub(crate) is_busy: Cell<bool>,
    /// Every fill is lost before it is completed.
    pub(crate) is_lost: Cell<bool>,
    /// Somebody else writes between every read of a version and the swap.
    pub(crate) is_contended: Cell<bool>,
    pub(crate) calls: RefCell<Vec<&'static str>>,
    fills: Rc<Cell<u32>>,
    under_way: UnderWay,
    /// The wait of the last `fetch`, in milliseconds.
    pub(crate) waited: Cell<u32>,
    writes: Cell<u64>,
}

/// Counts as outstanding until it is dropped.
pub(crate) struct FakeFill {
    key: String,
    grace: u32,
    outstanding: Rc<Cell<u32>>,
}

impl Drop for FakeFill {
    fn drop(&mut self) {
        self.outstanding.set(self.outstanding.get() - 1);
    }
}

impl Fake {
    /// Fills that nobody has completed or dropped.
    pub(crate) fn fills(&self) -> u32 {
        self.fills.get()
    }

    pub(crate) fn value(&self, key: &str) -> Option<Value> {
        self.entries.borrow().get(key).map(|entry| entry.value.clone())
    }

    pub(crate) fn put(&self, key: &str, value: Value, age: Age) {
        self.write(key, &value, Ttl::minutes(1), 0);
        if let Some(entry) = self.entries.borrow_mut().get_mut(key) {
            entry.age = age;
        }
    }

    /// The calls since this was last asked.
    pub(crate) fn called(&self) -> Vec<&'static str> {
        self.calls.take()
    }

    fn call(&self, name: &'static str) -> Result<(), Error> {
        self.calls.borrow_mut().push(name);
        self.failures.borrow_mut().pop_front().map_or(Ok(()), Err)
    }

    fn write(&self, key: &str, value: &Value, ttl: Ttl, grace: u32) {
        self.writes.set(self.writes.get() + 1);
        let entry = Entry { value: value.clone(), ttl, grace, age: Age::Fresh, version: self.writes.get() };
        self.entries.borrow_mut().insert(key.to_owned(), entry);
    }

    fn fits(&self, keys: usize) -> Result<(), Error> {
        let limit = self.batch.get().filter(|limit| keys > *limit as usize);
        limit.map_or(Ok(()), |limit| Err(Error::BatchTooLarge { limit }))
    }
}

impl Store for Fake {
    type Fill = FakeFill;

    fn under_way(&self) -> &UnderWay {
        &self.under_way
    }

    fn fetch(&self, key: &str, options: FetchOptions) -> Result<Found<FakeFill>, Error> {
        self.call("fetch")?;
        self.waited.set(options.wait_milliseconds());
        let fill = || {
            self.fills.set(self.fills.get() + 1);
            FakeFill {
                key: key.to_owned(),
                grace: options.grace_seconds(),
                outstanding: Rc::clone(&self.fills),
            }
        };
        Ok(match self.entries.borrow().get(key) {
            Some(entry) if entry.age == Age::Fresh => Found::Hit(entry.value.clone()),
            Some(entry) if entry.age == Age::Old => Found::Refresh(entry.value.clone(), fill()),
            Some(entry) => Found::Stale(entry.value.clone()),
            None if self.is_busy.get() => Found::Busy,
            None => Found::Vacant(fill()),
        })
    }

    fn complete(&self, fill: FakeFill, value: &Value, ttl: Ttl) -> Result<bool, Error> {
        self.call("complete")?;
        if self.is_lost.get() {
            return Ok(false);
        }
        self.write(&fill.key, value, ttl, fill.grace);
        Ok(true)
    }

    fn set(&self, key: &str, value: &Value, ttl: Ttl) -> Result<(), Error> {
        self.call("set")?;
        self.write(key, value, ttl, 0);
        Ok(())
    }

    fn add(&self, key: &str, value: &Value, ttl: Ttl) -> Result<bool, Error> {
        self.call("add")?;
        let is_absent = !self.entries.borrow().contains_key(key);
        if is_absent {
            self.write(key, value, ttl, 0);
        }
        Ok(is_absent)
    }

    fn delete(&self, key: &str) -> Result<bool, Error> {
        self.call("delete")?;
        Ok(self.entries.borrow_mut().remove(key).is_some())
    }

    fn get_versioned(&self, key: &str) -> Result<Option<Versioned<Value>>, Error> {
        self.call("get_versioned")?;
        let entries = self.entries.borrow();
        let found = entries.get(key);
        Ok(found.map(|e| Versioned { value: e.value.clone(), version: Version::from_wit(e.version) }))
    }

    fn swap(&self, key: &str, value: &Value, version: Version, ttl: Ttl) -> Result<SwapOutcome, Error> {
        self.call("swap")?;
        if self.is_contended.get() {
            return Ok(SwapOutcome::Changed);
        }
        let found = self.entries.borrow().get(key).map(|entry| entry.version);
        Ok(match found {
            None => SwapOutcome::Missing,
            Some(found) if found != version.to_wit() => SwapOutcome::Changed,
            Some(_) => {
                self.write(key, value, ttl, 0);
                SwapOutcome::Swapped
            }
        })
    }

    fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Value>>, Error> {
        self.call("get_many")?;
        self.fits(keys.len())?;
        Ok(keys.iter().map(|key| self.value(key)).collect())
    }

    fn set_many(&self, entries: &[(&str, &Value)], ttl: Ttl) -> Result<Vec<Result<(), Error>>, Error> {
        self.call("set_many")?;
        self.fits(entries.len())?;
        entries.iter().for_each(|(key, value)| self.write(key, value, ttl, 0));
        Ok(vec![Ok(()); entries.len()])
    }
}
