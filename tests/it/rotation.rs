//! The documented steps of a key's rotation, taken host by host while all hosts read and write.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strongroom_host::{Cache, Config, Fetched, Partition, ScopedCache, SwapOutcome, Value};
use tokio::task::JoinSet;

use crate::kinds::{Kind, Storage};

const KEY_1: &str = "base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const KEY_2: &str = "base64:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

/// Kinds without a key of their own: the keyring is what is tested.
const BACKENDS: [Kind; 3] = [Kind::Memory, Kind::Memcached, Kind::MemcachedClassic];

const HOSTS: usize = 3;
const CALLERS_OF_A_HOST: usize = 3;

/// Keys that callers write all the time, and keys that nobody writes again: entries as the first key sealed
/// them.
const BUSY: usize = 24;
const QUIET: usize = 8;

/// How many rounds every host does between two changes of a ring.
const ROUNDS: u64 = 60;

/// A host, which takes another ring by being restarted: what it had under way ends with the old one.
struct Host {
    cache: Mutex<Cache>,
    rounds: AtomicU64,
}

impl Host {
    fn scoped(&self) -> ScopedCache {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner).clone();
        open(&cache)
    }
}

struct Fleet {
    storage: Storage,
    hosts: [Host; HOSTS],
    is_over: AtomicBool,
    /// Which write of a key was the last, over all callers: no two values are the same.
    written: AtomicU64,
    counted: AtomicU64,
}

fn open(cache: &Cache) -> ScopedCache {
    let partition = Partition::service("payments").and_then(|service| service.stack("acme"));
    cache.open(&partition.expect("valid identifiers"), None).expect("opens")
}

async fn with_ring(storage: &Storage, current: &str, previous: &[&str]) -> Cache {
    let config = Config::new().encryption_key(current);
    let config = config.and_then(|config| config.previous_keys(previous.iter().copied()));
    storage.connect(config.expect("good keys")).await
}

fn busy(number: u64) -> String {
    format!("busy {}", number % BUSY as u64)
}

fn quiet(number: u64) -> String {
    format!("quiet {}", number % QUIET as u64)
}

/// A value that says whose it is; some of them are long enough to be compressed.
fn value(key: &str, write: u64) -> Value {
    Value::Text(format!("{key}, written {write} times; ").repeat(1 + (write % 80) as usize))
}

/// Fails where it is not a whole value of this key's.
fn check(key: &str, found: Option<Value>) {
    let Some(Value::Text(text)) = found else { panic!("{key}: missed, or of another kind") };
    let write = text.strip_prefix(&format!("{key}, written ")).and_then(|rest| rest.split(' ').next());
    let write = write.and_then(|write| write.parse().ok()).unwrap_or_else(|| panic!("{key}: {text}"));
    assert_eq!(Value::Text(text), value(key, write));
}

impl Fleet {
    /// All hosts with the first key, and an entry under every key.
    async fn start(kind: Kind) -> Arc<Self> {
        let storage = kind.storage();
        let mut hosts = Vec::new();
        for _ in 0..HOSTS {
            let cache = Mutex::new(with_ring(&storage, KEY_1, &[]).await);
            hosts.push(Host { cache, rounds: AtomicU64::new(0) });
        }
        let hosts = hosts.try_into().unwrap_or_else(|_| panic!("as many as are made"));
        let (is_over, written, counted) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        let fleet = Self { storage, hosts, is_over, written, counted };
        let keys = (0..BUSY as u64).map(busy).chain((0..QUIET as u64).map(quiet));
        let first = fleet.hosts[0].scoped();
        for key in keys {
            first.set(&key, value(&key, 0), None).await.expect("set");
        }
        Arc::new(fleet)
    }

