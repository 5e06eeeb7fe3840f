//! The load: keys and values, and callers that ask for them as fast as they are answered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rand::Rng;
use strongroom_host::backend::{Backend, Condition, Error, Memcached, MemcachedOptions};
use strongroom_host::{Flags, Kind, Lifetime, StorageKey, Stored};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Barrier;

use super::args::RuntimeKind;

/// What a size's values take on the servers together, at most, and how many keys there are, at least and at
/// most. A thousand keys are enough to reach every server, and few enough for any cache.
const BYTES_MAX: usize = 16 * 1024 * 1024;
const KEYS_MIN: usize = 4;
const KEYS_MAX: usize = 1000;

/// How much longer than the measurements values live, if nobody deletes them.
const SPARE_LIFE: Duration = Duration::from_secs(120);

/// A part of a measurement's time that comes before it, for connecting and getting under way, and its most.
const WARM_UP: u32 = 5;
const WARM_UP_MAX: Duration = Duration::from_millis(500);

/// A caller that failed waits before it tries again, or a dead server would keep the cores busy.
const AFTER_ERROR: Duration = Duration::from_millis(10);

/// A step between one caller's keys: a prime that divides no number of keys below.
const STRIDE: usize = 1009;

/// Latencies from 100 ns to a minute, in nanoseconds, to three digits.
const LATENCY_LOW: u64 = 100;
const LATENCY_HIGH: u64 = 60_000_000_000;
const LATENCY_DIGITS: u8 = 3;

/// Histograms for each core. Callers share them, so that they stay in its cache.
const HISTOGRAMS_PER_CORE: usize = 2;

/// Keys and a value of one size, made once.
pub(super) struct Load {
    keys: Vec<StorageKey>,
    entry: Stored,
    lifetime: Lifetime,
}

impl Load {
    /// Random keys, so that two runs don't meet; values that live a while longer than `time`.
    pub(super) fn new(bytes: usize, time: Duration) -> Arc<Self> {
        let run = rand::rng().next_u64();
        let count = (BYTES_MAX / bytes).clamp(KEYS_MIN, KEYS_MAX);
        let key = |number| StorageKey::parse(&format!("strongroom-bench:{run:016x}{number:016x}"));
        let seconds = u32::try_from((2 * time + SPARE_LIFE).as_secs()).unwrap_or(u32::MAX);
        Arc::new(Self {
            keys: (0..count).filter_map(key).collect(),
            entry: Stored { flags: Flags::entry(Kind::Bytes, 0), data: vec![b'v'; bytes].into() },
            lifetime: Lifetime::seconds(seconds).unwrap_or(Lifetime::UntilEvicted),
        })
    }

    async fn store(&self, engine: &Memcached, key: usize) -> Result<(), Error> {
        let entry = self.entry.clone();
        engine.store(&self.keys[key], entry, self.lifetime, Condition::Always).await.map(drop)
    }
}

/// What is measured at once.
pub(super) struct Plan {
    pub(super) callers: usize,
    pub(super) length: Duration,
    pub(super) gets_percent: u8,
    pub(super) runtime: RuntimeKind,
    pub(super) cores: usize,
}

/// What callers did together.
pub(super) struct Measured {
    /// Operations that were answered, and the value bytes that they moved.
    pub(super) operations: u64,
    pub(super) bytes: u64,
    /// Gets, of those, that found nothing.
    pub(super) misses: u64,
    pub(super) errors: u64,
    pub(super) time: Duration,
    /// Of gets that hit, in nanoseconds.
    pub(super) latencies: Histogram<u32>,
}

/// What one caller did.
#[derive(Default)]
struct Tally {
    operations: u64,
    bytes: u64,
    misses: u64,
    errors: u64,
    /// When its operations began to count, and when it ended.
    span: Option<(Instant, Instant)>,
}

