//! Generations: how a `clear` makes any number of entries unreachable in one write.
//!
//! Every node (a service, a stack, a session) and every cache (a partition and namespace) has a generation
//! number, kept in the backend as a mark under a storage key of its own. The numbers of a cache's nodes
//! and its own go into its entries' storage keys; writing a new number leaves all entries under the
//! old one behind, to be evicted.
//!
//! ```text
//! number = Unix time in milliseconds << 20 | 20 random bits       or, where that is no larger, the next one
//! ```
//!
//! - Numbers only grow, so that of several that are found the largest is the one that counts. The random bits
//!   keep two hosts that make a number in the same millisecond from making the same one.
//! - A number that was lost is replaced by a new one of the clock's, never by an old one: entries may become
//!   unreachable, and never come back. Where a backend answers a smaller number than this host knows, it
//!   has lost the one that counted.
//! - A host trusts a number for `generation_ttl` after it has read it. What is older is read again
//!   beside the operation that needs it, not before it: see `cache/pipeline.rs`.
//! - The numbers are not secret: whoever can read or write them in the storage can do the same to entries.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quick_cache::sync::Cache as BoundedMap;
use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter};

use crate::backend::{self, Backend, CHANCE_BITS};
use crate::clock::Clock;
use crate::key::{GENERATIONS, KeyDeriver, Place, nodes};
use crate::limits::GENERATIONS_MAX;
use crate::random;
use crate::scope::Partition;
use crate::stored::StorageKey;

/// How often numbers are read again that a `clear` of this host may have overtaken.
const READ_ATTEMPTS_MAX: usize = 4;

/// All generation numbers that this host knows.
pub(crate) struct Generations {
    backend: Arc<dyn Backend>,
    deriver: KeyDeriver,
    clock: Clock,
    ttl: Duration,
    known: BoundedMap<StorageKey, Arc<Node>, UnitWeighter, DefaultHashBuilder, Displaced>,
    displaced: Displaced,
}

/// The nodes that the map had no more room for while handles held them. There is never another one for the
/// same key beside them, which a `clear` would not reach.
#[derive(Clone, Default)]
struct Displaced(Arc<Mutex<HashMap<StorageKey, Weak<Node>>>>);

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

/// Whatever becomes of a number that is written, even where nobody waits for that any more, and whatever
/// another host has written meanwhile: this host trusts only what it asks for from here on.
struct ForgetAtLast<'a>(&'a Node, &'a Clock);

impl Drop for ForgetAtLast<'_> {
    fn drop(&mut self) {
        self.0.forget(self.1.now());
    }
}

/// The nodes that one cache's keys depend on, widest first, then its own.
pub(crate) struct Lineage(Vec<Arc<Node>>);

impl Lineage {
    /// Where the cache's own number is kept.
    pub(crate) fn own_key(&self) -> &StorageKey {
        &self.0.last().expect("a lineage ends in the cache's own node").key
    }
}

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
        let displaced = Displaced::default();
        let known = BoundedMap::with(
            GENERATIONS_MAX,
            GENERATIONS_MAX as u64,
            UnitWeighter,
            DefaultHashBuilder::default(),
            displaced.clone(),
        );
        Self { backend, deriver, clock, ttl, known, displaced }
    }

    /// The nodes of a place.
    pub(crate) fn lineage(&self, place: &Place) -> Lineage {
        let mut lineage: Vec<_> =
            nodes(&place.partition).map(|node| self.node(self.deriver.node(&node))).collect();
        lineage.push(self.node(self.deriver.own(place)));
        Lineage(lineage)
    }

    fn node(&self, key: StorageKey) -> Arc<Node> {
        let found_or_made = || Ok(self.displaced.take(&key).unwrap_or_else(|| Arc::new(Node::new(key))));
        let node: Result<_, std::convert::Infallible> = self.known.get_or_insert_with(&key, found_or_made);
        let Ok(node) = node;
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

    /// Whether what one caller has read serves others.
    pub(crate) fn is_any_ever_fresh(&self) -> bool {
        !self.ttl.is_zero()
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
        let found = if keys.is_empty() { Vec::new() } else { self.backend.read_marks(&keys).await? };
        let mut is_current = true;
        for (node, found) in stale.iter().zip(found) {
            let number = match found {
                Some(number) if node.has_lost(number, asked_at) => self.advance(node).await?,
                Some(number) => number,
                // Of several hosts that make one, one is followed by all.
                None => self.backend.make_mark(&node.key, next_number(node.known())).await?,
            };
            is_current &= node.learn(number, asked_at);
        }
        let mut numbers = Numbers::default();
        for (slot, node) in numbers.iter_mut().zip(&lineage.0) {
            *slot = node.number.load(Ordering::Acquire);
        }
        Ok(is_current.then_some(numbers))
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
        let _forget = ForgetAtLast(node, &self.clock);
        let number = self.advance(node).await?;
        node.number.fetch_max(number, Ordering::AcqRel);
        Ok(())
    }

    /// Writes a number that is larger than any that this host or the backend knows.
    async fn advance(&self, node: &Node) -> Result<u64, backend::Error> {
        self.backend.advance_mark(&node.key, next_number(node.known())).await
    }
}

