//! What callers do in a round: which keys, which operations, and how each is timed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use strongroom_host::{Flags, Kind, StorageKey, Stored};
use tokio::sync::Barrier;

use crate::client::Client;
use crate::series::{LARGE_BYTES, Series};

/// Keys of a contestant: more than callers, and few enough to stay in the server's caches.
pub(crate) const KEYS: usize = 1000;

/// Keys of large values. They are stored again and again.
pub(crate) const LARGE_KEYS: usize = 16;

/// A step between one caller's keys that has no factor in common with their number.
const STRIDE: usize = 17;

/// Latencies from 100 ns to a minute, to three digits.
const LATENCY_LOW: u64 = 100;
const LATENCY_HIGH: u64 = 60_000_000_000;
const LATENCY_DIGITS: u8 = 3;

/// Histograms of a round. Callers share them, few enough that none waits and they stay in the cores' caches.
const HISTOGRAMS: usize = 8;

/// A contestant's keys and values, made once, so that callers only point at them.
pub(crate) struct Load {
    pub(crate) keys: Vec<StorageKey>,
    /// The same as texts.
    pub(crate) names: Vec<String>,
    pub(crate) value: Bytes,
    pub(crate) large_keys: Vec<StorageKey>,
    pub(crate) large_names: Vec<String>,
    pub(crate) large_value: Bytes,
}

impl Load {
    pub(crate) fn new(series: &Series, contestant: usize) -> Arc<Self> {
        let names = |place: &str, count: usize| -> Vec<String> {
            (0..count).map(|number| format!("{place}{contestant}:{number:032}")).collect()
        };
        let keys = |names: &[String]| -> Vec<StorageKey> {
            names.iter().map(|name| StorageKey::parse(name).expect("a prefix and 32 digits")).collect()
        };
        let (names, large_names) = (names("bench", KEYS), names("large", LARGE_KEYS));
        Arc::new(Self {
            keys: keys(&names),
            names,
            value: vec![b'v'; series.value_bytes].into(),
            large_keys: keys(&large_names),
            large_names,
            large_value: vec![b'V'; LARGE_BYTES].into(),
        })
    }

    pub(crate) fn entry(&self) -> Stored {
        Stored { flags: Flags::entry(Kind::Bytes, 0), data: self.value.clone() }
    }

    pub(crate) fn large_entry(&self) -> Stored {
        Stored { flags: Flags::entry(Kind::Bytes, 0), data: self.large_value.clone() }
    }
}

/// One round, as its callers share it.
pub(crate) struct Round {
    pub(crate) load: Arc<Load>,
    series: Series,
    /// Holds the callers until all are connected.
    ready: Barrier,
    /// Holds runtimes until the callers of all are done: until then they may need each other's connections.
    pub(crate) done: Barrier,
    warm_up: Duration,
    length: Duration,
    latencies: Vec<Mutex<Histogram<u32>>>,
}

/// What one caller did.
#[derive(Clone, Copy)]
pub(crate) struct Tally {
    /// Operations, the warm-up's included.
    pub(crate) all: u64,
    /// Operations that count.
    pub(crate) measured: u64,
    /// Large values stored, of those that count.
    pub(crate) large: u64,
    /// When operations began to count, and when the last one ended.
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
}

impl Round {
    /// A round on so many runtimes.
    pub(crate) fn new(
        load: &Arc<Load>,
        series: &Series,
        runtimes: usize,
        (warm_up, length): (Duration, Duration),
    ) -> Arc<Self> {
        let histogram = || {
            let made = Histogram::new_with_bounds(LATENCY_LOW, LATENCY_HIGH, LATENCY_DIGITS);
            Mutex::new(made.expect("the bounds are in order"))
        };
        Arc::new(Self {
            load: load.clone(),
            series: *series,
            ready: Barrier::new(series.callers + series.large_callers),
            done: Barrier::new(runtimes),
            warm_up,
            length,
            latencies: (0..HISTOGRAMS).map(|_| histogram()).collect(),
        })
    }

    /// All latencies of gets, in nanoseconds.
    pub(crate) fn latencies(&self) -> Histogram<u32> {
        let mut sum = self.latencies[0].lock().unwrap_or_else(PoisonError::into_inner).clone();
        for other in &self.latencies[1..] {
            let other = other.lock().unwrap_or_else(PoisonError::into_inner);
            sum.add(&*other).expect("they have the same bounds");
        }
        sum
    }

    /// A caller's whole round; the last ones in number store large values.
    pub(crate) async fn call<C: Client>(&self, mut client: C, number: usize) -> Tally {
        client.get(&self.load, number % KEYS).await;
        self.ready.wait().await;
        match number < self.series.callers {
            true => self.small(client, number).await,
            false => self.large(client, number).await,
        }
    }

    fn begin(&self) -> Tally {
        let begin = Instant::now() + self.warm_up;
        Tally { all: 0, measured: 0, large: 0, begin, end: begin }
    }

    async fn small<C: Client>(&self, mut client: C, number: usize) -> Tally {
        let latencies = &self.latencies[number % HISTOGRAMS];
        let mut tally = self.begin();
        let last = tally.begin + self.length;
        // Callers begin at different keys, and their sets fall on different turns.
        let mut key = number * STRIDE * STRIDE % KEYS;
        let mut gets_due = number * 37 % 100;
        let mut begun = Instant::now();
        while begun < last {
            key = (key + STRIDE) % KEYS;
            gets_due += self.series.gets_percent;
            let is_get = gets_due >= 100;
            match is_get {
                true => {
                    gets_due -= 100;
                    let found = client.get(&self.load, key).await;
                    assert_eq!(found, self.load.value.len(), "every key is there");
                }
                false => client.set(&self.load, key).await,
            }
            let ended = Instant::now();
            tally.all += 1;
            if begun >= tally.begin {
                tally.measured += 1;
                if is_get {
                    let nanoseconds = (ended - begun).as_nanos() as u64;
                    latencies.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(nanoseconds);
                }
            }
            begun = ended;
        }
        tally.end = begun;
        tally
    }

    async fn large<C: Client>(&self, mut client: C, number: usize) -> Tally {
        let mut tally = self.begin();
        let last = tally.begin + self.length;
        let mut key = number;
        while Instant::now() < last {
            key = (key + 2) % LARGE_KEYS;
            client.set_large(&self.load, key).await;
            tally.all += 1;
            tally.large += u64::from(Instant::now() >= tally.begin);
        }
        tally
    }
}
