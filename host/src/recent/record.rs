//! The record of one process: for each partition and namespace the keys that were asked for last.
//!
//! Partitions are spread over shards, each under a lock of its own, which is held for as long as noting an
//! operation takes and never across an await. Nothing is thrown away one by one: a set that has grown a
//! quarter beyond its bound is cut back to it, so that each key pays for a few others, however many there
//! are.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::mem::size_of;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::{Asked, Page, Recent, RecentKey, Seen};
use crate::key::Place;
use crate::limits::{RECENT_BYTES_MAX, RECENT_PARTITION_BYTES_MAX};
use crate::scope::{Namespace, Partition};

/// Enough for the cores of one machine to seldom meet.
const SHARDS: usize = 8;

/// What a key takes besides its text: the entry in a table that is half empty at worst, and the allocation.
const KEY_BYTES: usize = 2 * (size_of::<(Arc<str>, Noted)>() + 1) + 32;

/// The same for a namespace or a partition, whose tables have room for a few from the beginning.
const NODE_BYTES: usize = 512;

/// All of a process.
pub(super) struct Record {
    keys_max: usize,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    partitions: HashMap<Partition, Shelf>,
    bytes: usize,
    /// Counts operations: a clock that never stands still or goes back.
    turn: u64,
    has_changed: bool,
}

/// What is remembered of a partition.
#[derive(Default)]
struct Shelf {
    namespaces: HashMap<Option<Namespace>, Keys>,
    bytes: usize,
    last_turn: u64,
}

/// What is remembered of a partition and namespace.
#[derive(Default)]
struct Keys {
    noted: HashMap<Arc<str>, Noted>,
    bytes: usize,
    last_turn: u64,
}

struct Noted {
    seen: Seen,
    turn: u64,
}

/// Notes what is asked of one cache.
pub(crate) struct Recorder {
    recent: Arc<Recent>,
    place: Place,
    shard: usize,
}

impl Recorder {
    pub(crate) fn new(recent: &Arc<Recent>, place: &Place) -> Self {
        // All issues of a session are one to operators, as they are to `clear`.
        let place = Place { partition: place.partition.node(), namespace: place.namespace.clone() };
        let shard = recent.record.shard_of(&place.partition);
        Self { recent: Arc::clone(recent), place, shard }
    }

    /// Notes that these keys are asked for. Their lengths are checked by the pipeline.
    pub(crate) fn note<'a>(&self, keys: impl IntoIterator<Item = &'a str>, asked: Asked, now: SystemTime) {
        self.recent.record.note(self.shard, &self.place, keys, asked, now);
    }
}

impl Record {
    pub(super) fn new(keys_max: usize) -> Self {
        Self { keys_max, hasher: RandomState::new(), shards: Default::default() }
    }

    pub(super) fn shard_of(&self, partition: &Partition) -> usize {
        self.hasher.hash_one(partition) as usize % SHARDS
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note<'a>(
        &self,
        shard: usize,
        place: &Place,
        keys: impl IntoIterator<Item = &'a str>,
        asked: Asked,
        now: SystemTime,
    ) {
        let mut shard = self.lock(shard);
        for key in keys {
            shard.note(place, key, (asked, now), self.keys_max);
        }
    }

    /// What is remembered of a partition, newest first.
    pub(super) fn of(&self, partition: &Partition) -> Vec<RecentKey> {
        let partition = &partition.node();
        let shard = self.lock(self.shard_of(partition));
        let Some(shelf) = shard.partitions.get(partition) else { return Vec::new() };
        let newest = shelf.namespaces.iter().flat_map(|(namespace, keys)| {
            let newest = keys.newest(self.keys_max).into_iter();
            newest.map(move |(key, noted)| (namespace, key, noted))
        });
        let mut newest: Vec<_> = newest.collect();
        newest.sort_unstable_by_key(|(.., noted)| std::cmp::Reverse(noted.turn));
        let key = |(namespace, key, noted): (&Option<Namespace>, &Arc<str>, &Noted)| RecentKey {
            namespace: namespace.clone(),
            key: key.clone(),
            seen: noted.seen,
        };
        newest.into_iter().map(key).collect()
    }

    /// All that is remembered; `None` where nothing has changed since it was last taken.
    pub(super) fn take_changed(&self) -> Option<Vec<Page>> {
        if !(0..SHARDS).any(|shard| self.lock(shard).has_changed) {
            return None;
        }
        let mut pages = Vec::new();
        for shard in 0..SHARDS {
            let mut shard = self.lock(shard);
            shard.has_changed = false;
            for (partition, shelf) in &shard.partitions {
                pages.extend(shelf.pages(partition, self.keys_max));
            }
        }
        Some(pages)
    }

    /// What was taken is to be taken again.
    pub(super) fn put_back(&self) {
        self.lock(0).has_changed = true;
    }

    /// What is accounted for.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        (0..SHARDS).map(|shard| self.lock(shard).bytes).sum()
    }
}

