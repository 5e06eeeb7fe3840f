//! What lies under the keys, and what each operation makes of it.

use std::time::Duration;

use super::{
    DEFAULT_TTL, Entries, Expected, FILL_LEASE, Fill, Item, MAX_TTL, Model, Place, VALUE_BYTES_MAX, Write,
};
use crate::guest::abi::{Answer, Refusal, Ttl, Value};

impl Model {
    pub(super) fn at(&mut self, place: &Place) -> &mut Entries {
        self.entries.entry(place.clone()).or_default()
    }

    /// What is there, live or not.
    fn find(&mut self, place: &Place, key: &str) -> Option<Item> {
        let now = self.now;
        let items = &mut self.at(place).items;
        if items.get(key)?.expires.is_some_and(|expires| expires <= now) {
            items.remove(key);
        }
        items.get(key).cloned()
    }

    pub(super) fn get(&mut self, place: &Place, key: &str) -> Option<Item> {
        self.find(place, key).filter(|item| is_live(item, self.now))
    }

    fn put(
        &mut self,
        place: &Place,
        key: &str,
        value: Option<Value>,
        expires: Option<Duration>,
        grace: Duration,
    ) -> Write {
        self.writes += 1;
        let write = self.writes;
        self.at(place).items.insert(key.to_owned(), Item { value, write, expires, grace });
        write
    }

    /// When what is stored now expires.
    fn expiry(&self, ttl: Ttl) -> Result<Option<Duration>, Refusal> {
        let max = if self.has_ttls { MAX_TTL } else { u32::MAX };
        let ttl = match ttl {
            Some(ttl) if ttl == 0 || ttl > max => return Err(Refusal::InvalidTtl),
            None if self.has_ttls => Some(DEFAULT_TTL),
            ttl => ttl,
        };
        Ok(ttl.map(|ttl| self.now + Duration::from_secs(u64::from(ttl))))
    }

    pub(super) fn delete(&mut self, place: &Place, key: &str) -> bool {
        let was_there = self.get(place, key).is_some();
        self.at(place).items.remove(key);
        was_there
    }

    pub(super) fn store(
        &mut self,
        place: &Place,
        (key, value, ttl): (&str, &Value, Ttl),
        may: impl Fn(Option<&Item>) -> bool,
    ) -> Result<bool, Refusal> {
        check_key(key)?;
        let expires = self.expiry(ttl)?;
        check_value(value)?;
        let is_stored = may(self.get(place, key).as_ref());
        if is_stored {
            self.put(place, key, Some(value.clone()), expires, Duration::ZERO);
        }
        Ok(is_stored)
    }

    pub(super) fn set_many(
        &mut self,
        place: &Place,
        entries: &[(String, Value)],
        ttl: Ttl,
    ) -> Result<Vec<Result<(), Refusal>>, Refusal> {
        check_batch(entries.len())?;
        self.expiry(ttl)?;
        let mut set = |(key, value): &(String, Value)| {
            check_key(key)?;
            check_value(value)?;
            self.store(place, (key, value, ttl), |_| true).map(drop)
        };
        Ok(entries.iter().map(&mut set).collect())
    }

    pub(super) fn touch(&mut self, place: &Place, key: &str, ttl: Ttl) -> Result<bool, Refusal> {
        check_key(key)?;
        let expires = self.expiry(ttl)?;
        let Some(item) = self.get(place, key) else { return Ok(false) };
        let expires = expires.map(|expires| expires + item.grace);
        self.at(place).items.insert(key.to_owned(), Item { expires, ..item });
        Ok(true)
    }

    pub(super) fn count(
        &mut self,
        place: &Place,
        key: &str,
        step: impl Fn(u64) -> u64,
        initial: u64,
        ttl: Ttl,
    ) -> Result<u64, Refusal> {
        check_key(key)?;
        let expires = self.expiry(ttl)?;
        let Some(item) = self.get(place, key) else {
            let number = initial.min(i64::MAX as u64);
            self.put(place, key, Some(Value::Integer(number as i64)), expires, Duration::ZERO);
            return Ok(number);
        };
        let Some(Value::Integer(number)) = item.value else { return Err(Refusal::NotAnInteger) };
        let number = step(u64::try_from(number).map_err(|_| Refusal::NotAnInteger)?);
        // A number that is sealed is stored anew, and a backend that counts keeps the grace.
        let (grace, less) =
            if self.is_encrypting { (Duration::ZERO, item.grace) } else { (item.grace, Duration::ZERO) };
        let expires = item.expires.map(|expires| expires - less);
        self.put(place, key, Some(Value::Integer(number as i64)), expires, grace);
        Ok(number)
    }

