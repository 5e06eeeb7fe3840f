//! Random interleavings of everything that happens to a key: fetches that complete, give back, die or are
//! cancelled, writes, deletes and clears, from two hosts and for two tenants, with lifetimes, graces and
//! leases that end meanwhile.
//!
//! Time is virtual and every step of it comes from the case, so a case that fails fails again. What must
//! hold:
//!
//! - Of each key at most one fill is live: `slow` looks at that where they are given, and `World` at those
//!   who refresh.
//! - What a fetch answers is what was current when it was computed or written, and never older than a write,
//!   delete or clear that had ended when the fetch began; and it is the tenant's own.
//! - Nobody waits longer than it said, and no right is left behind by whoever goes away.

use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

use super::*;

const KEYS: usize = 2;
const TENANTS: usize = 2;
const HOSTS: usize = 2;

const FILL_LEASE: Duration = Duration::from_millis(2500);

/// Beyond what all lifetimes, graces and leases of a case add up to.
const AFTERWARDS: Duration = Duration::from_secs(60);

/// What somebody does.
#[derive(Clone, Debug)]
enum Deed {
    Fetch {
        grace: u32,
        wait: Duration,
        /// When the caller goes away, whatever it is about.
        leaves: Option<Duration>,
        computes: Duration,
        then: Then,
    },
    /// The source changes, and the entry is set or removed.
    Write,
    Delete,
    Clear,
}

/// How a computation ends.
#[derive(Clone, Copy, Debug)]
enum Then {
    Complete {
        ttl: u32,
    },
    GiveBack,
    Drop,
    /// As a host that is killed.
    Vanish,
}

#[derive(Clone, Debug)]
struct Act {
    at: Duration,
    host: usize,
    tenant: usize,
    key: usize,
    deed: Deed,
}

fn milliseconds(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

fn deed() -> impl Strategy<Value = Deed> {
    let then = prop_oneof![
        6 => (2..6u32).prop_map(|ttl| Then::Complete { ttl }),
        1 => Just(Then::GiveBack),
        1 => Just(Then::Drop),
        1 => Just(Then::Vanish),
    ];
    let leaves = prop_oneof![4 => Just(None), 1 => milliseconds(0..300).prop_map(Some)];
    let fetch = (0..5u32, milliseconds(0..2000), leaves, milliseconds(0..3000), then).prop_map(
        |(grace, wait, leaves, computes, then)| Deed::Fetch { grace, wait, leaves, computes, then },
    );
    prop_oneof![8 => fetch, 1 => Just(Deed::Write), 2 => Just(Deed::Delete), 1 => Just(Deed::Clear)]
}

fn act() -> impl Strategy<Value = Act> {
    (milliseconds(0..12_000), 0..HOSTS, 0..TENANTS, 0..KEYS, deed())
        .prop_map(|(at, host, tenant, key, deed)| Act { at, host, tenant, key, deed })
}

/// Where values come from, and what is known of them.
#[derive(Default)]
struct Source {
    /// How often it has changed.
    current: i64,
    /// What every fetch that begins now must at least find.
    known: i64,
    /// How often the entry may have become another one.
    changes: u32,
    /// Who refreshes the entry: as of which change, and until when at least.
    refreshes: Option<(u32, Instant)>,
}

/// A refresh under way, until it is dropped.
struct Refreshing<'a>(&'a RefCell<Source>);

impl<'a> Refreshing<'a> {
    /// Of what a fetch that began then has found.
    fn begin(source: &'a RefCell<Source>, changes: u32, begun: Instant) -> Self {
        let mut state = source.borrow_mut();
        let other = state.refreshes.filter(|(then, until)| *then == state.changes && Instant::now() < *until);
        assert!(other.is_none(), "two refreshes of one entry");
        state.refreshes = Some((changes, begun + FILL_LEASE));
        Self(source)
    }
}

impl Drop for Refreshing<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().refreshes = None;
    }
}

struct World {
    caches: Vec<Vec<ScopedCache>>,
    sources: [[RefCell<Source>; KEYS]; TENANTS],
    /// Between those who change a source, as a database would have it.
    writing: [tokio::sync::Mutex<()>; TENANTS],
}

/// A value says whose it is.
fn value(tenant: usize, key: usize, current: i64) -> Value {
    Value::Integer(current * 100 + (tenant * 10 + key) as i64)
}

fn current_of(tenant: usize, key: usize, value: &Value) -> i64 {
    let Value::Integer(number) = value else { panic!("of another kind") };
    assert_eq!(number % 100, (tenant * 10 + key) as i64, "another tenant's, or key's");
    number / 100
}

impl World {
    fn new(slow: &Arc<Slow>) -> Self {
        // Every operation reads the generations again, so that a clear is seen at once.
        let config = config().generation_ttl(Duration::ZERO).and_then(|config| config.fill_lease(FILL_LEASE));
        let config = config.expect("allowed");
        let host = |_| {
            let cache = slow.host(config.clone());
            let tenant = |number: usize| {
                let partition = Partition::service("fx").and_then(|fx| fx.stack(&number.to_string()));
                cache.open(&partition.expect("valid"), None).expect("opens")
            };
            (0..TENANTS).map(tenant).collect()
        };
        let caches = (0..HOSTS).map(host).collect();
        Self { caches, sources: Default::default(), writing: Default::default() }
    }

