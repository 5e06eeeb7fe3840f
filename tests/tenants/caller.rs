//! A caller: now for one owner and now for another, on any host of any deployment, with every operation.
//!
//! Whatever it reads is [judged](Scene::judge).

mod fills;
mod twins;

use std::sync::Arc;
use std::time::Instant;

use strongroom_host::{CacheCtx, Grants, Scope, SwapOutcome, Value};

use crate::call::{Answer, Calls};
use crate::population::{KEYS, Role, Spot, role};
use crate::scene::{Scene, Stage, Visit};
use crate::truth::Ticket;
use crate::value::{self, Origin};

const LIFETIMES: [Option<u32>; 5] = [None, None, Some(1), Some(3), Some(600)];

/// Longest time that a caller waits for somebody else's fill.
const WAIT_MILLISECONDS: u64 = 60;

pub(crate) struct Caller {
    calls: Calls,
    scene: Arc<Scene>,
    number: u64,
    focus: (u64, Vec<usize>),
}

impl Caller {
    pub(crate) fn new(calls: Calls, scene: Arc<Scene>, number: usize) -> Self {
        Self { calls, scene, number: number as u64, focus: (0, Vec::new()) }
    }

    /// Calls until the round is over.
    pub(crate) async fn run(mut self) {
        while !self.calls.is_over() {
            self.calls.think().await;
            let scene = Arc::clone(&self.scene);
            scene.focus(&mut self.focus);
            let stage = self.calls.dice.below(scene.stages.len());
            match self.calls.dice.below(16) {
                0..4 => {
                    self.try_twins(stage).await;
                    continue;
                }
                4 => {
                    self.disturb_a_twin().await;
                    continue;
                }
                _ => {}
            }
            let place = self.calls.dice.pick(&self.focus.1);
            let visit = scene.visit(stage, place, &mut self.calls.dice);
            match self.calls.dice.below(1000) {
                0..180 => self.get(&visit).await,
                180..300 => self.get_many(&visit).await,
                300..440 => self.write(&visit).await,
                440..520 => self.set_many(&visit).await,
                520..580 => self.remove(&visit).await,
                580..660 => self.swap(&visit).await,
                660..720 => self.swap_with_a_foreign_version(&visit).await,
                720..850 => self.fetch(&visit).await,
                850..970 => self.count(&visit).await,
                970..980 => self.be_refused(&visit),
                _ => self.clear(&visit).await,
            }
        }
    }

