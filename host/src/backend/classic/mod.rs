//! Entries on a memcached server over its classic protocol, for servers and proxies without meta commands.
//!
//! An operation goes down through these files, and its answer comes back up: `operation` (what is asked, in
//! the protocol's terms), `item` (what is kept), `pool` (whose turn on which connection), `link` (one
//! connection: the library `memcache-async`, its traps avoided), `transport` (the socket) and `reply` (what
//! may come from it).

#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
mod item;
mod link;
mod operation;
mod pool;
mod reply;
#[cfg(test)]
mod tests;
mod transport;

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::time::timeout;

use self::link::{Fault, Link};
use self::operation::Operation;
use self::pool::{Pool, only_server};
use super::mark::{self, Write};
use super::{Backend, Begun, Condition, Error, MemcachedOptions, Step, StoreOutcome, Versioned};
use crate::limits::CLASSIC_BATCH_CONNECTIONS;
use crate::stored::{StorageKey, Stored};
use crate::ttl::Lifetime;
use crate::turns::Turns;

/// A memcached server, or a proxy in front of some, that is spoken to in the protocol from before the meta
/// commands: `gets`, `get`, `add`, `cas` and `version` are all that it must know.
///
/// Of the options' servers the first is used. Connections are made when operations need them, up to 32 (or
/// [`connections`](MemcachedOptions::connections), if that is more), and each serves one operation at a time.
///
/// Entries carry their flags, version and expiry in a header of 21 bytes in front of the value, as the
/// protocol has no place for them. So entries that were written by [`Memcached`](super::Memcached) are misses
/// here, and those from here are misses there: all hosts of a deployment must speak the same protocol.
///
/// # What is weaker than over the meta protocol
///
/// | | [`Memcached`](super::Memcached) | here |
/// |---|---|---|
/// | replies are matched with requests by | order, and a number in each | order, and key where there is one |
/// | requests at once on one connection | any number | one |
/// | a write takes | one exchange | two, of which the first reads the old value |
/// | writes of one key by several hosts at once | all are done | after 64 lost races: unavailable |
/// | a batch of writes takes | one exchange | two for each key, for up to 8 keys at once |
/// | lifetimes end by | the server's clock | the clock of whoever reads, or the server's |
/// | the server's limit on items | is asked for | is learnt by being refused |
/// | what is deleted | is removed | is replaced by an item of 21 bytes that is over |
///
/// So hosts' clocks must agree within a second: where one is ahead, entries end early for it, and grace is
/// misjudged. And where the server refuses an entry, [`Error::TooLarge`] names one byte less than what was
/// refused, and not what would be taken.
///
/// What is stronger: every operation is atomic, [`touch`](Backend::touch) included, and a version is never
/// given twice even where the server is restarted.
pub struct Classic {
    pool: Pool,
    /// Between callers of this host who change the same key.
    turns: Turns<StorageKey>,
}

impl Classic {
    /// A server that is connected to when it is first needed.
    pub fn new(options: MemcachedOptions) -> Self {
        Self { pool: Pool::new(options), turns: Turns::new() }
    }

    fn begin(&self) -> Operation<'_> {
        Operation::new(&self.pool, &self.turns)
    }

    /// Writes a mark: several operations, which together have the time of one.
    async fn write_mark(&self, key: &StorageKey, write: Write) -> Result<u64, Error> {
        let time = self.pool.options().timeout;
        // A little more, so that one of them that gets no answer says so itself.
        timeout(time + time / 20, mark::write(self, key, write)).await.unwrap_or_else(|_| {
            Err(Error::OutcomeUnknown {
                reason: "a generation number could not be written in time".to_owned(),
            })
        })
    }
}

/// What a server is, for the choice of a protocol: its version as it says it, and whether it knows the meta
/// commands. On a connection of its own.
pub(super) async fn probe(options: &MemcachedOptions) -> Result<(String, bool), Error> {
    let probe = async {
        let server = only_server(options)?;
        let (mut link, version) = Link::open(&server.address).await?;
        let knows_meta = link.knows_meta().await?;
        Ok((version, knows_meta))
    };
    let probed = timeout(options.connect_timeout, probe).await.unwrap_or(Err(Fault::ConnectTimeout));
    probed.map_err(|fault: Fault| Error::Unavailable { reason: fault.to_string() })
}

