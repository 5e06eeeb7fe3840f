//! What each operation of a [`Backend`](crate::backend::Backend) means in memcached's terms, on one server.
//!
//! memcached knows items; whether one is live is for this file to say. A fill's placeholder, an entry within
//! its grace and one below the server's floor (see `returning`) are items too, so an operation that depends
//! on what is there looks first, and then changes just what it saw: by its version (`C`), or with a look at
//! what it hit. A lost race starts over, up to a limit.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use smallvec::smallvec;
use tokio::time::Instant;

use super::node::Node;
use super::protocol::{Found, Lease, Reply, Request, Ttl, When};
use super::queue::{Failure, Replies, Requests};
use crate::backend::{Begun, Condition, Error, Step, StoreOutcome, Versioned};
use crate::limits::SWAP_ATTEMPTS_MAX;
use crate::stored::{Kind, StorageKey, Stored};
use crate::ttl::Lifetime;

/// How many values are asked for at once. What does not fit is read all the same, if only to be thrown away,
/// and other callers wait meanwhile; so no more is asked for than a hundred values, before it is known that
/// they fit.
const READ_AT_ONCE_MAX: usize = 100;

/// Up to here a counter is left to memcached, which wraps where a counter must stop: no race of increments
/// gets from here to `i64::MAX`.
const COUNTED_BY_SERVER_MAX: i64 = 1 << 62;

/// The same for one step.
const STEP_BY_SERVER_MAX: u64 = 1 << 32;

/// One operation under way.
pub(super) struct Operation<'a> {
    node: &'a Node,
    deadline: Instant,
    /// On how many servers the keys are kept.
    copies: usize,
}

impl<'a> Operation<'a> {
    pub(super) fn new(node: &'a Node, deadline: Instant) -> Self {
        Self { node, deadline, copies: 1 }
    }

    /// The same about keys that are kept on so many servers.
    pub(super) fn on_copies(self, copies: usize) -> Self {
        Self { copies, ..self }
    }

    /// Until when the operation has an answer.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The entries under the keys, as far as they fit: where there are fewer than keys, the next does not.
    pub(super) async fn get_fitting(
        &self,
        keys: &[StorageKey],
        bytes_max: usize,
    ) -> Result<Vec<Option<Versioned>>, Error> {
        let item_bytes_max = self.node.options().item_bytes_max;
        let mut left = bytes_max;
        let mut entries = Vec::with_capacity(keys.len());
        for keys in keys.chunks(READ_AT_ONCE_MAX) {
            let requests = keys.iter().map(|key| Request::Read(*key)).collect();
            for (key, reply) in keys.iter().zip(self.call(requests, left).await?) {
                self.node.saw(key, &reply);
                let found = match self.live(key, present(reply)?) {
                    Some(found) if found.data.is_none() && found.length <= item_bytes_max => {
                        return Ok(entries);
                    }
                    found => found.and_then(entry),
                };
                left -= found.as_ref().map_or(0, |found| found.entry.data.len()).min(left);
                entries.push(found);
            }
        }
        Ok(entries)
    }

    pub(super) async fn get(&self, key: &StorageKey) -> Result<Option<Versioned>, Error> {
        let reply = self.one(Request::Read(*key)).await?;
        self.node.saw(key, &reply);
        Ok(self.live(key, present(reply)?).and_then(entry))
    }

