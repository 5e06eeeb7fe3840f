//! Generations: how a `clear` makes any number of entries unreachable in one write.
//!
//! Every node (a service, a stack, a session) and every cache (a partition and namespace) has a random 64-bit
//! generation number, kept in the backend under a storage key of its own. The numbers of a cache's nodes
//! and its own go into its entries' storage keys; writing a new number leaves all entries under the
//! old one behind, to be evicted.
//!
//! - A number that was lost is replaced by a new random one: entries may become unreachable, and
//!   never come back.
//! - A host trusts a number for `generation_ttl` after it has read it. What is older is read again
//!   beside the operation that needs it, not before it: see `cache/pipeline.rs`.
//! - The numbers are not secret: whoever can read or write them in the storage can do the same to entries.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use quick_cache::sync::Cache as BoundedMap;

use crate::backend::{self, Backend, Condition, StoreOutcome};
use crate::clock::Clock;
use crate::key::{GENERATIONS, KeyDeriver, Place, nodes};
use crate::limits::GENERATIONS_MAX;
use crate::random;
use crate::scope::Partition;
use crate::stored::{Flags, Kind, StorageKey, Stored};
use crate::ttl::Lifetime;

/// Bytes of a stored generation number.
const RECORD_BYTES: usize = 8;

/// How often a number that is missing on reading and present on adding is read again. Each turn
/// means that it was lost in between.
const READ_ATTEMPTS_MAX: usize = 4;

/// All generation numbers that this host knows.
pub(crate) struct Generations {
    backend: Arc<dyn Backend>,
    deriver: KeyDeriver,
    clock: Clock,
    ttl: Duration,
    known: BoundedMap<StorageKey, Arc<Node>>,
}

/// One generation number, as this host last read it.
struct Node {
    key: StorageKey,
    /// Zero until it was read.
    number: AtomicU64,
    /// When it was asked for, in nanoseconds of the clock; zero where it must be read again.
    asked_at: AtomicU64,
    /// Until when nothing that was asked for is trusted, in nanoseconds of the clock. Held while the two
    /// above are written.
    forgotten_at: Mutex<u64>,
}

/// The nodes that one cache's keys depend on, widest first, then its own.
pub(crate) struct Lineage(Vec<Arc<Node>>);

/// The numbers of a lineage; places that it does not have are zero.
pub(crate) type Numbers = [u64; GENERATIONS];

/// What this host knows of a lineage's numbers without asking.
pub(crate) enum Known {
    /// All were read within the generation time.
    Fresh(Numbers),
    /// All were read, and some have to be read again.
    Stale(Numbers),
    /// Some were never read.
    Unknown,
}

impl Generations {
    pub(crate) fn new(backend: Arc<dyn Backend>, deriver: KeyDeriver, clock: Clock, ttl: Duration) -> Self {
        Self { backend, deriver, clock, ttl, known: BoundedMap::new(GENERATIONS_MAX) }
    }

    /// The nodes of a place.
    pub(crate) fn lineage(&self, place: &Place) -> Lineage {
        let mut lineage: Vec<_> =
            nodes(&place.partition).map(|node| self.node(self.deriver.node(&node))).collect();
        lineage.push(self.node(self.deriver.own(place)));
        Lineage(lineage)
    }

    fn node(&self, key: StorageKey) -> Arc<Node> {
        let made: Result<_, std::convert::Infallible> =
            self.known.get_or_insert_with(&key, || Ok(Arc::new(Node::new(key))));
        let Ok(node) = made;
        node
    }

    /// What is known of a lineage's numbers.
    pub(crate) fn known(&self, lineage: &Lineage) -> Known {
        let now = self.clock.now();
        let mut numbers = Numbers::default();
        let mut fresh = true;
        for (slot, node) in numbers.iter_mut().zip(&lineage.0) {
            // The time is read before the number, and written after it: a number is never taken to
            // be fresher than it is.
            fresh &= node.is_fresh(now, self.ttl);
            *slot = node.number.load(Ordering::Acquire);
            if *slot == 0 {
                return Known::Unknown;
            }
        }
        if fresh { Known::Fresh(numbers) } else { Known::Stale(numbers) }
    }

    /// Reads the numbers of a lineage that are not fresh, in one batch, and makes those that are missing.
    pub(crate) async fn refresh(&self, lineage: &Lineage) -> Result<Numbers, backend::Error> {
        for _ in 0..READ_ATTEMPTS_MAX {
            if let Some(numbers) = self.try_refresh(lineage).await? {
                return Ok(numbers);
            }
        }
        Err(backend::Error::Unavailable { reason: "the cache is cleared as fast as it is read".into() })
    }