/// A measurement, as its callers share it.
struct Session {
    load: Arc<Load>,
    gets_percent: usize,
    warm_up: Duration,
    length: Duration,
    /// Holds runtimes until the callers of all are done: until then they may need each other's connections.
    done: Barrier,
    latencies: Vec<Mutex<Histogram<u32>>>,
    stop: Arc<AtomicBool>,
}

/// Stores every value.
pub(super) fn fill(options: &MemcachedOptions, load: &Arc<Load>) -> Result<(), String> {
    single()?.block_on(async {
        let engine = Memcached::new(options.clone());
        for key in 0..load.keys.len() {
            load.store(&engine, key).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    })
}

/// Deletes every value.
pub(super) fn clear(options: &MemcachedOptions, load: &Arc<Load>) -> Result<(), String> {
    single()?.block_on(async {
        let deleted = Memcached::new(options.clone()).delete_many(&load.keys).await;
        deleted.map(drop).map_err(|error| error.to_string())
    })
}

/// Runs all callers for the planned time, or until `stop`.
pub(super) fn measure(
    options: &MemcachedOptions,
    load: &Arc<Load>,
    plan: &Plan,
    stop: &Arc<AtomicBool>,
) -> Result<Measured, String> {
    let shards = match plan.runtime {
        RuntimeKind::Cores => plan.cores.min(plan.callers),
        RuntimeKind::Multi => 1,
    };
    let session = Arc::new(Session::new(load, plan, shards, stop.clone())?);
    let engine = Arc::new(Memcached::new(options.clone()));
    let tallies = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..shards)
            .map(|shard| {
                let callers: Vec<_> = (shard..plan.callers).step_by(shards).collect();
                let (session, engine) = (session.clone(), engine.clone());
                scope.spawn(move || -> Result<Vec<Tally>, String> {
                    let runtime = match plan.runtime {
                        RuntimeKind::Cores => single()?,
                        RuntimeKind::Multi => several(plan.cores)?,
                    };
                    Ok(runtime.block_on(session.shard(engine, callers)))
                })
            })
            .collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().map_err(|_| "a caller broke off".to_owned())?);
        joined.collect::<Result<Vec<_>, String>>()
    })?;
    Ok(session.summed(tallies.iter().flatten()))
}

fn single() -> Result<Runtime, String> {
    Builder::new_current_thread().enable_all().build().map_err(|error| format!("can't start: {error}"))
}

fn several(cores: usize) -> Result<Runtime, String> {
    let built = Builder::new_multi_thread().worker_threads(cores).enable_all().build();
    built.map_err(|error| format!("can't start: {error}"))
}

impl Session {
    fn new(load: &Arc<Load>, plan: &Plan, shards: usize, stop: Arc<AtomicBool>) -> Result<Self, String> {
        let histogram = |_| {
            let made = Histogram::new_with_bounds(LATENCY_LOW, LATENCY_HIGH, LATENCY_DIGITS);
            made.map(Mutex::new).map_err(|error| error.to_string())
        };
        Ok(Self {
            load: load.clone(),
            gets_percent: usize::from(plan.gets_percent),
            warm_up: (plan.length / WARM_UP).min(WARM_UP_MAX),
            length: plan.length,
            done: Barrier::new(shards),
            latencies: (0..plan.cores * HISTOGRAMS_PER_CORE).map(histogram).collect::<Result<_, _>>()?,
            stop,
        })
    }

    /// The callers of one runtime.
    async fn shard(self: Arc<Self>, engine: Arc<Memcached>, callers: Vec<usize>) -> Vec<Tally> {
        let call = |caller| {
            let (session, engine) = (self.clone(), engine.clone());
            tokio::spawn(async move { session.call(&engine, caller).await })
        };
        let tasks: Vec<_> = callers.into_iter().map(call).collect();
        let mut tallies = Vec::with_capacity(tasks.len());
        for task in tasks {
            // A caller that broke off did nothing.
            tallies.push(task.await.unwrap_or_default());
        }
        self.done.wait().await;
        tallies
    }