    pub(super) fn swap(
        &mut self,
        place: &Place,
        (key, value, ttl): (&str, &Value, Ttl),
        expected: u64,
    ) -> Result<Answer, Refusal> {
        check_key(key)?;
        let expires = self.expiry(ttl)?;
        check_value(value)?;
        let item = self.find(place, key);
        // The same number is another version under another key.
        let write = self.at(place).versions.get(&expected).filter(|(known, _)| known == key);
        let write = write.map(|(_, write)| *write);
        Ok(Answer::Swapped(match item {
            Some(item) if Some(item.write) == write => {
                self.put(place, key, Some(value.clone()), expires, Duration::ZERO);
                0
            }
            Some(item) if is_live(&item, self.now) => 1,
            _ => 2,
        }))
    }

    pub(super) fn fetch(&mut self, place: &Place, key: &str, grace: u32) -> Result<Expected, Refusal> {
        check_key(key)?;
        let grace = Duration::from_secs(u64::from(u16::try_from(grace).map_err(|_| Refusal::InvalidTtl)?));
        let ends = self.now + FILL_LEASE;
        let (write, lease, value) = match self.find(place, key) {
            None => {
                let write = self.put(place, key, None, Some(ends), Duration::ZERO);
                (write, write, None)
            }
            Some(Item { value: None, .. }) => return Ok(Expected::Is(Answer::Busy)),
            Some(item) if is_live(&item, self.now) => {
                return Ok(Expected::Is(item.value.map_or(Answer::Busy, Answer::Hit)));
            }
            Some(Item { value: Some(value), write, .. }) => {
                let now = self.now;
                self.writes += 1;
                let lease = self.writes;
                let entries = self.at(place);
                let is_computing = entries.computing.get(key).is_some_and(|(_, until)| now < *until);
                let lock = entries.locks.entry((key.to_owned(), write)).or_default();
                if is_computing || now < lock.0 {
                    return Ok(Expected::Is(Answer::Stale(value)));
                }
                *lock = (ends, lease);
                (write, lease, Some(value))
            }
        };
        let fill = self.fills.len();
        let entries = self.at(place);
        entries.computing.insert(key.to_owned(), (fill, ends));
        let (clears, key, place) = (entries.clears, key.to_owned(), place.clone());
        Ok(Expected::Fill(value, Fill { place, clears, key, write, lease, ends, grace, is_open: true }))
    }

    pub(super) fn complete(&mut self, number: usize, value: &Value, ttl: Ttl) -> Result<bool, Refusal> {
        let expires = self.expiry(ttl)?;
        check_value(value)?;
        let fill = &mut self.fills[number];
        if !fill.is_open {
            return Ok(false);
        }
        fill.is_open = false;
        let (place, key, grace) = (fill.place.clone(), fill.key.clone(), fill.grace);
        let (write, clears, ends) = (fill.write, fill.clears, fill.ends);
        self.leave(number);
        let is_there = self.find(&place, &key).is_some_and(|item| item.write == write);
        if self.now >= ends || self.at(&place).clears != clears || !is_there {
            return Ok(false);
        }
        self.put(&place, &key, Some(value.clone()), expires.map(|expires| expires + grace), grace);
        Ok(true)
    }

    pub(super) fn give_back(&mut self, number: usize) {
        let fill = &mut self.fills[number];
        if !std::mem::take(&mut fill.is_open) {
            return;
        }
        let (place, key, clears) = (fill.place.clone(), fill.key.clone(), fill.clears);
        let (write, lease) = (fill.write, fill.lease);
        self.leave(number);
        let entries = self.at(&place);
        if entries.clears != clears {
            return;
        }
        if entries.items.get(&key).is_some_and(|item| item.write == lease && item.value.is_none()) {
            entries.items.remove(&key);
        }
        if entries.locks.get(&(key.clone(), write)).is_some_and(|(_, holder)| *holder == lease) {
            entries.locks.remove(&(key, write));
        }
    }

    /// A fill is computed no longer.
    fn leave(&mut self, number: usize) {
        let (place, key) = (self.fills[number].place.clone(), self.fills[number].key.clone());
        let computing = &mut self.at(&place).computing;
        if computing.get(&key).is_some_and(|(fill, _)| *fill == number) {
            computing.remove(&key);
        }
    }
}

pub(super) fn is_live(item: &Item, now: Duration) -> bool {
    let is_over = item.expires.is_some_and(|expires| expires <= now + item.grace);
    item.value.is_some() && !is_over
}

pub(super) fn check_key(key: &str) -> Result<(), Refusal> {
    if (1..=1024).contains(&key.len()) { Ok(()) } else { Err(Refusal::InvalidKey) }
}

fn check_batch(len: usize) -> Result<(), Refusal> {
    if len <= 1000 { Ok(()) } else { Err(Refusal::BatchTooLarge(1000)) }
}

pub(super) fn check_keys(keys: &[String]) -> Result<(), Refusal> {
    check_batch(keys.len())?;
    keys.iter().try_for_each(|key| check_key(key))
}

fn check_value(value: &Value) -> Result<(), Refusal> {
    let limit = VALUE_BYTES_MAX;
    if value.len() <= limit { Ok(()) } else { Err(Refusal::ValueTooLarge(limit as u64)) }
}
