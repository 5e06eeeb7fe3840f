//! What the soak runs on: servers, each behind a fault proxy, caches, runtimes and callers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use strongroom_host::backend::{Backend, Condition, Memcached as Engine, MemcachedOptions, Server};
use strongroom_host::{Cache, Config, Lifetime, ScopedCache, StorageKey, Value};

use crate::call::{Calls, TIMEOUT, World};
use crate::caller::{Caller, TENANTS, open};
use crate::direct::{Direct, bytes, key};
use crate::fault_proxy::{Fault, FaultProxy};
use crate::hush;
use crate::lane::Lane;
use crate::lateness::{Lateness, allowance};
use crate::memcached::Memcached;
use crate::vitals;

/// Callers on the multi-thread runtime, and on each of the current-thread ones: of caches, and of the engine.
const SHARED: (usize, usize) = (120, 20);
const OWN: (usize, usize) = (40, 10);
const OWN_LANES: usize = 2;

/// Within so long after a fault's end, everything works again.
pub(crate) const RECOVERY: Duration = Duration::from_secs(2);

/// After so long without it, a recovery is given up.
const RECOVERY_GIVEN_UP: Duration = Duration::from_secs(10);

/// How long tasks and sockets may take to go away after the last caller has.
const GOODBYE: Duration = Duration::from_secs(5);

/// Keys of a probe for each server: with so many, each server surely has one.
const PROBES: usize = 12;

/// Of a value that does not go with small ones.
const LARGE_BYTES: usize = 64 * 1024;

pub(crate) struct Rig {
    pub(crate) world: Arc<World>,
    pub(crate) machine: Arc<Lateness>,
    pub(crate) servers: Vec<(Memcached, FaultProxy)>,
    lanes: Vec<Lane>,
    /// One for the multi-thread runtime, and one that all current-thread runtimes share; gone at the end.
    caches: Option<(Cache, Cache, Arc<Engine>)>,
    callers: usize,
    pub(crate) sockets_before: usize,
}

impl Rig {
    pub(crate) fn new(world: Arc<World>, servers: usize) -> Self {
        let start = |number: usize| {
            let server = Memcached::start();
            let proxy = FaultProxy::start(server.port(), world.seed.wrapping_add(number as u64));
            (server, proxy)
        };
        let servers: Vec<_> = (0..servers).map(start).collect();
        let lanes: Vec<_> = std::iter::once_with(Lane::multi_thread)
            .chain(std::iter::repeat_with(Lane::current_thread).take(OWN_LANES))
            .collect();
        let machine = Arc::new(Lateness::default());
        machine.watch_machine();
        let sockets_before = vitals::sockets();
        let mut this = Self { world, machine, servers, lanes, caches: None, callers: 0, sockets_before };
        this.connect();
        this
    }

    fn connect(&mut self) {
        let servers: Vec<_> = (self.servers.iter().enumerate())
            .filter_map(|(number, (_, proxy))| {
                Server::parse(&format!("server-{number}=127.0.0.1:{}", proxy.port()))
            })
            .collect();
        let cache = |lane: &Lane| {
            let config = Config::new()
                .prefix(hush::PREFIX)
                .and_then(|config| config.servers(servers.clone()))
                .and_then(|config| config.timeout(TIMEOUT))
                .and_then(|config| config.connect_timeout(TIMEOUT))
                .and_then(|config| config.key_secret("hush-secret-of-the-keys"))
                .expect("valid");
            lane.handle.block_on(Cache::connect(config)).expect("settings that go together")
        };
        let options = MemcachedOptions {
            servers: servers.clone(),
            connect_timeout: TIMEOUT,
            timeout: TIMEOUT,
            ..MemcachedOptions::default()
        };
        let caches = (cache(&self.lanes[0]), cache(&self.lanes[1]), Arc::new(Engine::new(options)));
        for tenant in 0..TENANTS {
            let scoped = open(&caches.0, tenant);
            let key = self.lanes[0].handle.block_on(scoped.storage_key("hush-key-0"));
            self.world.listener.add_storage_key(key.expect("the server is there").as_str());
        }
        self.caches = Some(caches);
        for lane in 0..self.lanes.len() {
            self.load(lane);
        }
    }

    /// Has callers call on a lane.
    fn load(&mut self, at: usize) {
        let Some((shared, own, engine)) = &self.caches else { return };
        let (lane, (callers, direct)) = (&self.lanes[at], if at == 0 { SHARED } else { OWN });
        let cache = if at == 0 { shared } else { own };
        for number in self.callers..self.callers + callers + direct {
            let calls = Calls::new(Arc::clone(&self.world), Arc::clone(&lane.lateness), number);
            if number < self.callers + callers {
                lane.handle.spawn(Caller::new(calls, cache, number).run());
            } else {
                lane.handle.spawn(Direct::new(calls, Arc::clone(engine), number).run());
            }
        }
        self.callers += callers + direct;
    }

    /// Ends a current-thread runtime with all its callers, in the middle of their calls, and begins another.
    pub(crate) fn replace_runtime(&mut self, own: usize) {
        let at = 1 + own % OWN_LANES;
        let ended = std::mem::replace(&mut self.lanes[at], Lane::current_thread());
        ended.end();
        self.load(at);
    }