    /// What a caller does over and over, on a host of its own: every way to read, and every way to write.
    async fn call(&self, host: usize) {
        let mut number = host as u64;
        while !self.is_over.load(Ordering::Relaxed) {
            number += 1;
            let cache = self.hosts[host].scoped();
            let (key, other) = (busy(number), busy(number * 7 + 3));
            let write = || self.written.fetch_add(1, Ordering::Relaxed) + 1;

            check(&key, cache.get(&key).await.expect("a read"));
            let keys = [key.clone(), quiet(number), other.clone()];
            let found = cache.get_many(&keys).await.expect("a batch");
            keys.iter().zip(found).for_each(|(key, found)| check(key, found));

            cache.set(&key, value(&key, write()), None).await.expect("a write");
            let (found, version) = cache.get_versioned(&other).await.expect("a read").expect("a hit");
            check(&other, Some(found));
            let swapped = cache.swap(&other, value(&other, write()), version, None).await.expect("a swap");
            assert_ne!(swapped, SwapOutcome::Missing, "{other}");
            assert!(cache.touch(&other, None).await.expect("a touch"), "{other}");
            assert!(cache.replace(&key, value(&key, write()), None).await.expect("a replacement"), "{key}");
            assert!(!cache.add(&key, value(&key, write()), None).await.expect("an addition"), "{key}");
            match cache.fetch(&quiet(number), 0, Duration::ZERO).await.expect("a fetch") {
                Fetched::Hit(found) => check(&quiet(number), Some(found)),
                other => panic!("{}: {other:?}", quiet(number)),
            }
            cache.increment("counter", 1, 1, None).await.expect("a count");
            self.counted.fetch_add(1, Ordering::Relaxed);
            self.hosts[host].rounds.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Gives each host another ring, one after the other, with all hosts at work before, between and after.
    async fn roll_out(&self, current: &str, previous: &[&str], callers: &mut JoinSet<()>) {
        for host in &self.hosts {
            let restarted = with_ring(&self.storage, current, previous).await;
            *host.cache.lock().unwrap_or_else(PoisonError::into_inner) = restarted;
            let done = self.hosts.each_ref().map(|host| host.rounds.load(Ordering::Relaxed) + ROUNDS);
            let is_done = || {
                self.hosts.iter().zip(done).all(|(host, done)| host.rounds.load(Ordering::Relaxed) >= done)
            };
            while !is_done() {
                // One that ends has failed.
                if let Some(failed) = callers.try_join_next() {
                    failed.expect("no caller fails");
                    panic!("no caller ends before it is told to");
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    fn unopened(&self) -> BTreeMap<&'static str, u64> {
        let mut all = BTreeMap::new();
        for host in &self.hosts {
            let stats = host.cache.lock().unwrap_or_else(PoisonError::into_inner).stats();
            for (reason, count) in stats.unopened {
                *all.entry(reason).or_default() += count;
            }
        }
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_under_load_and_nothing_is_missed_until_it_is_dropped() {
    for kind in BACKENDS {
        rotates(kind).await;
    }
}

async fn rotates(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let mut callers = JoinSet::new();
    for caller in 0..HOSTS * CALLERS_OF_A_HOST {
        let fleet = Arc::clone(&fleet);
        callers.spawn(async move { fleet.call(caller % HOSTS).await });
    }
    fleet.roll_out(KEY_1, &[KEY_2], &mut callers).await;
    assert!(fleet.unopened().is_empty(), "all can read what is to come: {:?}", fleet.unopened());
    fleet.roll_out(KEY_2, &[KEY_1], &mut callers).await;
    assert!(fleet.unopened().is_empty(), "and what was there: {:?}", fleet.unopened());
    fleet.is_over.store(true, Ordering::Relaxed);
    while let Some(caller) = callers.join_next().await {
        caller.expect("no caller fails");
    }

    // What is written from now on outlives the first key, and nothing else does.
    let last = fleet.hosts[0].scoped();
    for key in (0..BUSY as u64).map(busy) {
        last.set(&key, value(&key, 0), None).await.expect("set");
    }
    let counted = last.increment("counter", 0, 0, None).await.expect("a count");
    assert_eq!(counted, fleet.counted.load(Ordering::Relaxed), "no count was lost");
    let dropped = with_ring(&fleet.storage, KEY_2, &[]).await;
    let cache = open(&dropped);
    for key in (0..BUSY as u64).map(busy) {
        check(&key, cache.get(&key).await.expect("a read"));
    }
    for key in (0..QUIET as u64).map(quiet) {
        assert_eq!(cache.get(&key).await.expect("a read"), None, "{key}");
    }
    assert_eq!(dropped.stats().unopened, [("unknown_key", QUIET as u64)]);
    assert!(cache.add(&quiet(0), value(&quiet(0), 1), None).await.expect("add"), "their places are free");
    check(&quiet(0), cache.get(&quiet(0)).await.expect("a read"));
}

#[tokio::test]
async fn a_host_that_was_left_out_of_a_rotation_misses_and_says_why() {
    for kind in BACKENDS {
        is_left_out(kind).await;
    }
}

async fn is_left_out(kind: Kind) {
    let storage = kind.storage();
    let (ahead, behind) = (with_ring(&storage, KEY_2, &[KEY_1]).await, with_ring(&storage, KEY_1, &[]).await);
    open(&ahead).set("k", "v".into(), None).await.expect("set");
    assert_eq!(open(&behind).get("k").await.expect("a miss, no error"), None);
    assert_eq!(behind.stats().unopened, [("unknown_key", 1)]);
    open(&behind).set("k", "w".into(), None).await.expect("set");
    assert_eq!(open(&ahead).get("k").await.expect("a read"), Some("w".into()));
    assert!(ahead.stats().unopened.is_empty());
}