    /// One caller: gets and sets in turn, each at the next key.
    async fn call(&self, engine: &Memcached, caller: usize) -> Tally {
        let latencies = &self.latencies[caller % self.latencies.len()];
        let keys = self.load.keys.len();
        let begin = Instant::now() + self.warm_up;
        let last = begin + self.length;
        let mut tally = Tally::default();
        // Callers begin at different keys, and their sets fall on different turns.
        let mut key = caller * 17 % keys;
        let mut gets_due = caller * 37 % 100;
        let mut begun = Instant::now();
        while begun < last && !self.stop.load(Ordering::Relaxed) {
            key = (key + STRIDE) % keys;
            gets_due += self.gets_percent;
            let is_get = gets_due >= 100;
            let answered = match is_get {
                true => {
                    gets_due -= 100;
                    engine.get(&self.load.keys[key]).await.map(|found| found.is_some())
                }
                false => self.load.store(engine, key).await.map(|()| true),
            };
            let ended = Instant::now();
            if begun >= begin {
                tally.count(&answered, self.load.entry.data.len());
                tally.span = Some((begin, ended));
                if is_get && matches!(answered, Ok(true)) {
                    let nanoseconds = u64::try_from((ended - begun).as_nanos()).unwrap_or(u64::MAX);
                    latencies.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(nanoseconds);
                }
            }
            begun = ended;
            if answered.is_err() {
                tokio::time::sleep(AFTER_ERROR).await;
                begun = Instant::now();
            }
        }
        tally
    }

    fn summed<'a>(&self, tallies: impl Iterator<Item = &'a Tally>) -> Measured {
        let mut sum = Tally::default();
        for tally in tallies {
            sum.operations += tally.operations;
            sum.bytes += tally.bytes;
            sum.misses += tally.misses;
            sum.errors += tally.errors;
            sum.span = match (sum.span, tally.span) {
                (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
                (a, b) => a.or(b),
            };
        }
        let mut latencies = self.latencies[0].lock().unwrap_or_else(PoisonError::into_inner).clone();
        for other in &self.latencies[1..] {
            let other = other.lock().unwrap_or_else(PoisonError::into_inner);
            // Of the same bounds, so that it can't fail.
            let _ = latencies.add(&*other);
        }
        Measured {
            operations: sum.operations,
            bytes: sum.bytes,
            misses: sum.misses,
            errors: sum.errors,
            time: sum.span.map_or(Duration::ZERO, |(begin, end)| end - begin),
            latencies,
        }
    }
}

impl Tally {
    /// Counts an operation: `Ok(false)` is a miss.
    fn count(&mut self, answered: &Result<bool, Error>, bytes: usize) {
        match answered {
            Ok(found) => {
                self.operations += 1;
                self.bytes += if *found { bytes as u64 } else { 0 };
                self.misses += u64::from(!found);
            }
            Err(_) => self.errors += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_small_and_no_two_runs_share_keys() {
        let time = Duration::from_secs(1);
        for (bytes, keys) in [(1, KEYS_MAX), (100, KEYS_MAX), (1024 * 1024, 16), (16 * 1024 * 1024, 4)] {
            let (one, other) = (Load::new(bytes, time), Load::new(bytes, time));
            assert_eq!(one.keys.len(), keys);
            assert!(one.keys.iter().all(|key| key.as_str().starts_with("strongroom-bench:")));
            assert!(one.keys.iter().all(|key| !other.keys.contains(key)));
        }
    }

    #[test]
    fn values_outlive_the_measurements() {
        let load = Load::new(1, Duration::from_secs(1000));
        assert!(load.lifetime.duration() > Some(Duration::from_secs(1000)));
    }

    #[test]
    fn what_failed_is_no_operation() {
        let mut tally = Tally::default();
        tally.count(&Ok(true), 10);
        tally.count(&Ok(false), 10);
        tally.count(&Err(Error::NotAnInteger), 10);
        assert_eq!((tally.operations, tally.bytes, tally.misses, tally.errors), (2, 10, 1, 1));
    }
}
