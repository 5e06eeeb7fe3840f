//! A caller: now for one owner and now for another, on any host of any deployment, with every operation.
//!
//! Whatever it reads is [judged](Scene::judge).

use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_host::{CacheCtx, Fetched, Fill, Grants, Scope, SwapOutcome, Value};

use crate::call::{Answer, Calls};
use crate::deployment::Store;
use crate::population::{KEYS, Role, Spot, role};
use crate::scene::{Scene, Stage, Visit};
use crate::truth::{Ticket, Truth};
use crate::value::{self, Origin};

const LIFETIMES: [Option<u32>; 5] = [None, None, Some(1), Some(3), Some(600)];
const GRACES: [u32; 3] = [0, 0, 5];

/// Longest time that a caller waits for somebody else's fill.
const WAIT_MILLISECONDS: u64 = 60;

/// How many of those who could be taken for one another are tried at once.
const TWINS: usize = 4;

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

    async fn fetch(&mut self, visit: &Visit) {
        let spot = self.spot(visit, Role::Fill);
        if let Some(fill) = self.fetch_at(visit, spot).await {
            self.fill(visit, spot, fill).await;
        }
    }

    /// Fetches; answers the right to compute where it was given.
    async fn fetch_at(&mut self, visit: &Visit, spot: Spot) -> Option<Fill> {
        let scene = Arc::clone(&self.scene);
        let Stage { truth, deployment } = Self::stage(&scene, visit);
        let (grace, wait) = (self.calls.dice.pick(&GRACES), self.calls.dice.between(0, WAIT_MILLISECONDS));
        let wait = Duration::from_millis(wait);
        let fetch = Fetching::begin(truth, spot);
        let asked = Instant::now();
        let fetched = visit.cache.fetch(&scene.population.keys[spot.key], grace, wait);
        let fetched = self.calls.call_within("fetch", wait, fetched).await;
        let was_alone = fetch.end();
        let Answer::Done(fetched) = fetched else { return None };
        self.looked_up(!matches!(fetched, Fetched::Vacant(_) | Fetched::Busy));
        scene.tally.add("attempts", "fetches while no owner's fill could be open", u64::from(was_alone));
        match fetched {
            Fetched::Hit(found) | Fetched::Stale(found) => self.judge(visit, spot, asked, &found),
            Fetched::Refresh(found, fill) => {
                self.judge(visit, spot, asked, &found);
                return Some(fill);
            }
            Fetched::Vacant(fill) => return Some(fill),
            Fetched::Busy if was_alone && deployment.plan.do_leases_hold() => {
                let owner = scene.owner(visit.stage, spot);
                self.calls.wrong(&format!(
                    "BLOCKED by somebody else's fill: nobody of this owner could have had one\n  {owner}"
                ));
            }
            Fetched::Busy => {}
        }
        None
    }

    /// Does something with the right to compute.
    async fn fill(&mut self, visit: &Visit, spot: Spot, mut fill: Fill) {
        let scene = Arc::clone(&self.scene);
        match self.calls.dice.below(8) {
            0 => drop(fill),
            1 => {
                self.calls.call("fill: abandon", fill.abandon()).await;
            }
            // Never dropped: what a leak of a guest's handle comes to, whose lease ends by itself.
            2 if self.calls.dice.one_in(4) => {
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(3)).await;
                    drop(fill);
                });
                scene.tally.add("attempts", "fills kept beyond their lease", 1);
            }
            _ => {
                let ticket = Self::stage(&scene, visit).truth.ticket(spot);
                let (value, lifetime) = (self.value(visit, spot, &ticket), self.calls.dice.pick(&LIFETIMES));
                self.calls.call("fill: complete", fill.complete(value, lifetime)).await;
            }
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

    /// Writes for one owner, and then asks for others who could be taken for it, here or in another
    /// deployment.
    async fn try_twins(&mut self, stage: usize) {
        let scene = Arc::clone(&self.scene);
        let mut twins = scene.population.twins(&mut self.calls.dice, TWINS);
        let Some(first) = twins.pop() else { return };
        let elsewhere = self.calls.dice.below(scene.stages.len());
        let writer = scene.visit(stage, first.place, &mut self.calls.dice);
        let mut others: Vec<_> = twins.into_iter().map(|spot| (stage, spot)).collect();
        if elsewhere != stage {
            others.push((elsewhere, first));
        }
        scene.tally.add("attempts", "owners asked for after a twin's write", others.len() as u64);
        match role(first.key) {
            Role::Value => {
                let lifetime = self.lifetime();
                self.set_at(&writer, first, lifetime).await;
                let version = self.version_at(&writer, first).await;
                for (stage, spot) in others {
                    let visit = scene.visit(stage, spot.place, &mut self.calls.dice);
                    self.read_at(&visit, spot).await;
                    if let Some(version) = version
                        && stage == writer.stage
                        && role(spot.key) == Role::Value
                    {
                        self.swap_with_version_of(&visit, spot, first, version).await;
                    }
                }
            }
            Role::Counter => {
                self.count_at(&writer, first).await;
                for (stage, spot) in others {
                    let visit = scene.visit(stage, spot.place, &mut self.calls.dice);
                    self.read_at(&visit, spot).await;
                }
            }
            Role::Fill => {
                let Some(fill) = self.fetch_at(&writer, first).await else { return };
                self.fill_beside(&writer, first, fill, others).await;
            }
        }
    }

    /// Completes a fill while others who could be taken for its owner wait for theirs.
    async fn fill_beside(&mut self, writer: &Visit, first: Spot, mut fill: Fill, others: Vec<(usize, Spot)>) {
        let scene = Arc::clone(&self.scene);
        let ticket = Self::stage(&scene, writer).truth.ticket(first);
        let value = self.value(writer, first, &ticket);
        let pause = Duration::from_millis(self.calls.dice.between(0, WAIT_MILLISECONDS));
        let complete = async {
            tokio::time::sleep(pause).await;
            // The outcome is of no interest: what counts is what others see of it.
            drop(fill.complete(value, Some(60)).await);
        };
        let ask = async {
            for (stage, spot) in others {
                let visit = scene.visit(stage, spot.place, &mut self.calls.dice);
                self.read_at(&visit, spot).await;
            }
        };
        tokio::join!(complete, ask);
    }

    /// Whatever is done for somebody who could be taken for an owner, that one's entry stays.
    ///
    /// Only where nothing but a deed takes an entry away: in the process, where nothing fails and nothing is
    /// evicted, and with generations that are asked for each time.
    async fn disturb_a_twin(&mut self) {
        let scene = Arc::clone(&self.scene);
        let is_steady = |stage: &Stage| {
            let plan = stage.deployment.plan;
            plan.store == Store::Memory && !plan.is_sealed() && plan.generation_ttl().is_zero()
        };
        let steady = scene.stages.iter().position(is_steady).expect("there is one");
        let truth = &scene.stages[steady].truth;
        let twins = scene.population.twins(&mut self.calls.dice, 2);
        let (Some(&first), Some(&other)) = (twins.first(), twins.get(1)) else { return };
        if role(first.key) != Role::Value {
            return;
        }
        let owner = scene.visit(steady, first.place, &mut self.calls.dice);
        self.set_at(&owner, first, None).await;
        let before = truth.deeds(&scene.population, first);
        let there = self.number_at(&owner, first).await;
        if before.is_none() || there.is_none() {
            return;
        }
        self.disturb(steady, first, other).await;
        let still_there = self.number_at(&owner, first).await;
        if truth.deeds(&scene.population, first) != before {
            return;
        }
        scene.tally.add("attempts", "entries that stayed, whatever a twin did", 1);
        if still_there != there {
            let (first, other) = (scene.owner(steady, first), scene.owner(steady, other));
            self.calls.wrong(&format!(
                "an entry was TAKEN AWAY: {there:?} became {still_there:?}\n  of {first}\n  when something was \
                 done for {other}"
            ));
        }
    }

    /// Does for somebody what must not touch another's entry.
    async fn disturb(&mut self, stage: usize, first: Spot, other: Spot) {
        let scene = Arc::clone(&self.scene);
        let truth = &scene.stages[stage].truth;
        let visit = scene.visit(stage, other.place, &mut self.calls.dice);
        let (places, key) = (&scene.population.places, &scene.population.keys[other.key]);
        match self.calls.dice.below(4) {
            0 => {
                let _deed = truth.deed_at(other);
                self.remember("deletes", &visit, other);
                self.calls.call("delete", visit.cache.delete(key)).await;
            }
            1 if role(other.key) == Role::Value => self.set_at(&visit, other, Some(1)).await,
            2 if other.place != first.place => {
                self.remember("clears", &visit, other);
                self.clear(&visit).await;
            }
            _ => {
                let own = |node: &&usize| !places[first.place].nodes.contains(node);
                let Some(&node) = places[other.place].nodes.iter().find(own) else { return };
                let _deed = truth.deed_on_node(node);
                self.remember("clears as an operator what contains", &visit, other);
                let clear = visit.host.cache.clear(&scene.population.nodes[node]);
                self.calls.call("clear (an operator's)", clear).await;
            }
        }
    }

    /// The number of the value that is there.
    async fn number_at(&mut self, visit: &Visit, spot: Spot) -> Option<u64> {
        let asked = Instant::now();
        let found = visit.cache.get(&self.scene.population.keys[spot.key]).await.ok()??;
        self.judge(visit, spot, asked, &found);
        value::check(&self.scene.owner(visit.stage, spot), &found).ok().map(|origin| origin.number)
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

/// A fetch under way. Its end is noted however its caller ends.
struct Fetching<'a> {
    truth: &'a Truth,
    spot: Spot,
    fetch: Option<crate::truth::Fetch>,
}

impl<'a> Fetching<'a> {
    fn begin(truth: &'a Truth, spot: Spot) -> Self {
        Self { truth, spot, fetch: Some(truth.fetch_begins(spot)) }
    }

    fn end(mut self) -> bool {
        self.fetch.take().is_some_and(|fetch| self.truth.fetch_ends(self.spot, fetch))
    }
}

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        if let Some(fetch) = self.fetch.take() {
            self.truth.fetch_ends(self.spot, fetch);
        }
    }
}
