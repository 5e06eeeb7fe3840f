//! What each operation of a [`Backend`](crate::backend::Backend) means in the classic protocol.
//!
//! Every write is the same two steps: `gets` looks at what is there, and `add` (where there is nothing) or
//! `cas` (where there is something) puts an item in the place of just that. Both are answered, which the
//! library's `set` and `delete` are not; what is deleted is replaced by an item that is over. A lost race
//! starts over, up to a limit.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, timeout_at};

use super::item::{HEADER_BYTES, Item, UnixMillis};
use super::link::Fault;
use super::pool::{Held, Pool};
use super::reply::Violation;
use crate::backend::{Begun, Condition, Error, Step, StoreOutcome, Versioned};
use crate::limits::SWAP_ATTEMPTS_MAX;
use crate::random;
use crate::stored::{Flags, Kind, StorageKey, Stored};
use crate::ttl::Lifetime;
use crate::turns::{Turn, Turns};

/// How many keys are asked for in one request. memcached takes longer lines for `get` only, and proxies
/// have bounds of their own.
const KEYS_AT_ONCE_MAX: usize = 100;

/// One operation under way.
#[derive(Clone, Copy)]
pub(super) struct Operation<'a> {
    pool: &'a Pool,
    turns: &'a Turns<StorageKey>,
    deadline: Instant,
}

/// What is under a key.
struct Place {
    /// The CAS id of whatever is there, readable or not; `None` where there is nothing.
    cas: Option<u64>,
    /// The item, if it is one of ours and not over.
    item: Option<Item>,
    /// When it was looked at.
    now: UnixMillis,
}

impl Place {
    fn live(&self) -> Option<&Item> {
        self.item.as_ref().filter(|item| item.is_live(self.now))
    }

    fn is_of(&self, version: u64) -> bool {
        self.item.as_ref().is_some_and(|item| item.version == version)
    }
}

/// What is to become of a place.
enum Change<T> {
    /// Nothing.
    Keep(T),
    Put(Item, T),
    Remove(T),
}

impl<'a> Operation<'a> {
    pub(super) fn new(pool: &'a Pool, turns: &'a Turns<StorageKey>) -> Self {
        Self { pool, turns, deadline: Instant::now() + pool.options().timeout }
    }