    /// How many callers there are at any time.
    pub(crate) fn concurrency() -> usize {
        SHARED.0 + SHARED.1 + OWN_LANES * (OWN.0 + OWN.1)
    }

    /// Waits until a cache and the engine work again on every runtime, and answers when that was.
    pub(crate) fn recover(&self, since: Instant) -> Result<Duration, String> {
        let Some((shared, own, engine)) = &self.caches else { return Ok(Duration::ZERO) };
        let keys = PROBES * self.servers.len();
        let mut slowest = Duration::ZERO;
        let probes: Vec<_> = (self.lanes.iter().enumerate())
            .map(|(at, lane)| {
                let scoped = open(if at == 0 { shared } else { own }, TENANTS);
                lane.handle.spawn(probe(scoped, Arc::clone(engine), keys, since))
            })
            .collect();
        for (lane, probe) in self.lanes.iter().zip(probes) {
            // Not on the lane itself, which may be a current-thread runtime on another thread.
            let took = self.lanes[0].handle.block_on(probe).map_err(|error| error.to_string())?;
            let took = took.ok_or("everything does not work again")?;
            let allowed = allowance(&[&self.machine, &lane.lateness], since, since + took);
            if took > RECOVERY + allowed {
                return Err(format!("it took {took:.2?} until everything worked again"));
            }
            slowest = slowest.max(took);
        }
        Ok(slowest)
    }

    pub(crate) fn injected(&self) -> BTreeMap<Fault, u64> {
        let mut all = BTreeMap::new();
        for (_, proxy) in &self.servers {
            for (fault, count) in proxy.injected() {
                *all.entry(fault).or_insert(0) += count;
            }
        }
        all
    }

    /// Connections ever made to the proxies, and open now.
    pub(crate) fn connections(&self) -> (u64, u64) {
        let proxies = self.servers.iter().map(|(_, proxy)| proxy);
        proxies.fold((0, 0), |(accepted, open), proxy| (accepted + proxy.accepted(), open + proxy.open()))
    }

    pub(crate) fn tasks(&self) -> usize {
        self.lanes.iter().map(Lane::tasks).sum()
    }

    /// Has all callers end, closes the caches, and waits until nothing of them is left: `Err` says what is.
    pub(crate) fn say_goodbye(&mut self) -> Result<(), String> {
        self.world.stop.store(true, Relaxed);
        self.caches = None;
        let deadline = Instant::now() + GOODBYE;
        loop {
            let (tasks, sockets, open) = (self.tasks(), vitals::sockets(), self.connections().1);
            if tasks == 0 && sockets == self.sockets_before && open == 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "left behind: {tasks} tasks, {sockets} sockets instead of {}, {open} connections",
                    self.sockets_before
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn end(self) {
        self.lanes.into_iter().for_each(Lane::end);
    }
}

/// Tries until everything works; answers how long after the fault's end that was.
async fn probe(scoped: ScopedCache, engine: Arc<Engine>, keys: usize, since: Instant) -> Option<Duration> {
    while since.elapsed() < RECOVERY_GIVEN_UP {
        if does_cache_work(&scoped, keys).await && does_engine_work(&engine, keys).await {
            return Some(since.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    None
}

async fn does_cache_work(scoped: &ScopedCache, keys: usize) -> bool {
    let keys: Vec<_> = (0..keys).map(|number| format!("hush-key-probe-{number}")).collect();
    let entries = keys.iter().map(|key| (key.clone(), Value::from(key.as_str()))).collect();
    let stored = scoped.set_many(entries, None).await;
    let is_stored = stored.is_ok_and(|outcomes| outcomes.iter().all(Result::is_ok));
    let is_found = |found: Vec<Option<Value>>| {
        keys.iter().zip(found).all(|(key, found)| found == Some(key.as_str().into()))
    };
    is_stored && scoped.get_many(&keys).await.is_ok_and(is_found)
}

async fn does_engine_work(engine: &Engine, keys: usize) -> bool {
    let names: Vec<_> = (0..keys).map(|number| format!("probe-{number}")).collect();
    let entries: Vec<_> = names.iter().map(|name| (key(name), bytes(name.clone().into()))).collect();
    let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
    let stored = engine.store_many(entries, Lifetime::UntilEvicted).await;
    let found = engine.get_many(&keys, usize::MAX).await;
    let is_found = |found: Vec<Option<_>>| found.iter().all(Option::is_some);
    stored.iter().all(Result::is_ok) && found.is_ok_and(is_found) && do_large_values_work(engine, &keys).await
}

/// They have connections of their own.
async fn do_large_values_work(engine: &Engine, keys: &[StorageKey]) -> bool {
    for key in keys {
        let large = bytes(vec![0; LARGE_BYTES]);
        let stored = engine.store(key, large, Lifetime::UntilEvicted, Condition::Always).await;
        let found = engine.get(key).await;
        if stored.is_err() || !found.is_ok_and(|found| found.is_some()) {
            return false;
        }
    }
    true
}
