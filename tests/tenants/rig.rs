//! What one round is run on: servers and proxies, runtimes, deployments, and everybody who is busy with them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use strongroom_host::backend::Memory;
use strongroom_host::{Clock, Partition};

use crate::adversary::Adversary;
use crate::call::{Calls, World};
use crate::caller::Caller;
use crate::deployment::{Attack, Deployment, PLANS, Plan, Store};
use crate::dice::Dice;
use crate::extensions;
use crate::fault_proxy::{Fault, FaultProxy};
use crate::lane::Lane;
use crate::lateness::Lateness;
use crate::memcached::Memcached;
use crate::operator;
use crate::population::Population;
use crate::raw::Storage;
use crate::scene::{Scene, Tally};
use crate::truth;

pub(crate) const SERVERS: usize = 2;

/// Callers on the multi-thread runtime, and on the current-thread one.
pub(crate) const CALLERS: (usize, usize) = (64, 16);

/// More than there ever are in one round.
const CALLERS_A_ROUND: usize = 100_000;

/// More than is written in one round, so that nothing is evicted.
const MEMORY_BYTES: u64 = 512 << 20;

/// How long those who were told to stop may take.
const GOODBYE: Duration = Duration::from_millis(600);

pub(crate) struct Rig {
    pub(crate) world: Arc<World>,
    pub(crate) scene: Arc<Scene>,
    pub(crate) machine: Arc<Lateness>,
    pub(crate) servers: Vec<Memcached>,
    /// In front of each server, for deployments of either protocol.
    pub(crate) meta: Vec<FaultProxy>,
    pub(crate) classic: Vec<FaultProxy>,
    shared: Lane,
    own: Option<Lane>,
    /// Where guests run: compiling them takes a while.
    guests: Lane,
    callers: usize,
}

impl Rig {
    /// Starts everything, and has everybody begin. `round`: its number; `held_back`: the longest that a
    /// request is held back.
    pub(crate) fn new(
        world: Arc<World>,
        tally: Arc<Tally>,
        round: u64,
        held_back: Duration,
    ) -> Result<Self, String> {
        let mut dice = Dice::new(world.seed, u64::MAX - 1 - round);
        let servers: Vec<_> = (0..SERVERS).map(|_| Memcached::start()).collect();
        let mut proxies =
            || servers.iter().map(|server| FaultProxy::start(server.port(), dice.roll())).collect();
        let (meta, classic): (Vec<_>, Vec<_>) = (proxies(), proxies());
        let shared = Lane::multi_thread();
        shared.handle.block_on(extensions::compile());
        let memory = Arc::new(Memory::new(MEMORY_BYTES, Clock::system()));
        let connect = |plan: &'static Plan| {
            let ports = match plan.store {
                Store::Memory => Vec::new(),
                Store::Meta(servers) => servers.iter().map(|server| meta[*server].port()).collect(),
                Store::Classic(server) => vec![classic[server].port()],
            };
            shared.handle.block_on(Deployment::connect(plan, Arc::clone(&memory), ports))
        };
        let deployments: Vec<_> = PLANS.iter().map(connect).collect();
        let storage_keys = shared.handle.block_on(storage_keys(&deployments));
        storage_keys.iter().for_each(|key| world.listener.add_storage_key(key));
        let population = Population::new(&mut dice, &storage_keys);
        if !truth::can_tell(&population) {
            return Err("what must not be read would not be noticed".to_owned());
        }
        let seed = dice.roll();
        let scene = Scene::new(Arc::clone(&world), tally, population, deployments, (seed, held_back));
        let machine = Arc::new(Lateness::default());
        machine.watch_machine();
        let scene = Arc::new(scene);
        // Each round's callers have streams of their own.
        let callers = round as usize * CALLERS_A_ROUND;
        let mut this = Self {
            world,
            scene,
            machine,
            servers,
            meta,
            classic,
            shared,
            own: None,
            guests: Lane::current_thread(),
            callers,
        };
        this.begin(&memory);
        Ok(this)
    }

    fn begin(&mut self, memory: &Arc<Memory>) {
        let handle = self.shared.handle.clone();
        for (stage, plan) in PLANS.iter().enumerate() {
            let calls = [self.calls(), self.calls()];
            let [clears, hosts] = calls;
            handle.spawn(operator::clear(Arc::clone(&self.scene), stage, clears));
            handle.spawn(operator::replace_hosts(Arc::clone(&self.scene), stage, hosts));
            if plan.attack != Attack::None {
                let storage = match plan.store {
                    Store::Memory => Storage::Memory(Arc::clone(memory)),
                    Store::Meta(servers) => Storage::memcached(self.servers[servers[0]].port()),
                    Store::Classic(server) => Storage::memcached(self.servers[server].port()),
                };
                let dice = Dice::new(self.world.seed, self.scene.seed ^ stage as u64);
                let adversary = Adversary::new(Arc::clone(&self.scene), stage, storage, dice);
                handle.spawn(adversary.run());
            }
        }
        for _ in 0..CALLERS.0 {
            let calls = self.calls();
            let number = self.callers;
            handle.spawn(Caller::new(calls, Arc::clone(&self.scene), number).run());
        }
        let dice = Dice::new(self.world.seed, !self.scene.seed);
        self.callers += 1;
        let extensions = extensions::run(Arc::clone(&self.scene), dice, self.callers as u64);
        self.guests.handle.spawn(extensions);
        self.replace_runtime();
    }

    fn calls(&mut self) -> Calls {
        let lateness = Arc::clone(&self.own.as_ref().unwrap_or(&self.shared).lateness);
        self.callers += 1;
        Calls::new(Arc::clone(&self.world), lateness, self.callers)
    }

    /// Ends the current-thread runtime with all its callers, in the middle of their calls, and begins
    /// another.
    pub(crate) fn replace_runtime(&mut self) {
        if let Some(ended) = self.own.replace(Lane::current_thread()) {
            ended.end();
        }
        for _ in 0..CALLERS.1 {
            let calls = self.calls();
            let number = self.callers;
            let caller = Caller::new(calls, Arc::clone(&self.scene), number);
            self.own.as_ref().map(|lane| lane.handle.spawn(caller.run()));
        }
    }

    /// How often each fault has hit, by the kind of proxy.
    pub(crate) fn injected(&self) -> BTreeMap<(&'static str, Fault), u64> {
        let mut all = BTreeMap::new();
        for (protocol, proxies) in [("meta", &self.meta), ("classic", &self.classic)] {
            for (fault, count) in proxies.iter().flat_map(FaultProxy::injected) {
                *all.entry((protocol, fault)).or_insert(0) += count;
            }
        }
        all
    }

    /// Has everybody stop, and ends everything.
    pub(crate) fn end(self) {
        self.world.stop.store(true, Relaxed);
        std::thread::sleep(GOODBYE);
        self.own.into_iter().for_each(Lane::end);
        self.guests.end();
        self.shared.end();
        self.world.stop.store(false, Relaxed);
    }
}

/// Some storage keys of each deployment, as they are now.
async fn storage_keys(deployments: &[Deployment]) -> Vec<String> {
    // These names are in every round.
    let service = Partition::service("a").expect("of the right length");
    let stack = service.stack("a").expect("of the right length");
    let session = stack.session("a").expect("of the right length");
    let mut keys = Vec::new();
    for deployment in deployments {
        for partition in [&service, &stack, &session] {
            let cache = deployment.host(0).cache.open(partition, None).expect("no namespace");
            // On a machine that is too slow for the time-out there are fewer.
            keys.extend(cache.storage_key("a").await.ok().map(|key| key.as_str().to_owned()));
        }
    }
    keys
}