/// Deals tasks out to as many lanes as a batch may have connections.
fn lanes<T>(tasks: Vec<T>) -> Vec<Vec<T>> {
    let count = tasks.len().min(CLASSIC_BATCH_CONNECTIONS);
    let mut lanes: Vec<Vec<T>> = (0..count).map(|_| Vec::new()).collect();
    for (number, task) in tasks.into_iter().enumerate() {
        lanes[number % count].push(task);
    }
    lanes
}

#[async_trait]
impl Backend for Classic {
    async fn get_many(&self, keys: &[StorageKey], bytes_max: usize) -> Result<Vec<Option<Versioned>>, Error> {
        self.begin().get_many(keys, bytes_max).await
    }

    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned>, Error> {
        self.begin().get(key).await
    }

    async fn store(
        &self,
        key: &StorageKey,
        entry: Stored,
        lifetime: Lifetime,
        condition: Condition,
    ) -> Result<StoreOutcome, Error> {
        self.begin().store(key, &entry, lifetime, condition).await
    }

    async fn store_many(
        &self,
        entries: Vec<(StorageKey, Stored)>,
        lifetime: Lifetime,
    ) -> Vec<Result<(), Error>> {
        let operation = self.begin();
        let count = entries.len();
        // The entries of one key must be stored one after the other.
        let mut by_key: HashMap<StorageKey, Vec<(usize, Stored)>> = HashMap::with_capacity(count);
        for (place, (key, entry)) in entries.into_iter().enumerate() {
            by_key.entry(key).or_default().push((place, entry));
        }
        let store_lane = async |lane: Vec<(StorageKey, Vec<(usize, Stored)>)>| {
            let mut outcomes = Vec::with_capacity(lane.len());
            for (key, entries) in lane {
                for (place, entry) in entries {
                    let stored = operation.store(&key, &entry, lifetime, Condition::Always).await;
                    outcomes.push((place, stored.map(drop)));
                }
            }
            outcomes
        };
        let lanes = lanes(by_key.into_iter().collect());
        let mut outcomes: Vec<_> =
            join_all(lanes.into_iter().map(store_lane)).await.into_iter().flatten().collect();
        outcomes.sort_unstable_by_key(|(place, _)| *place);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    async fn delete_many(&self, keys: &[StorageKey]) -> Result<Vec<bool>, Error> {
        let operation = self.begin();
        let mut were_live = vec![false; keys.len()];
        let mut first = HashMap::with_capacity(keys.len());
        for (place, key) in keys.iter().enumerate() {
            first.entry(*key).or_insert(place);
        }
        let delete_lane = async |lane: Vec<(StorageKey, usize)>| {
            let mut deleted = Vec::with_capacity(lane.len());
            for (key, place) in lane {
                deleted.push((place, operation.delete(&key).await));
            }
            deleted
        };
        let lanes = lanes(first.into_iter().collect());
        let deleted = join_all(lanes.into_iter().map(delete_lane)).await;
        let mut failure = None;
        let mut may_be_done = false;
        for (place, deleted) in deleted.into_iter().flatten() {
            match deleted {
                Ok(was_live) => (were_live[place], may_be_done) = (was_live, true),
                Err(error) => {
                    may_be_done |= matches!(error, Error::OutcomeUnknown { .. });
                    failure = Some(error);
                }
            }
        }
        match failure {
            None => Ok(were_live),
            // Some of it has happened, or may have.
            Some(Error::Unavailable { reason }) if may_be_done => Err(Error::OutcomeUnknown { reason }),
            Some(error) => Err(error),
        }
    }

    async fn touch(&self, key: &StorageKey, lifetime: Lifetime) -> Result<bool, Error> {
        self.begin().touch(key, lifetime).await
    }

    async fn count(&self, key: &StorageKey, step: Step) -> Result<Option<u64>, Error> {
        self.begin().count(key, step).await
    }

    async fn begin_fill(&self, key: &StorageKey, lease: Duration) -> Result<Begun, Error> {
        self.begin().begin_fill(key, lease).await
    }

    async fn abandon_fill(&self, key: &StorageKey, version: u64) -> Result<(), Error> {
        self.begin().abandon_fill(key, version).await
    }

    async fn make_mark(&self, key: &StorageKey, number: u64) -> Result<u64, Error> {
        self.write_mark(key, Write::Make(number)).await
    }

    async fn advance_mark(&self, key: &StorageKey, number: u64) -> Result<u64, Error> {
        self.write_mark(key, Write::Advance(number)).await
    }
}
