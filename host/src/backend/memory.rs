//! The in-process backend: bounded by bytes, with lifetimes, versions and fills.
//!
//! Reads take no lock of ours. Whatever decides and writes does so under one of a few striped locks,
//! chosen by the storage key. `quick_cache` has no lifetimes, so each item carries its expiry.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use quick_cache::sync::Cache;
use quick_cache::{OptionsBuilder, Weighter};

use super::{Backend, Begun, Condition, Error, Step, StoreOutcome, Versioned};
use crate::clock::Clock;
use crate::stored::{Flags, Kind, StorageKey, Stored};
use crate::ttl::Lifetime;

/// Locks for reading and writing in one step: many more than there are cores, so that they rarely meet.
const STRIPES: usize = 64;

/// What an item costs beside its bytes: key, flags, version, expiry, and `quick_cache`'s own entry.
const ITEM_OVERHEAD_BYTES: u64 = 256;

/// A guess at the mean item, from which the map's first size is taken. Being wrong costs a growth.
const ITEM_BYTES_GUESS: u64 = 1024;

/// Most parts of the map, and the least bytes of each, so that a part holds several of the largest values.
const SHARDS_MAX: u64 = 16;
const SHARD_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// Entries in this process's memory.
///
/// ```
/// use strongroom_host::{Cache, Clock, Config, backend::Memory};
/// use std::sync::Arc;
///
/// let memory = Memory::new(64 * 1024 * 1024, Clock::system());
/// let cache = Cache::with_backend(Config::new(), Arc::new(memory))?;
/// # Ok::<(), strongroom_host::Error>(())
/// ```
pub struct Memory {
    items: Cache<StorageKey, Item, ItemWeighter>,
    stripes: [Mutex<()>; STRIPES],
    versions: AtomicU64,
    clock: Clock,
}

#[derive(Clone)]
struct Item {
    stored: Stored,
    version: u64,
    /// In the clock's time; `None`: until evicted.
    expires: Option<Duration>,
}

#[derive(Clone)]
struct ItemWeighter;

impl Weighter<StorageKey, Item> for ItemWeighter {
    fn weight(&self, _: &StorageKey, item: &Item) -> u64 {
        item.stored.data.len() as u64 + ITEM_OVERHEAD_BYTES
    }
}

impl Memory {
    /// A backend that holds up to `bytes_max` bytes, keys and overhead included.
    #[expect(clippy::missing_panics_doc, reason = "building can only fail where a capacity is missing")]
    pub fn new(bytes_max: u64, clock: Clock) -> Self {
        let shards = (bytes_max / SHARD_BYTES_MIN).clamp(1, SHARDS_MAX);
        let options = OptionsBuilder::new()
            .weight_capacity(bytes_max)
            .estimated_items_capacity(usize::try_from(bytes_max / ITEM_BYTES_GUESS).unwrap_or(usize::MAX))
            .shards(usize::try_from(shards).unwrap_or(1))
            .build()
            .expect("both capacities are set");
        Self {
            items: Cache::with_options(options, ItemWeighter, Default::default(), Default::default()),
            stripes: [const { Mutex::new(()) }; STRIPES],
            versions: AtomicU64::new(0),
            clock,
        }
    }

    fn lock(&self, key: &StorageKey) -> MutexGuard<'_, ()> {
        // A storage key ends in a keyed hash: its last character alone is evenly spread.
        let last = key.as_bytes().last().copied().unwrap_or_default();
        let stripe = &self.stripes[usize::from(last) % STRIPES];
        // What a panicking writer leaves behind is whole: an insert is the last thing done.
        stripe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept under the key, live or not, with how long it will be.
    fn find(&self, key: &StorageKey) -> Option<(Item, Option<Duration>)> {
        let item = self.items.get(key)?;
        let Some(expires) = item.expires else { return Some((item, None)) };
        let remaining = expires.saturating_sub(self.clock.now());
        if remaining.is_zero() {
            self.items.remove_if(key, |found| found.version == item.version && found.expires == item.expires);
            return None;
        }
        Some((item, Some(remaining)))
    }

    fn find_live(&self, key: &StorageKey) -> Option<Versioned> {
        let (item, remaining) = self.find(key)?;
        let live = item.stored.flags.is_live(remaining);
        live.then(|| Versioned { entry: item.stored, version: item.version, remaining })
    }

    fn insert(&self, key: &StorageKey, stored: Stored, lifetime: Option<Duration>) -> u64 {
        let version = self.versions.fetch_add(1, Ordering::Relaxed) + 1;
        let expires = lifetime.map(|lifetime| self.clock.now().saturating_add(lifetime));
        self.items.insert(*key, Item { stored, version, expires });
        version
    }

    /// Whether an entry is small enough for the part of the map that it falls into.
    fn check_size(&self, entry: &Stored) -> Result<(), Error> {
        let limit = (self.items.shard_capacity() / 2).saturating_sub(ITEM_OVERHEAD_BYTES);
        if entry.data.len() as u64 > limit {
            return Err(Error::TooLarge { limit: usize::try_from(limit).unwrap_or(usize::MAX) });
        }
        Ok(())
    }