    pub(super) async fn get_many(
        &self,
        keys: &[StorageKey],
        bytes_max: usize,
    ) -> Result<Vec<Option<Versioned>>, Error> {
        let mut left = bytes_max;
        let mut entries: Vec<Option<Versioned>> = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(KEYS_AT_ONCE_MAX) {
            let found = self.get_chunk(chunk, left).await?;
            for (at, key) in chunk.iter().enumerate() {
                let entry = match &found {
                    Some(found) => found[at].clone(),
                    None => self.get(key).await?,
                };
                let bytes = entry.as_ref().map_or(0, |found| found.entry.data.len());
                left = left.checked_sub(bytes).ok_or(Error::BatchTooLarge { fit: entries.len() })?;
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// The entries under some keys in one exchange; `None` where they may not fit, and have to be asked for
    /// one by one: what is announced may be more than what counts.
    async fn get_chunk(
        &self,
        keys: &[StorageKey],
        bytes_max: usize,
    ) -> Result<Option<Vec<Option<Versioned>>>, Error> {
        let mut distinct: Vec<StorageKey> = Vec::with_capacity(keys.len());
        let mut places = Vec::with_capacity(keys.len());
        for key in keys {
            let place = distinct.iter().position(|known| known == key).unwrap_or_else(|| {
                distinct.push(*key);
                distinct.len() - 1
            });
            places.push(place);
        }
        let item_bytes_max = self.item_bytes_max();
        let mut held = self.take().await?;
        let found = loop {
            match held.link.get_many(&distinct, item_bytes_max, bytes_max, self.deadline).await {
                Ok(found) => break found,
                Err(Fault::Refused(Violation::BatchTooLarge | Violation::Oversized { .. })) => {
                    return Ok(None);
                }
                Err(fault) => held = self.instead(held, fault).await?,
            }
        };
        held.give_back();
        let now = now();
        let read = |bytes: Option<Vec<u8>>| {
            let item = Item::decode(bytes?, now).filter(|item| item.is_live(now))?;
            Some(item.into_versioned(now))
        };
        let found: Vec<_> = found.into_iter().map(read).collect();
        Ok(Some(places.into_iter().map(|place| found[place].clone()).collect()))
    }

    pub(super) async fn get(&self, key: &StorageKey) -> Result<Option<Versioned>, Error> {
        let (held, place) = self.look(key).await?;
        if let Some(held) = held {
            held.give_back();
        }
        let Place { item, now, .. } = place;
        Ok(item.filter(|item| item.is_live(now)).map(|item| item.into_versioned(now)))
    }

    pub(super) async fn store(
        &self,
        key: &StorageKey,
        entry: &Stored,
        lifetime: Lifetime,
        condition: Condition,
    ) -> Result<StoreOutcome, Error> {
        let limit = self.pool.options().item_bytes_max;
        if entry.data.len() > limit {
            return Err(Error::TooLarge { limit });
        }
        let version = random::nonzero();
        let decide = |place: &Place| {
            let refused = match condition {
                Condition::Always => None,
                Condition::Absent => place.live().map(|_| StoreOutcome::Exists),
                Condition::Present => place.live().is_none().then_some(StoreOutcome::Missing),
                Condition::Version(version) if place.is_of(version) => None,
                Condition::Version(_) => {
                    Some(place.live().map_or(StoreOutcome::Missing, |_| StoreOutcome::Exists))
                }
            };
            Ok(match refused {
                Some(refused) => Change::Keep(refused),
                None => {
                    let item = Item::new(entry.clone(), version, lifetime, place.now);
                    Change::Put(item, StoreOutcome::Stored)
                }
            })
        };
        self.change(key, decide).await
    }

    /// Removes what is there, and answers whether it was live.
    pub(super) async fn delete(&self, key: &StorageKey) -> Result<bool, Error> {
        self.change(key, |place| Ok(Change::Remove(place.live().is_some()))).await
    }

    pub(super) async fn touch(&self, key: &StorageKey, lifetime: Lifetime) -> Result<bool, Error> {
        let decide = |place: &Place| {
            Ok(match place.live() {
                None => Change::Keep(false),
                Some(item) => {
                    let mut item = item.clone();
                    item.renew(lifetime, place.now);
                    Change::Put(item, true)
                }
            })
        };
        self.change(key, decide).await
    }

    pub(super) async fn count(&self, key: &StorageKey, step: Step) -> Result<Option<u64>, Error> {
        let version = random::nonzero();
        let decide = |place: &Place| {
            let Some(item) = place.live() else {
                return Ok(Change::Keep(None));
            };
            let next = counted(&item.stored, step).ok_or(Error::NotAnInteger)?;
            let stored = Stored { flags: item.stored.flags, data: next.to_string().into() };
            Ok(Change::Put(Item { stored, version, expires: item.expires }, Some(next.unsigned_abs())))
        };
        self.change(key, decide).await
    }

    pub(super) async fn begin_fill(&self, key: &StorageKey, lease: Duration) -> Result<Begun, Error> {
        let version = random::nonzero();
        let decide = |place: &Place| {
            Ok(match &place.item {
                Some(item) if !item.stored.flags.is_entry() => Change::Keep(Begun::Held),
                Some(item) => Change::Keep(Begun::of(item.clone().into_versioned(place.now))),
                None => {
                    let stored = Stored { flags: Flags::PLACEHOLDER, data: bytes::Bytes::new() };
                    let item = Item::new(stored, version, Lifetime::Remaining(lease), place.now);
                    Change::Put(item, Begun::Won(version))
                }
            })
        };
        // Mostly there is nothing to be changed, and nobody to wait for.
        match self.try_change(key, decide).await {
            Ok(Some(begun)) => Ok(begun),
            Ok(None) => self.change(key, decide).await,
            Err(error) => Err(error),
        }
        .map_err(nothing_kept)
    }

    pub(super) async fn abandon_fill(&self, key: &StorageKey, version: u64) -> Result<(), Error> {
        let decide = |place: &Place| {
            let is_placeholder = place.item.as_ref().is_some_and(|item| !item.stored.flags.is_entry());
            Ok(if is_placeholder && place.is_of(version) { Change::Remove(()) } else { Change::Keep(()) })
        };
        self.change(key, decide).await
    }

    /// Looks, decides and changes, until nobody else has changed it in between.
    async fn change<T>(
        &self,
        key: &StorageKey,
        decide: impl Fn(&Place) -> Result<Change<T>, Error>,
    ) -> Result<T, Error> {
        let _turn = self.turn(key).await?;
        for _ in 0..SWAP_ATTEMPTS_MAX {
            if let Some(answer) = self.try_change(key, &decide).await? {
                return Ok(answer);
            }
        }
        Err(unavailable("other callers kept changing the entry"))
    }

    /// One attempt; `None` where somebody else was faster.
    async fn try_change<T>(
        &self,
        key: &StorageKey,
        decide: impl Fn(&Place) -> Result<Change<T>, Error>,
    ) -> Result<Option<T>, Error> {
        let (held, place) = self.look(key).await?;
        let (item, answer) = match (decide(&place), place.cas) {
            (Ok(Change::Put(item, answer)), _) => (item, answer),
            (Ok(Change::Remove(answer)), Some(_)) => (Item::tombstone(random::nonzero()), answer),
            (kept, _) => {
                if let Some(held) = held {
                    held.give_back();
                }
                return kept.map(|change| match change {
                    Change::Keep(answer) | Change::Put(_, answer) | Change::Remove(answer) => Some(answer),
                });
            }
        };
        let mut held = match held {
            Some(held) => held,
            None => self.take().await?,
        };
        let (bytes, exptime) = (item.encode(), item.ttl(place.now).get());
        let put = match place.cas {
            None => held.link.add(key, &bytes, exptime, self.deadline).await,
            Some(cas) => held.link.cas(key, &bytes, cas, exptime, self.deadline).await,
        };
        match put {
            Ok(is_put) => {
                held.give_back();
                Ok(is_put.then_some(answer))
            }
            Err(fault) => Err(refused(held.end(fault), item.stored.data.len())),
        }
    }

    /// What is under the key, and the connection that it was read on, if that can still be used.
    async fn look(&self, key: &StorageKey) -> Result<(Option<Held<'a>>, Place), Error> {
        let item_bytes_max = self.item_bytes_max();
        let mut held = self.take().await?;
        loop {
            match held.link.gets(key, item_bytes_max, self.deadline).await {
                Ok(raw) => {
                    let now = now();
                    let cas = raw.as_ref().map(|raw| raw.cas);
                    let ours = raw.filter(|raw| !raw.is_foreign);
                    let item = ours.and_then(|raw| Item::decode(raw.bytes, now));
                    return Ok((Some(held), Place { cas, item, now }));
                }
                // Somebody else's, or from when more was allowed. It can't be read, but replaced.
                Err(Fault::Refused(Violation::Oversized { cas })) => {
                    return Ok((None, Place { cas, item: None, now: now() }));
                }
                Err(fault) => held = self.instead(held, fault).await?,
            }
        }
    }

    async fn take(&self) -> Result<Held<'a>, Error> {
        self.pool.take(self.deadline).await.map_err(unread)
    }

    /// Another connection for a read whose connection had ended while nobody used it.
    async fn instead(&self, held: Held<'a>, fault: Fault) -> Result<Held<'a>, Error> {
        if !(held.is_used && matches!(fault, Fault::Io(_))) {
            return Err(unread(held.end(fault)));
        }
        drop(held);
        self.pool.take_new(self.deadline).await.map_err(unread)
    }

    async fn turn(&self, key: &StorageKey) -> Result<Turn<'a, StorageKey>, Error> {
        let turn = timeout_at(self.deadline, self.turns.take(key)).await;
        turn.map_err(|_| unavailable("too many callers change the same entry"))
    }

    /// Largest item that is read.
    fn item_bytes_max(&self) -> usize {
        self.pool.options().item_bytes_max.saturating_add(HEADER_BYTES)
    }
}

/// The number after the step, where the entry is a counter.
fn counted(stored: &Stored, step: Step) -> Option<i64> {
    let flags = stored.flags;
    if flags.kind() != Kind::Integer || flags.is_encrypted() || flags.is_compressed() {
        return None;
    }
    step.apply(str::from_utf8(&stored.data).ok()?.trim_end_matches(' ').parse().ok()?)
}

/// The time, by this host's clock.
fn now() -> UnixMillis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

fn unavailable(reason: impl Into<String>) -> Error {
    Error::Unavailable { reason: reason.into() }
}

/// A read that failed.
fn unread(fault: Fault) -> Error {
    unavailable(fault.to_string())
}

/// A write that was sent, and failed. What the server says of its memory it says before it changes
/// anything: `add` and `cas` leave the old item, unlike `set`.
fn refused(fault: Fault, bytes: usize) -> Error {
    match fault {
        Fault::Refused(Violation::ItemTooLarge) => Error::TooLarge { limit: bytes.saturating_sub(1) },
        Fault::Refused(Violation::OutOfMemory) => unread(fault),
        fault => Error::OutcomeUnknown { reason: fault.to_string() },
    }
}

/// A fill that may have been won ends by itself.
fn nothing_kept(error: Error) -> Error {
    match error {
        Error::OutcomeUnknown { reason } => Error::Unavailable { reason },
        error => error,
    }
}