    pub(super) async fn store(
        &self,
        key: &StorageKey,
        entry: Stored,
        lifetime: Lifetime,
        condition: Condition,
    ) -> Result<StoreOutcome, Error> {
        // Not `limit`: another server may be there by now. The connection task looks at what it really takes.
        if entry.data.len() > self.node.options().item_bytes_max {
            return Err(Error::TooLarge { limit: self.limit() });
        }
        let store = |when| self.store_request(key, &entry, lifetime, when);
        for _ in 0..SWAP_ATTEMPTS_MAX {
            let when = match condition {
                Condition::Always => When::Always,
                // Below the floor, that it was not written meanwhile says nothing.
                Condition::Version(version) if version < self.floor(key) => {
                    return self.missing_or_exists(key).await;
                }
                Condition::Version(version) => When::Version(version),
                Condition::Absent => match self.one(store(When::Nothing)).await? {
                    Reply::Done => return Ok(StoreOutcome::Stored),
                    // Something is there, which may be a placeholder or past its lifetime.
                    Reply::NotStored => match self.find(Request::Look(*key)).await? {
                        Some(found) if self.is_live(key, &found) => return Ok(StoreOutcome::Exists),
                        Some(found) => When::Version(found.version),
                        None => continue,
                    },
                    reply => return Err(refused(&reply)),
                },
                Condition::Present => match self.find(Request::Look(*key)).await? {
                    Some(found) if self.is_live(key, &found) => When::Version(found.version),
                    _ => return Ok(StoreOutcome::Missing),
                },
            };
            match (self.one(store(when)).await?, condition) {
                (Reply::Done, _) => return Ok(StoreOutcome::Stored),
                (Reply::Missing, Condition::Version(_)) => return Ok(StoreOutcome::Missing),
                (Reply::Changed, Condition::Version(_)) => return self.missing_or_exists(key).await,
                (Reply::Missing | Reply::Changed, _) => {}
                (reply, _) => return Err(refused(&reply)),
            }
        }
        Err(lost_race())
    }

    /// What becomes of a store over another version than the one that is there.
    async fn missing_or_exists(&self, key: &StorageKey) -> Result<StoreOutcome, Error> {
        let live = self.live(key, self.find(Request::Look(*key)).await?);
        Ok(live.map_or(StoreOutcome::Missing, |_| StoreOutcome::Exists))
    }

    pub(super) async fn store_many(
        &self,
        entries: Vec<(StorageKey, Stored)>,
        lifetime: Lifetime,
    ) -> Vec<Result<(), Error>> {
        let mut limit = self.node.options().item_bytes_max;
        // The server's limit may turn out smaller, though hardly twice.
        for _ in 0..SWAP_ATTEMPTS_MAX {
            let fitting: Vec<_> = entries.iter().filter(|(_, entry)| entry.data.len() <= limit).collect();
            let requests: Requests = fitting
                .iter()
                .map(|(key, entry)| self.store_request(key, entry, lifetime, When::Always))
                .collect();
            let outcome = match requests.is_empty() {
                true => Ok(Replies::new()),
                false => self.node.exchange(requests, 0, self.deadline).await,
            };
            if let Err(Failure::TooLarge { limit: smaller }) = outcome
                && smaller < limit
            {
                limit = smaller;
                continue;
            }
            let mut replies = outcome.map(Replies::into_iter);
            let result = |(_, entry): &(StorageKey, Stored)| {
                if entry.data.len() > limit {
                    return Err(Error::TooLarge { limit });
                }
                match &mut replies {
                    Err(failure) => Err(failed(failure.clone(), true)),
                    Ok(replies) => match replies.next() {
                        Some(Reply::Done) => Ok(()),
                        Some(reply) => Err(refused(&reply)),
                        None => Err(unexpected()),
                    },
                }
            };
            return entries.iter().map(result).collect();
        }
        entries.iter().map(|_| Err(lost_race())).collect()
    }