impl Shard {
    fn note(&mut self, place: &Place, key: &str, (asked, now): (Asked, SystemTime), keys_max: usize) {
        self.has_changed = true;
        self.turn += 1;
        let turn = self.turn;
        if !self.partitions.contains_key(&place.partition) {
            let bytes = NODE_BYTES + names_len(&place.partition);
            self.partitions.insert(place.partition.clone(), Shelf { bytes, ..Shelf::default() });
            self.bytes += bytes;
        }
        let Some(shelf) = self.partitions.get_mut(&place.partition) else { return };
        shelf.last_turn = turn;
        let before = shelf.bytes;
        let keys = match shelf.namespaces.get_mut(&place.namespace) {
            Some(keys) => keys,
            None => {
                let bytes = NODE_BYTES + place.namespace.as_ref().map_or(0, |name| name.as_str().len());
                shelf.bytes += bytes;
                let keys = Keys { bytes, ..Keys::default() };
                shelf.namespaces.entry(place.namespace.clone()).or_insert(keys)
            }
        };
        keys.last_turn = turn;
        if let Some(noted) = keys.noted.get_mut(key) {
            noted.turn = turn;
            noted.seen.count(asked, now);
            return;
        }
        let mut seen = Seen::default();
        seen.count(asked, now);
        let bytes = keys.bytes;
        keys.insert(key, Noted { seen, turn });
        if keys.noted.len() > keys_max + keys_max / 4 {
            keys.keep(keys_max);
        }
        shelf.bytes = shelf.bytes - bytes + keys.bytes;
        shelf.keep_within(RECENT_PARTITION_BYTES_MAX);
        self.bytes = self.bytes - before + shelf.bytes;
        self.keep_within(RECENT_BYTES_MAX / SHARDS);
    }

    /// Where it takes more, forgets the partitions that were not asked for the longest.
    fn keep_within(&mut self, bytes_max: usize) {
        if self.bytes <= bytes_max {
            return;
        }
        let mut turns: Vec<_> =
            self.partitions.values().map(|shelf| (shelf.last_turn, shelf.bytes)).collect();
        turns.sort_unstable();
        let mut oldest_kept = 0;
        for (turn, bytes) in turns {
            if self.bytes <= bytes_max / 4 * 3 {
                break;
            }
            self.bytes -= bytes;
            oldest_kept = turn + 1;
        }
        self.partitions.retain(|_, shelf| shelf.last_turn >= oldest_kept);
    }
}

impl Shelf {
    /// Where it takes more, forgets the namespaces that were not asked for the longest, and of the last one
    /// the oldest half of its keys.
    fn keep_within(&mut self, bytes_max: usize) {
        if self.bytes <= bytes_max {
            return;
        }
        let mut turns: Vec<_> = self.namespaces.values().map(|keys| (keys.last_turn, keys.bytes)).collect();
        turns.sort_unstable();
        turns.pop();
        let mut oldest_kept = 0;
        for (turn, bytes) in turns {
            if self.bytes <= bytes_max / 4 * 3 {
                break;
            }
            self.bytes -= bytes;
            oldest_kept = turn + 1;
        }
        self.namespaces.retain(|_, keys| keys.last_turn >= oldest_kept);
        if self.bytes > bytes_max {
            for keys in self.namespaces.values_mut() {
                let before = keys.bytes;
                keys.keep(keys.noted.len() / 2);
                self.bytes = self.bytes - before + keys.bytes;
            }
        }
    }

    fn pages(&self, partition: &Partition, keys_max: usize) -> impl Iterator<Item = Page> {
        self.namespaces.iter().map(move |(namespace, keys)| Page {
            partition: partition.clone(),
            namespace: namespace.clone(),
            keys: keys.newest(keys_max).into_iter().map(|(key, noted)| (key.clone(), noted.seen)).collect(),
        })
    }
}

impl Keys {
    fn insert(&mut self, key: &str, noted: Noted) {
        self.bytes += KEY_BYTES + key.len();
        self.noted.insert(key.into(), noted);
    }

    /// Forgets all but the newest.
    fn keep(&mut self, keys_max: usize) {
        let mut turns: Vec<_> = self.noted.values().map(|noted| noted.turn).collect();
        let Some(at) = turns.len().checked_sub(keys_max).filter(|at| *at < turns.len()) else { return };
        let (_, &mut oldest_kept, _) = turns.select_nth_unstable(at);
        let bytes = &mut self.bytes;
        self.noted.retain(|key, noted| {
            let is_kept = noted.turn >= oldest_kept;
            if !is_kept {
                *bytes -= KEY_BYTES + key.len();
            }
            is_kept
        });
    }

    /// The newest, in that order.
    fn newest(&self, keys_max: usize) -> Vec<(&Arc<str>, &Noted)> {
        let mut newest: Vec<_> = self.noted.iter().collect();
        newest.sort_unstable_by_key(|(_, noted)| std::cmp::Reverse(noted.turn));
        newest.truncate(keys_max);
        newest
    }
}

fn names_len(partition: &Partition) -> usize {
    partition.identifiers().into_iter().flatten().map(str::len).sum()
}

#[cfg(test)]
mod tests;