impl Displaced {
    /// A node that is still held, for the map to have again.
    fn take(&self, key: &StorageKey) -> Option<Arc<Node>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key)?.upgrade()
    }
}

impl Lifecycle<StorageKey, Arc<Node>> for Displaced {
    type RequestState = ();

    /// Called while the map is locked, so that nobody looks for the node in between.
    fn on_evict(&self, (): &mut (), key: StorageKey, node: Arc<Node>) {
        if Arc::strong_count(&node) == 1 {
            return;
        }
        let mut displaced = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if displaced.len() == displaced.capacity() {
            displaced.retain(|_, node| node.strong_count() > 0);
        }
        displaced.insert(key, Arc::downgrade(&node));
    }
}

/// A number that is larger than the known one, at the present time.
fn next_number(known: u64) -> u64 {
    number_at(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), random::nonzero(), known)
}

fn number_at(unix: Duration, random: u64, known: u64) -> u64 {
    let milliseconds = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX) & (u64::MAX >> (CHANCE_BITS + 1));
    let number = milliseconds << CHANCE_BITS | random & ((1 << CHANCE_BITS) - 1);
    number.max(known.saturating_add(1))
}

impl Node {
    fn new(key: StorageKey) -> Self {
        let (number, asked_at) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { key, number, asked_at, forgotten_at: Mutex::new(0) }
    }

    fn is_fresh(&self, now: Duration, ttl: Duration) -> bool {
        let asked_at = self.asked_at.load(Ordering::Acquire);
        asked_at != 0 && now.saturating_sub(Duration::from_nanos(asked_at)) < ttl
    }

    /// The number that was last read; zero where there is none.
    fn known(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// Whether the backend has lost the number that this host knows: it answers a smaller one, and was asked
    /// after that one was read or written.
    fn has_lost(&self, number: u64, asked_at: Duration) -> bool {
        let asked_at = nanoseconds(asked_at);
        let forgotten_at = self.forgotten_at.lock().unwrap_or_else(PoisonError::into_inner);
        let was_known = self.asked_at.load(Ordering::Acquire).max(*forgotten_at);
        number < self.known() && asked_at > was_known
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
            self.number.fetch_max(number, Ordering::AcqRel);
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

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Duration = Duration::from_millis(1_795_000_000_000);

    #[test]
    fn a_number_is_the_time_and_some_chance() {
        assert_eq!(number_at(TODAY, 0, 0), 1_795_000_000_000 << 20);
        assert_eq!(number_at(TODAY, u64::MAX, 0), (1_795_000_000_001 << 20) - 1);
        let later = TODAY + Duration::from_millis(1);
        assert!(number_at(later, 0, 0) > number_at(TODAY, u64::MAX, 0));
    }

    #[test]
    fn a_number_is_larger_than_the_known_one_whatever_the_clock_says() {
        let known = number_at(TODAY, 7, 0);
        assert_eq!(number_at(Duration::ZERO, 0, known), known + 1);
        assert_eq!(number_at(TODAY, 0, known), known + 1);
        assert!(number_at(Duration::MAX, u64::MAX, 0) <= i64::MAX.unsigned_abs());
        assert_ne!(number_at(Duration::ZERO, 0, 0), 0);
    }
}