    pub(super) async fn delete_many(&self, keys: &[StorageKey]) -> Result<Vec<bool>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let pair = |key: &StorageKey| [Request::Look(*key), Request::Delete { key: *key, version: None }];
        let replies = self.call(keys.iter().flat_map(pair).collect(), 0).await?;
        let was_live = |(key, replies): (&StorageKey, &[Reply])| match replies {
            [Reply::Found(found), Reply::Done] => Ok(self.is_live(key, found)),
            [Reply::Missing | Reply::Found(_), Reply::Missing | Reply::Done] => Ok(false),
            // The server could not say what it has deleted.
            _ => Err(Error::OutcomeUnknown { reason: "the server is out of memory".to_owned() }),
        };
        keys.iter().zip(replies.chunks(2)).map(was_live).collect()
    }

    pub(super) async fn touch(&self, key: &StorageKey, lifetime: Lifetime) -> Result<bool, Error> {
        let mut found = self.find(Request::Look(*key)).await?;
        for _ in 0..SWAP_ATTEMPTS_MAX {
            let Some(seen) = self.live(key, found) else {
                return Ok(false);
            };
            let grace = seen.flags.grace();
            let ttl = Ttl::new(lifetime, grace, unix_seconds());
            match self.find(Request::Touch(*key, ttl)).await? {
                None => return Ok(false),
                Some(touched) if touched.flags.is_entry() && touched.flags.grace() == grace => {
                    return Ok(true);
                }
                // Another entry has got the lifetime, and its grace was not added: once more.
                Some(touched) if touched.flags.is_entry() => found = Some(touched),
                // A placeholder must not live as long as an entry: that would keep everybody from filling it.
                Some(touched) => {
                    self.delete_version(key, touched.version).await?;
                    return Ok(false);
                }
            }
        }
        Err(lost_race())
    }

    pub(super) async fn count(&self, key: &StorageKey, step: Step) -> Result<Option<u64>, Error> {
        for _ in 0..SWAP_ATTEMPTS_MAX {
            let Some(found) = self.live(key, self.find(Request::Read(*key)).await?) else {
                return Ok(None);
            };
            let (number, next) = counted(&found, step).ok_or(Error::NotAnInteger)?;
            let request = match step {
                Step::Up(delta) if number >= COUNTED_BY_SERVER_MAX || delta >= STEP_BY_SERVER_MAX => {
                    let lifetime = found.remaining.map_or(Lifetime::UntilEvicted, Lifetime::Remaining);
                    let entry = Stored { flags: found.flags, data: next.to_string().into() };
                    let ttl = Ttl::new(lifetime, Duration::ZERO, unix_seconds());
                    Request::Store { key: *key, entry, ttl, when: When::Version(found.version) }
                }
                // Only what was seen: memcached itself would count a text that begins with digits.
                step => Request::Count { key: *key, step, version: Some(found.version) },
            };
            match self.one(request).await? {
                Reply::Done => return Ok(Some(next.unsigned_abs())),
                Reply::Number(number) => return Ok(Some(number)),
                Reply::Missing => return Ok(None),
                Reply::Changed | Reply::NotANumber => {}
                reply => return Err(refused(&reply)),
            }
        }
        Err(lost_race())
    }

    pub(super) async fn begin_fill(&self, key: &StorageKey, lease: Lifetime) -> Result<Begun, Error> {
        let ttl = Ttl::new(lease, Duration::ZERO, unix_seconds());
        for _ in 0..SWAP_ATTEMPTS_MAX {
            // There is always something after it: what was there, or the placeholder.
            let found = self.find(Request::Lease(*key, ttl)).await?.ok_or_else(out_of_memory)?;
            let version = found.version;
            if version < self.floor(key) {
                // Nobody may fill it by that version: out of the way, and once more.
                self.delete_version(key, version).await?;
                continue;
            }
            if found.flags.is_entry() {
                return Ok(kept(found).map_or(Begun::Unreadable(version), Begun::of));
            }
            return Ok(if found.lease == Lease::Held { Begun::Held } else { Begun::Won(version) });
        }
        Err(lost_race())
    }

    pub(super) async fn abandon_fill(&self, key: &StorageKey, version: u64) -> Result<(), Error> {
        match self.find(Request::Look(*key)).await? {
            // A fill of an entry within its grace has no placeholder, and the entry stays.
            Some(found) if found.version == version && !found.flags.is_entry() => {
                self.delete_version(key, version).await
            }
            _ => Ok(()),
        }
    }

    async fn delete_version(&self, key: &StorageKey, version: u64) -> Result<(), Error> {
        let request = Request::Delete { key: *key, version: Some(version) };
        match self.one(request).await? {
            Reply::Done | Reply::Missing | Reply::Changed => Ok(()),
            reply => Err(refused(&reply)),
        }
    }

    async fn find(&self, request: Request) -> Result<Option<Found>, Error> {
        present(self.one(request).await?)
    }

    async fn one(&self, request: Request) -> Result<Reply, Error> {
        let is_write = request.is_write();
        let outcome = self.node.exchange(smallvec![request], usize::MAX, self.deadline).await;
        let mut replies = outcome.map_err(|failure| failed(failure, is_write))?;
        replies.pop().ok_or_else(unexpected)
    }

    async fn call(&self, requests: Requests, batch_bytes_max: usize) -> Result<Replies, Error> {
        let is_write = requests.iter().any(Request::is_write);
        let outcome = self.node.exchange(requests, batch_bytes_max, self.deadline).await;
        outcome.map_err(|failure| failed(failure, is_write))
    }

    fn floor(&self, key: &StorageKey) -> u64 {
        self.node.floor(key, self.copies)
    }

    fn is_live(&self, key: &StorageKey, found: &Found) -> bool {
        found.is_live() && found.version >= self.floor(key)
    }

    fn live(&self, key: &StorageKey, found: Option<Found>) -> Option<Found> {
        found.filter(|found| self.is_live(key, found))
    }

    fn store_request(&self, key: &StorageKey, entry: &Stored, lifetime: Lifetime, when: When) -> Request {
        let ttl = Ttl::new(lifetime, entry.flags.grace(), unix_seconds());
        Request::Store { key: *key, entry: entry.clone(), ttl, when }
    }

    /// Largest sealed entry, as far as is known before asking the server.
    fn limit(&self) -> usize {
        let server = self.node.facts().map_or(usize::MAX, |server| server.value_bytes_max());
        self.node.options().item_bytes_max.min(server)
    }
}