    fn cache(&self, act: &Act) -> &ScopedCache {
        &self.caches[act.host][act.tenant]
    }

    fn source(&self, act: &Act) -> &RefCell<Source> {
        &self.sources[act.tenant][act.key]
    }

    async fn perform(&self, act: &Act) {
        sleep(act.at).await;
        match &act.deed {
            Deed::Fetch { leaves, .. } => {
                let leaves = leaves.unwrap_or(AFTERWARDS);
                let _ = timeout(leaves, self.fetch(act)).await;
            }
            Deed::Write | Deed::Delete | Deed::Clear => self.change(act).await,
        }
    }

    async fn fetch(&self, act: &Act) {
        let Deed::Fetch { grace, wait, computes, then, .. } = act.deed else { return };
        let (least, changes) = (self.source(act).borrow().known, self.source(act).borrow().changes);
        let begun = Instant::now();
        let fetched = self.cache(act).fetch(&act.key.to_string(), grace, wait).await.expect("reachable");
        assert!(begun.elapsed() <= wait + 2 * LOOK, "{:?} of {wait:?}", begun.elapsed());
        let check = |value: &Value| {
            let current = current_of(act.tenant, act.key, value);
            assert!(current >= least, "{current} was overwritten or removed before, by {least}");
            assert!(current <= self.source(act).borrow().current, "from nowhere");
        };
        let (mut fill, refreshing) = match fetched {
            Fetched::Hit(value) | Fetched::Stale(value) => return check(&value),
            Fetched::Busy => return,
            Fetched::Vacant(fill) => (fill, None),
            Fetched::Refresh(value, fill) => {
                check(&value);
                (fill, Some(Refreshing::begin(self.source(act), changes, begun)))
            }
        };
        let computed = value(act.tenant, act.key, self.source(act).borrow().current);
        sleep(computes).await;
        if let Then::Vanish = then {
            std::mem::forget((fill, refreshing));
            return;
        }
        drop(refreshing);
        match then {
            Then::Complete { ttl } => {
                self.source(act).borrow_mut().changes += 1;
                fill.complete(computed, Some(ttl)).await.expect("reachable");
            }
            Then::GiveBack => fill.abandon().await.expect("reachable"),
            Then::Drop | Then::Vanish => drop(fill),
        }
    }

    /// Changes the source, then tells the cache; what it knew before must not be found once that has ended.
    async fn change(&self, act: &Act) {
        let _writing = self.writing[act.tenant].lock().await;
        let keys = if matches!(act.deed, Deed::Clear) { 0..KEYS } else { act.key..act.key + 1 };
        for key in keys.clone() {
            let mut source = self.sources[act.tenant][key].borrow_mut();
            source.current += 1;
            source.changes += 1;
        }
        let (cache, key) = (self.cache(act), act.key.to_string());
        match act.deed {
            Deed::Clear => cache.clear().await.expect("reachable"),
            Deed::Delete => drop(cache.delete(&key).await.expect("reachable")),
            _ => {
                let value = value(act.tenant, act.key, self.source(act).borrow().current);
                cache.set(&key, value, Some(4)).await.expect("reachable");
            }
        }
        for key in keys {
            let mut source = self.sources[act.tenant][key].borrow_mut();
            source.known = source.current;
        }
    }

    /// Whether somebody is still held to compute a key, though everybody is gone.
    async fn is_any_held(&self) -> bool {
        for cache in self.caches.iter().flatten() {
            for key in 0..KEYS {
                let fetched = cache.fetch(&key.to_string(), 0, Duration::ZERO).await.expect("reachable");
                match fetched {
                    Fetched::Busy | Fetched::Stale(_) => return true,
                    Fetched::Vacant(fill) | Fetched::Refresh(_, fill) => {
                        fill.abandon().await.expect("reachable");
                    }
                    Fetched::Hit(_) => {}
                }
            }
        }
        false
    }
}

async fn play(seed: u64, acts: Vec<Act>) {
    let world = Rc::new(World::new(&Slow::new(seed)));
    let vanishes = |act: &Act| matches!(act.deed, Deed::Fetch { then: Then::Vanish, .. });
    let is_left = acts.iter().any(vanishes);
    let all = LocalSet::new();
    let performers: Vec<_> = acts
        .into_iter()
        .map(|act| {
            let world = Rc::clone(&world);
            all.spawn_local(async move { world.perform(&act).await })
        })
        .collect();
    all.run_until(async {
        for performer in performers {
            performer.await.expect("what must hold does");
        }
        // What is given back in the background, or by the end of a lease.
        sleep(if is_left { FILL_LEASE + LOOK } else { LOOK }).await;
        assert!(!world.is_any_held().await, "a right was left behind");
    })
    .await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_meanwhile_one_computes_and_nothing_old_comes_back(
        seed: u64,
        acts in proptest::collection::vec(act(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(play(seed, acts));
    }
}