    fn stage<'a>(scene: &'a Scene, visit: &Visit) -> &'a Stage {
        &scene.stages[visit.stage]
    }

    /// A key of some role.
    fn spot(&mut self, visit: &Visit, wanted: Role) -> Spot {
        let keys: Vec<_> = (0..KEYS).filter(|key| role(*key) == wanted).collect();
        Spot { place: visit.place, key: self.calls.dice.pick(&keys) }
    }

    fn lifetime(&mut self) -> Option<u32> {
        self.calls.dice.pick(&LIFETIMES)
    }

    /// A value for a spot, under the number of a ticket.
    fn value(&mut self, visit: &Visit, spot: Spot, ticket: &Ticket<'_>) -> Value {
        let origin =
            Origin { number: ticket.number, writer: self.number, encrypted_with: visit.host.ring.current };
        value::make(&self.scene.owner(visit.stage, spot), origin, &mut self.calls.dice)
    }

    /// Looks at what a call has read that was made at a time: see [`Scene::judge`].
    fn judge(&mut self, visit: &Visit, spot: Spot, asked: Instant, found: &Value) {
        let judged = self.scene.judge(visit, spot, asked, found);
        self.calls.check(judged);
    }

    fn looked_up(&self, is_found: bool) {
        self.scene.tally.add("reads", if is_found { "hits" } else { "misses" }, 1);
    }

    fn remember(&mut self, what: &str, visit: &Visit, spot: Spot) {
        let owner = self.scene.owner(visit.stage, spot);
        self.calls.remember(format!("{what} {owner}"));
    }

    async fn get(&mut self, visit: &Visit) {
        let spot = self.spot(visit, Role::Value);
        self.get_at(visit, spot).await;
    }

    async fn get_at(&mut self, visit: &Visit, spot: Spot) {
        let scene = Arc::clone(&self.scene);
        let asked = Instant::now();
        let get = visit.cache.get(&scene.population.keys[spot.key]);
        if let Answer::Done(found) = self.calls.call("get", get).await {
            self.looked_up(found.is_some());
            if let Some(found) = found {
                self.judge(visit, spot, asked, &found);
            }
        }
    }

    async fn get_many(&mut self, visit: &Visit) {
        let scene = Arc::clone(&self.scene);
        let count = self.calls.dice.between(1, 15) as usize;
        let spots: Vec<_> = (0..count).map(|_| self.spot(visit, Role::Value)).collect();
        let keys: Vec<_> = spots.iter().map(|spot| &scene.population.keys[spot.key]).collect();
        let asked = Instant::now();
        let Answer::Done(found) = self.calls.call("get_many", visit.cache.get_many(&keys)).await else {
            return;
        };
        if found.len() != count {
            self.calls.wrong(&format!("{} answers to {count} keys", found.len()));
        }
        for (spot, found) in spots.into_iter().zip(found) {
            self.looked_up(found.is_some());
            if let Some(found) = found {
                self.judge(visit, spot, asked, &found);
            }
        }
    }

    async fn write(&mut self, visit: &Visit) {
        let spot = self.spot(visit, Role::Value);
        match self.calls.dice.below(4) {
            0 | 1 => {
                let lifetime = self.lifetime();
                self.set_at(visit, spot, lifetime).await;
            }
            which => {
                let scene = Arc::clone(&self.scene);
                let ticket = Self::stage(&scene, visit).truth.ticket(spot);
                let (value, lifetime) = (self.value(visit, spot, &ticket), self.lifetime());
                let (cache, key) = (&visit.cache, &scene.population.keys[spot.key]);
                match which {
                    2 => {
                        self.calls.call("add", cache.add(key, value, lifetime)).await;
                    }
                    _ => {
                        self.calls.call("replace", cache.replace(key, value, lifetime)).await;
                    }
                }
            }
        }
    }

    async fn set_at(&mut self, visit: &Visit, spot: Spot, lifetime: Option<u32>) {
        let scene = Arc::clone(&self.scene);
        let ticket = Self::stage(&scene, visit).truth.ticket(spot);
        let value = self.value(visit, spot, &ticket);
        self.remember(&format!("writes {} of", ticket.number), visit, spot);
        let set = visit.cache.set(&scene.population.keys[spot.key], value, lifetime);
        self.calls.call("set", set).await;
    }

    async fn set_many(&mut self, visit: &Visit) {
        let scene = Arc::clone(&self.scene);
        let truth = &Self::stage(&scene, visit).truth;
        let count = self.calls.dice.between(1, 8) as usize;
        let spots: Vec<_> = (0..count).map(|_| self.spot(visit, Role::Value)).collect();
        let tickets: Vec<_> = spots.iter().map(|spot| truth.ticket(*spot)).collect();
        let entry = |(spot, ticket): (&Spot, &Ticket<'_>)| {
            (scene.population.keys[spot.key].clone(), self.value(visit, *spot, ticket))
        };
        let entries: Vec<_> = spots.iter().zip(&tickets).map(entry).collect();
        let lifetime = self.lifetime();
        let set = visit.cache.set_many(entries, lifetime);
        if let Answer::Done(outcomes) = self.calls.call("set_many", set).await {
            let is_strange = |error: &strongroom_host::Error| !error.is_transient();
            let strange = outcomes.iter().any(|outcome| outcome.as_ref().is_err_and(is_strange));
            if outcomes.len() != count || strange {
                self.calls.wrong(&format!("set_many of {count} answered {outcomes:?}"));
            }
        }
    }

    async fn remove(&mut self, visit: &Visit) {
        let scene = Arc::clone(&self.scene);
        let spots = [self.spot(visit, Role::Value), self.spot(visit, Role::Value)];
        let _deeds = spots.map(|spot| Self::stage(&scene, visit).truth.deed_at(spot));
        let keys = spots.map(|spot| &scene.population.keys[spot.key]);
        let lifetime = self.lifetime();
        match self.calls.dice.below(3) {
            0 => {
                self.calls.call("delete", visit.cache.delete(keys[0])).await;
            }
            1 => {
                self.calls.call("touch", visit.cache.touch(keys[0], lifetime)).await;
            }
            _ => {
                let deleted = self.calls.call("delete_many", visit.cache.delete_many(&keys)).await;
                if let Answer::Done(3..) = deleted {
                    self.calls.wrong("more deleted than asked for");
                }
            }
        }
    }

    async fn swap(&mut self, visit: &Visit) {
        let scene = Arc::clone(&self.scene);
        let stage = Self::stage(&scene, visit);
        let spot = self.spot(visit, Role::Value);
        let Some(version) = self.version_at(visit, spot).await else { return };
        let ticket = stage.truth.ticket(spot);
        let value = self.value(visit, spot, &ticket);
        let key = &scene.population.keys[spot.key];
        let swap = visit.cache.swap(key, value.clone(), version, None);
        let swapped = self.calls.call("swap", swap).await;
        // Whoever writes to the storage can put the old version back.
        if matches!(swapped, Answer::Done(SwapOutcome::Swapped)) && !stage.deployment.plan.is_sealed() {
            let again = visit.cache.swap(key, value, version, None);
            if let Answer::Done(SwapOutcome::Swapped) = self.calls.call("swap", again).await {
                self.calls.wrong("one version was swapped twice");
            }
        }
    }

    async fn version_at(&mut self, visit: &Visit, spot: Spot) -> Option<u64> {
        let scene = Arc::clone(&self.scene);
        let asked = Instant::now();
        let get = visit.cache.get_versioned(&scene.population.keys[spot.key]);
        let Answer::Done(found) = self.calls.call("get_versioned", get).await else { return None };
        self.looked_up(found.is_some());
        let (found, version) = found?;
        self.judge(visit, spot, asked, &found);
        Self::stage(&scene, visit).truth.saw_version(spot, version);
        Some(version)
    }

    async fn swap_with_a_foreign_version(&mut self, visit: &Visit) {
        let scene = Arc::clone(&self.scene);
        let spot = self.spot(visit, Role::Value);
        let version = Self::stage(&scene, visit).truth.foreign_version(spot, &mut self.calls.dice);
        if let Some((owner, version)) = version {
            self.swap_with_version_of(visit, spot, owner, version).await;
        }
    }

    /// Nothing may come of a version number that somebody else was given.
    async fn swap_with_version_of(&mut self, visit: &Visit, spot: Spot, owner: Spot, version: u64) {
        let scene = Arc::clone(&self.scene);
        let stage = Self::stage(&scene, visit);
        if owner.place == spot.place && stage.deployment.plan.is_sealed() {
            // Whoever writes to the storage can give two keys of one cache the same version.
            return;
        }
        let ticket = stage.truth.ticket(spot);
        let value = self.value(visit, spot, &ticket);
        let swap = visit.cache.swap(&scene.population.keys[spot.key], value, version, None);
        scene.tally.add("attempts", "swaps with another owner's version", 1);
        if let Answer::Done(SwapOutcome::Swapped) = self.calls.call("swap (foreign version)", swap).await {
            let (owner, spot) = (scene.owner(visit.stage, owner), scene.owner(visit.stage, spot));
            self.calls.wrong(&format!("the version of {owner}\n  swapped the entry of {spot}"));
        }
    }

    async fn count(&mut self, visit: &Visit) {
        let spot = self.spot(visit, Role::Counter);
        self.count_at(visit, spot).await;
    }

    async fn count_at(&mut self, visit: &Visit, spot: Spot) {
        let scene = Arc::clone(&self.scene);
        let truth = &Self::stage(&scene, visit).truth;
        let (cache, key, start) = (&visit.cache, &scene.population.keys[spot.key], truth.counter_start(spot));
        let lifetime = self.lifetime();
        let answer = match self.calls.dice.below(5) {
            0 | 1 => {
                let delta = truth.add(spot, &mut self.calls.dice);
                self.calls.call("increment", cache.increment(key, delta, start, lifetime)).await
            }
            2 => {
                let delta = truth.take(spot, &mut self.calls.dice);
                self.calls.call("decrement", cache.decrement(key, delta, start, lifetime)).await
            }
            _ => match self.calls.call("get (counter)", cache.get(key)).await {
                Answer::Done(Some(Value::Integer(number))) => Answer::Done(number.unsigned_abs()),
                Answer::Done(Some(other)) => {
                    self.judge(visit, spot, Instant::now(), &other);
                    self.calls.wrong("a counter that is something else");
                    return;
                }
                Answer::Done(None) => {
                    self.looked_up(false);
                    return;
                }
                Answer::Unchanged | Answer::Unknown => return,
            },
        };
        if let Answer::Done(number) = answer {
            self.looked_up(true);
            let judged = scene.judge_counter(visit, spot, number);
            self.calls.check(judged);
        }
    }

    /// What an invocation may not open.
    fn be_refused(&mut self, visit: &Visit) {
        let scene = Arc::clone(&self.scene);
        let place = &scene.population.places[visit.place];
        let base = || CacheCtx::builder(&visit.host.cache).service(&place.service);
        let stack = place.stack.as_deref().unwrap_or("a");
        let contexts = [
            (base().stack(stack), Scope::Service),
            (base().stack(stack).grants(Grants::NONE), Scope::Stack),
            (
                base().stack(stack).session("a").grants(Grants::default().without(Scope::Session)),
                Scope::Session,
            ),
            (base().stack(stack), Scope::Session),
            (base(), Scope::Stack),
        ];
        for (context, scope) in contexts {
            scene.tally.add("attempts", "scopes that were asked for and refused", 1);
            let context = context.build().expect("names of the right length");
            let refused = context.open(scope, None).err();
            if !refused.is_some_and(|error| error.is_access_denied() || error.is_no_such_scope()) {
                self.calls.wrong(&format!("a scope was opened that was not granted: {scope}"));
            }
        }
        if base().session("a").build().is_ok() {
            self.calls.wrong("a session without a stack was taken");
        }
        if base().stack(stack).session_issue("a").build().is_ok() {
            self.calls.wrong("an issue without a session was taken");
        }
    }

    /// A guest's clear: of its own place, and nothing else.
    async fn clear(&mut self, visit: &Visit) {
        let scene = Arc::clone(&self.scene);
        let Stage { truth, deployment } = Self::stage(&scene, visit);
        let floor = truth.written_until_now();
        let _deed = truth.deed_on_place(visit.place);
        if let Answer::Done(()) = self.calls.call("clear (a guest's own)", visit.cache.clear()).await {
            let from = Instant::now() + deployment.plan.generation_ttl();
            truth.cleared_place(visit.place, from, floor);
            scene.tally.add("clears", "a guest's own", 1);
        }
    }

    /// Reads in the way that the key is for.
    async fn read_at(&mut self, visit: &Visit, spot: Spot) {
        match role(spot.key) {
            Role::Value => self.get_at(visit, spot).await,
            Role::Counter => self.count_at(visit, spot).await,
            Role::Fill => {
                if let Some(fill) = self.fetch_at(visit, spot).await {
                    self.fill(visit, spot, fill).await;
                }
            }
        }
    }
}
