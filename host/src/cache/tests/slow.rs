//! The in-process backend as if it were far away: every request and every reply takes its time, in tokio's
//! virtual time, which its lifetimes follow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep};

use crate::backend::{self, Backend, Begun, Condition, Memory, Step, StoreOutcome, Versioned};
use crate::cache::{Cache, codec};
use crate::clock::Clock;
use crate::config::Config;
use crate::stored::{StorageKey, Stored};
use crate::ttl::Lifetime;

/// How long a request or a reply takes at most.
pub(crate) const WAY: Duration = Duration::from_millis(20);

/// Settings without chance.
pub(crate) fn config() -> Config {
    Config::new().ttl_jitter_percent(0).expect("allowed")
}

/// A backend that answers late.
pub(crate) struct Slow {
    memory: Memory,
    clock: Clock,
    begun: Instant,
    state: Mutex<State>,
}

struct State {
    dice: StdRng,
    /// Fills that somebody may hold: the lease's version, and when it ends.
    held: HashMap<StorageKey, (u64, Instant)>,
    /// Exchanges under way, and the most that were at once.
    under_way: usize,
    most_at_once: usize,
    is_down: bool,
    is_silent: bool,
    /// The only key that a fill can be begun of, if there is one.
    only: Option<StorageKey>,
}

/// One exchange, for as long as its caller waits for it.
struct UnderWay<'a>(&'a Mutex<State>);

impl<'a> UnderWay<'a> {
    fn begin(state: &'a Mutex<State>) -> Self {
        let mut counted = state.lock().expect("no panic");
        counted.under_way += 1;
        counted.most_at_once = counted.most_at_once.max(counted.under_way);
        drop(counted);
        Self(state)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.lock().expect("no panic").under_way -= 1;
    }
}

impl Slow {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let clock = Clock::manual();
        let memory = Memory::new(16 << 20, clock.clone());
        let dice = StdRng::seed_from_u64(seed);
        let state = Mutex::new(State {
            dice,
            held: HashMap::new(),
            under_way: 0,
            most_at_once: 0,
            is_down: false,
            is_silent: false,
            only: None,
        });
        Arc::new(Self { memory, clock, begun: Instant::now(), state })
    }

    /// A host on it.
    pub(crate) fn host(self: &Arc<Self>, config: Config) -> Cache {
        Cache::with_backend(config, Arc::clone(self) as Arc<dyn Backend>).expect("settings that go together")
    }

    /// A host on it whose operations have this time, and which queues.
    pub(crate) fn host_within(self: &Arc<Self>, config: Config, time: Duration) -> Cache {
        let config = config.timeout(time).expect("allowed");
        let codec = codec(&config).expect("settings that go together");
        Cache::assemble(config, codec, (Arc::clone(self) as Arc<dyn Backend>, None), None, Some(time))
    }

    /// The most exchanges that were under way at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.state.lock().expect("no panic").most_at_once
    }

    /// Nothing is answered any more.
    pub(crate) fn fall_silent(&self) {
        self.state.lock().expect("no panic").is_silent = true;
    }

    /// Whether it can't be reached, from now on.
    pub(crate) fn fail(&self, is_down: bool) {
        self.state.lock().expect("no panic").is_down = is_down;
    }

    /// What a fill of any other key would be begun on can't be reached, from now on.
    pub(crate) fn fail_all_but(&self, key: StorageKey) {
        self.state.lock().expect("no panic").only = Some(key);
    }

    async fn way(&self) -> Result<(), backend::Error> {
        if self.state.lock().expect("no panic").is_silent {
            std::future::pending::<()>().await;
        }
        let ways = self.state.lock().expect("no panic").dice.random_range(0..=WAY.as_millis() as u64);
        sleep(Duration::from_millis(ways)).await;
        // What has passed for the callers has passed here.
        let hour = Duration::from_secs(3600);
        self.clock.advance((self.begun.elapsed() + hour).saturating_sub(self.clock.now()));
        match self.state.lock().expect("no panic").is_down {
            true => Err(backend::Error::Unavailable { reason: "for the test".to_owned() }),
            false => Ok(()),
        }
    }

    /// One exchange: the operation happens at one moment between the two ways.
    async fn exchange<T>(&self, operation: impl Future<Output = T>) -> Result<T, backend::Error> {
        let _under_way = UnderWay::begin(&self.state);
        self.way().await?;
        let answer = operation.await;
        self.way().await?;
        Ok(answer)
    }

    fn ended(&self, key: &StorageKey) {
        self.state.lock().expect("no panic").held.remove(key);
    }
}

#[async_trait]
impl Backend for Slow {
    async fn get_many(
        &self,
        keys: &[StorageKey],
        bytes_max: usize,
    ) -> Result<Vec<Option<Versioned>>, backend::Error> {
        self.exchange(self.memory.get_many(keys, bytes_max)).await?
    }

    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned>, backend::Error> {
        self.exchange(self.memory.get(key)).await?
    }

    async fn store(
        &self,
        key: &StorageKey,
        entry: Stored,
        lifetime: Lifetime,
        condition: Condition,
    ) -> Result<StoreOutcome, backend::Error> {
        let store = async {
            let outcome = self.memory.store(key, entry, lifetime, condition).await;
            if matches!(outcome, Ok(StoreOutcome::Stored)) {
                self.ended(key);
            }
            outcome
        };
        self.exchange(store).await?
    }

    async fn store_many(
        &self,
        entries: Vec<(StorageKey, Stored)>,
        lifetime: Lifetime,
    ) -> Vec<Result<(), backend::Error>> {
        let mut outcomes = Vec::with_capacity(entries.len());
        for (key, entry) in entries {
            outcomes.push(self.store(&key, entry, lifetime, Condition::Always).await.map(drop));
        }
        outcomes
    }

    async fn delete_many(&self, keys: &[StorageKey]) -> Result<Vec<bool>, backend::Error> {
        let delete = async {
            keys.iter().for_each(|key| self.ended(key));
            self.memory.delete_many(keys).await
        };
        self.exchange(delete).await?
    }

    async fn touch(&self, key: &StorageKey, lifetime: Lifetime) -> Result<bool, backend::Error> {
        self.exchange(self.memory.touch(key, lifetime)).await?
    }

    async fn count(&self, key: &StorageKey, step: Step) -> Result<Option<u64>, backend::Error> {
        self.exchange(self.memory.count(key, step)).await?
    }

    async fn begin_fill(&self, key: &StorageKey, lease: Duration) -> Result<Begun, backend::Error> {
        let only = self.state.lock().expect("no panic").only;
        if only.is_some_and(|only| only != *key) {
            return Err(backend::Error::Unavailable { reason: "for the test".to_owned() });
        }
        let begin = async {
            let begun = self.memory.begin_fill(key, lease).await;
            if let Ok(Begun::Won(version)) = begun {
                let ends = Instant::now() + lease;
                let other = self.state.lock().expect("no panic").held.insert(*key, (version, ends));
                let is_over = other.is_none_or(|(_, ends)| ends <= Instant::now());
                assert!(is_over, "two live fills for one key");
            }
            begun
        };
        self.exchange(begin).await?
    }

    async fn abandon_fill(&self, key: &StorageKey, version: u64) -> Result<(), backend::Error> {
        let abandon = async {
            let is_it = |held: &(u64, Instant)| held.0 == version;
            if self.state.lock().expect("no panic").held.get(key).is_some_and(is_it) {
                self.ended(key);
            }
            self.memory.abandon_fill(key, version).await
        };
        self.exchange(abandon).await?
    }
}