    /// One reading; `None` where a `clear` of this host ended meanwhile, which it may have missed.
    async fn try_refresh(&self, lineage: &Lineage) -> Result<Option<Numbers>, backend::Error> {
        let asked_at = self.clock.now();
        let stale: Vec<_> = lineage.0.iter().filter(|node| !node.is_fresh(asked_at, self.ttl)).collect();
        let keys: Vec<_> = stale.iter().map(|node| node.key).collect();
        let found = match self.backend.get_many(&keys, keys.len() * RECORD_BYTES).await {
            // Somebody has put something else there. It is replaced one by one, below.
            Err(backend::Error::BatchTooLarge { .. }) => vec![None; keys.len()],
            found => found?,
        };
        let mut is_current = true;
        for (node, found) in stale.iter().zip(found) {
            let number = match found.and_then(|found| decode(&found.entry)) {
                Some(number) => number,
                None => self.make(&node.key).await?,
            };
            is_current &= node.learn(number, asked_at);
        }
        let mut numbers = Numbers::default();
        for (slot, node) in numbers.iter_mut().zip(&lineage.0) {
            *slot = node.number.load(Ordering::Acquire);
        }
        Ok(is_current.then_some(numbers))
    }

    /// Makes a number where there is none. Of several hosts that do, one is followed by all.
    async fn make(&self, key: &StorageKey) -> Result<u64, backend::Error> {
        for _ in 0..READ_ATTEMPTS_MAX {
            let number = random::nonzero();
            let stored =
                self.backend.store(key, encode(number), Lifetime::UntilEvicted, Condition::Absent).await?;
            if stored == StoreOutcome::Stored {
                return Ok(number);
            }
            let Some(found) = self.backend.get(key).await? else { continue };
            match decode(&found.entry) {
                Some(number) => return Ok(number),
                // Not a number that this version could have written: it is as good as lost.
                None => {
                    let number = random::nonzero();
                    let over = Condition::Version(found.version);
                    let stored =
                        self.backend.store(key, encode(number), Lifetime::UntilEvicted, over).await?;
                    if stored == StoreOutcome::Stored {
                        return Ok(number);
                    }
                }
            }
        }
        Err(backend::Error::Unavailable {
            reason: "a generation number is lost as soon as it is made".into(),
        })
    }

    /// Gives a cache a new number, so that none of its entries is found again.
    pub(crate) async fn renew_own(&self, lineage: &Lineage) -> Result<(), backend::Error> {
        match lineage.0.last() {
            Some(own) => self.renew(own).await,
            None => Ok(()),
        }
    }

    /// Gives a node a new number, so that no entry of it, or of what it contains, is found again.
    pub(crate) async fn renew_node(&self, partition: &Partition) -> Result<(), backend::Error> {
        self.renew(&self.node(self.deriver.node(partition))).await
    }

    async fn renew(&self, node: &Node) -> Result<(), backend::Error> {
        let number = encode(random::nonzero());
        let stored = self.backend.store(&node.key, number, Lifetime::UntilEvicted, Condition::Always).await;
        // Whatever became of it, and whatever another host has written meanwhile: this host trusts only
        // what it asks for from here on. The map may hold another node for the same key by now.
        let now = self.clock.now();
        node.forget(now);
        self.node(node.key).forget(now);
        stored.map(drop)
    }
}

impl Node {
    fn new(key: StorageKey) -> Self {
        Self { key, number: AtomicU64::new(0), asked_at: AtomicU64::new(0), forgotten_at: Mutex::new(0) }
    }

    fn is_fresh(&self, now: Duration, ttl: Duration) -> bool {
        let asked_at = self.asked_at.load(Ordering::Acquire);
        asked_at != 0 && now.saturating_sub(Duration::from_nanos(asked_at)) < ttl
    }

    /// Takes a number in, unless a younger one is known already. Answers `false` where it was asked for
    /// before the last `forget`, and may be older than what that was for.
    fn learn(&self, number: u64, asked_at: Duration) -> bool {
        let asked_at = nanoseconds(asked_at);
        let forgotten_at = self.forgotten_at.lock().unwrap_or_else(PoisonError::into_inner);
        if asked_at < *forgotten_at {
            return false;
        }
        if asked_at >= self.asked_at.load(Ordering::Acquire) {
            self.number.store(number, Ordering::Release);
            self.asked_at.store(asked_at, Ordering::Release);
        }
        true
    }

    /// Trusts no number that was asked for until now.
    fn forget(&self, now: Duration) {
        let mut forgotten_at = self.forgotten_at.lock().unwrap_or_else(PoisonError::into_inner);
        *forgotten_at = nanoseconds(now).max(*forgotten_at);
        self.asked_at.store(0, Ordering::Release);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1)
}

fn encode(number: u64) -> Stored {
    Stored { flags: Flags::entry(Kind::Bytes, 0), data: Bytes::copy_from_slice(&number.to_be_bytes()) }
}

fn decode(entry: &Stored) -> Option<u64> {
    let number = u64::from_be_bytes(entry.data.as_ref().try_into().ok()?);
    (entry.flags == Flags::entry(Kind::Bytes, 0) && number != 0).then_some(number)
}