/// The time, as memcached counts it.
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A live item as an entry. One that is not held is as good as none.
fn entry(found: Found) -> Option<Versioned> {
    let live = found.is_live();
    kept(found).filter(|_| live)
}

/// The same of an item that may be within its grace.
fn kept(found: Found) -> Option<Versioned> {
    let Found { flags, remaining, version, data, .. } = found;
    data.map(|data| Versioned { entry: Stored { flags, data }, version, remaining })
}

/// What is there, if anything.
fn present(reply: Reply) -> Result<Option<Found>, Error> {
    match reply {
        Reply::Found(found) => Ok(Some(found)),
        Reply::Missing => Ok(None),
        Reply::OutOfMemory => Err(out_of_memory()),
        _ => Err(unexpected()),
    }
}

/// The number in an item that is a counter, and the one after the step.
fn counted(found: &Found, step: Step) -> Option<(i64, i64)> {
    let flags = found.flags;
    if flags.kind() != Kind::Integer || flags.is_encrypted() || flags.is_compressed() {
        return None;
    }
    // memcached leaves spaces where a number gets shorter.
    let number = str::from_utf8(found.data.as_ref()?).ok()?.trim_end_matches(' ').parse().ok()?;
    Some((number, step.apply(number)?))
}

/// A write that the server answered, and did not do.
fn refused(reply: &Reply) -> Error {
    match reply {
        // Neither is told apart from what it did to the old entry, which memcached drops.
        Reply::TooLarge | Reply::OutOfMemory => Error::OutcomeUnknown {
            reason: "the server had no room for the entry, and may have dropped the old one".to_owned(),
        },
        _ => unexpected(),
    }
}

fn out_of_memory() -> Error {
    Error::Unavailable { reason: "the server is out of memory".to_owned() }
}

fn lost_race() -> Error {
    Error::Unavailable { reason: "other callers kept changing the entry".to_owned() }
}

/// The protocol has checked that each reply suits its request, so this is a fault of ours.
fn unexpected() -> Error {
    Error::Unavailable { reason: "a reply that the request can't have".to_owned() }
}

/// Only a write that was sent has an outcome that could be unknown.
fn failed(failure: Failure, is_write: bool) -> Error {
    match failure {
        Failure::TooLarge { limit } => Error::TooLarge { limit },
        Failure::Unanswered { reason } if is_write => Error::OutcomeUnknown { reason },
        Failure::Unanswered { reason } | Failure::NotSent { reason } | Failure::Busy { reason } => {
            Error::Unavailable { reason }
        }
    }
}
