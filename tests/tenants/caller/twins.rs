//! What a caller does with owners who could be taken for one another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_host::Fill;

use super::{Caller, WAIT_MILLISECONDS};
use crate::deployment::Store;
use crate::operator::{self, Ending};
use crate::population::{Role, Spot, role};
use crate::scene::{Stage, Visit};
use crate::value;

/// How many of them are tried at once.
const TWINS: usize = 4;

impl Caller {
    /// Writes for one owner, and then asks for others who could be taken for it, here or in another
    /// deployment.
    pub(super) async fn try_twins(&mut self, stage: usize) {
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
        let is_login = |(_, spot): &&(_, Spot)| scene.population.are_other_logins(first.place, spot.place);
        let logins = others.iter().filter(is_login).count() as u64;
        scene.tally.add("attempts", "other logins of a session asked for then", logins);
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
    pub(super) async fn disturb_a_twin(&mut self) {
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
        if !self.disturb(steady, first, other).await {
            return;
        }
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

    /// Does for somebody what must not touch another's entry, where there is anything.
    async fn disturb(&mut self, stage: usize, first: Spot, other: Spot) -> bool {
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
                let Some(&node) = places[other.place].nodes.iter().find(own) else { return false };
                self.remember("clears as an operator what contains", &visit, other);
                operator::end(&scene, stage, node, Ending::Clear, &mut self.calls).await;
            }
        }
        true
    }

    /// The number of the value that is there.
    async fn number_at(&mut self, visit: &Visit, spot: Spot) -> Option<u64> {
        let asked = Instant::now();
        let found = visit.cache.get(&self.scene.population.keys[spot.key]).await.ok()??;
        self.judge(visit, spot, asked, &found);
        value::check(&self.scene.owner(visit.stage, spot), &found).ok().map(|origin| origin.number)
    }
}