    fn store_now(
        &self,
        key: &StorageKey,
        entry: Stored,
        lifetime: Lifetime,
        condition: Condition,
    ) -> Result<StoreOutcome, Error> {
        self.check_size(&entry)?;
        let _locked = self.lock(key);
        let refused = match condition {
            Condition::Always => None,
            Condition::Absent => self.find_live(key).map(|_| StoreOutcome::Exists),
            Condition::Present => self.find_live(key).is_none().then_some(StoreOutcome::Missing),
            Condition::Version(version) => match self.find(key) {
                Some((item, _)) if item.version == version => None,
                Some((item, remaining)) if item.stored.flags.is_live(remaining) => Some(StoreOutcome::Exists),
                _ => Some(StoreOutcome::Missing),
            },
        };
        if let Some(refused) = refused {
            return Ok(refused);
        }
        let lifetime = lifetime.with_grace(entry.flags.grace()).duration();
        self.insert(key, entry, lifetime);
        Ok(StoreOutcome::Stored)
    }
}

#[async_trait]
impl Backend for Memory {
    async fn get_many(&self, keys: &[StorageKey], bytes_max: usize) -> Result<Vec<Option<Versioned>>, Error> {
        let mut found = Vec::with_capacity(keys.len());
        let mut left = bytes_max;
        for key in keys {
            let entry = self.find_live(key);
            let bytes = entry.as_ref().map_or(0, |found| found.entry.data.len());
            left = left.checked_sub(bytes).ok_or(Error::BatchTooLarge { fit: found.len() })?;
            found.push(entry);
        }
        Ok(found)
    }

    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned>, Error> {
        Ok(self.find_live(key))
    }

    async fn store(
        &self,
        key: &StorageKey,
        entry: Stored,
        lifetime: Lifetime,
        condition: Condition,
    ) -> Result<StoreOutcome, Error> {
        self.store_now(key, entry, lifetime, condition)
    }

    async fn store_many(
        &self,
        entries: Vec<(StorageKey, Stored)>,
        lifetime: Lifetime,
    ) -> Vec<Result<(), Error>> {
        entries
            .into_iter()
            .map(|(key, entry)| self.store_now(&key, entry, lifetime, Condition::Always).map(drop))
            .collect()
    }

    async fn delete_many(&self, keys: &[StorageKey]) -> Result<Vec<bool>, Error> {
        let delete = |key| {
            let _locked = self.lock(key);
            let was_live = self.find_live(key).is_some();
            self.items.remove(key);
            was_live
        };
        Ok(keys.iter().map(delete).collect())
    }

    async fn touch(&self, key: &StorageKey, lifetime: Lifetime) -> Result<bool, Error> {
        let _locked = self.lock(key);
        let Some(found) = self.find_live(key) else { return Ok(false) };
        let lifetime = lifetime.with_grace(found.entry.flags.grace()).duration();
        let expires = lifetime.map(|lifetime| self.clock.now().saturating_add(lifetime));
        // A touch is no write: the version stays.
        self.items.insert(*key, Item { stored: found.entry, version: found.version, expires });
        Ok(true)
    }

    async fn count(&self, key: &StorageKey, step: Step) -> Result<Option<u64>, Error> {
        let _locked = self.lock(key);
        let Some(found) = self.find_live(key) else { return Ok(None) };
        let flags = found.entry.flags;
        if flags.kind() != Kind::Integer || flags.is_encrypted() {
            return Err(Error::NotAnInteger);
        }
        let number = str::from_utf8(&found.entry.data).ok().and_then(|digits| digits.trim_end().parse().ok());
        let next = number.and_then(|number| step.apply(number)).ok_or(Error::NotAnInteger)?;
        let entry = Stored { flags, data: next.to_string().into() };
        self.insert(key, entry, found.remaining);
        Ok(Some(next.unsigned_abs()))
    }

    async fn begin_fill(&self, key: &StorageKey, lease: Duration) -> Result<Begun, Error> {
        let _locked = self.lock(key);
        match self.find(key) {
            None => {
                let placeholder = Stored { flags: Flags::PLACEHOLDER, data: Bytes::new() };
                Ok(Begun::Won(self.insert(key, placeholder, Some(lease))))
            }
            Some((item, _)) if !item.stored.flags.is_entry() => Ok(Begun::Held),
            Some((item, remaining)) => {
                Ok(Begun::of(Versioned { entry: item.stored, version: item.version, remaining }))
            }
        }
    }

    async fn abandon_fill(&self, key: &StorageKey, version: u64) -> Result<(), Error> {
        let _locked = self.lock(key);
        self.items.remove_if(key, |item| item.version == version && !item.stored.flags.is_entry());
        Ok(())
    }
}
