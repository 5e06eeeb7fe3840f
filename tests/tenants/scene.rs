//! What everybody shares in one round: the deployments, who there is, and what is known and counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use strongroom_host::{ScopedCache, Value};

use crate::call::World;
use crate::deployment::{Deployment, Host};
use crate::dice::Dice;
use crate::population::{Population, Spot};
use crate::truth::{Truth, lock};
use crate::value::{self, Owner, Wrong};

/// Everybody turns to other places after so long.
const FOCUS_TIME: Duration = Duration::from_secs(3);

pub(crate) struct Scene {
    pub(crate) world: Arc<World>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) population: Population,
    pub(crate) stages: Vec<Stage>,
    /// Decides what only depends on the round.
    pub(crate) seed: u64,
}

/// A deployment, and what is known of its entries.
pub(crate) struct Stage {
    pub(crate) deployment: Deployment,
    pub(crate) truth: Truth,
}

/// A cache that is open on some host.
pub(crate) struct Visit {
    pub(crate) stage: usize,
    pub(crate) host: Host,
    pub(crate) cache: ScopedCache,
    pub(crate) place: usize,
}

impl Scene {
    pub(crate) fn new(
        world: Arc<World>,
        tally: Arc<Tally>,
        population: Population,
        deployments: Vec<Deployment>,
        (seed, held_back): (u64, Duration),
    ) -> Self {
        let stage =
            |(number, deployment)| Stage { deployment, truth: Truth::new(&population, number, held_back) };
        let stages = deployments.into_iter().enumerate().map(stage).collect();
        Self { world, tally, population, stages, seed }
    }

    /// Opens a place on one of a deployment's hosts.
    pub(crate) fn visit(&self, stage: usize, place: usize, dice: &mut Dice) -> Visit {
        let host = self.stages[stage].deployment.host(dice.below(usize::MAX));
        let cache = self.population.open(&host.cache, place, dice);
        Visit { stage, host, cache, place }
    }

    pub(crate) fn owner(&self, stage: usize, spot: Spot) -> Owner<'_> {
        let deployment = self.stages[stage].deployment.plan.name;
        Owner { deployment, names: self.population.names_of(spot) }
    }

    /// Whether what a call that was made at a time has read may be there: its owner's own, whole, written by
    /// somebody, not cleared, and not under a key that the host does not have.
    pub(crate) fn judge(
        &self,
        visit: &Visit,
        spot: Spot,
        asked: Instant,
        found: &Value,
    ) -> Result<(), String> {
        self.tally.add("reads", "checked", 1);
        let owner = self.owner(visit.stage, spot);
        self.check(visit, spot, asked, found).map_err(|what| format!("{what}\n  read by {owner}"))
    }

    fn check(&self, visit: &Visit, spot: Spot, asked: Instant, found: &Value) -> Result<(), String> {
        let Stage { truth, deployment } = &self.stages[visit.stage];
        let checked = value::check(&self.owner(visit.stage, spot), found);
        let origin = checked.map_err(|wrong| match wrong {
            Wrong::Foreign(what) => {
                self.tally.add("reads", "foreign", 1);
                format!("a FOREIGN value: {what}")
            }
            Wrong::Garbled(what) => format!("a value that nobody wrote: {what}"),
        })?;
        if !truth.was_given_out(origin.number) {
            return Err(format!("a number that was never written: {origin:?}"));
        }
        let floor = truth.floor(&self.population, spot.place, asked);
        if origin.number < floor && deployment.plan.do_clears_hold() {
            return Err(format!("a CLEARED value: {origin:?}, while everything before {floor} is gone"));
        }
        if !visit.host.ring.opens(origin.encrypted_with) {
            return Err(format!(
                "a value under a DROPPED key: {origin:?}; the host has {:?}",
                visit.host.ring
            ));
        }
        truth.saw_entry(spot);
        Ok(())
    }

    /// The same for a counter that was read.
    pub(crate) fn judge_counter(&self, visit: &Visit, spot: Spot, number: u64) -> Result<(), String> {
        self.tally.add("reads", "checked", 1);
        let owner = self.owner(visit.stage, spot);
        let truth = &self.stages[visit.stage].truth;
        truth.saw_entry(spot);
        truth.check_counter(spot, number).map_err(|what| {
            self.tally.add("reads", "foreign", 1);
            format!("a FOREIGN counter: {what}\n  read by {owner}")
        })
    }

    /// Which places everybody turns to now: a number that stays for a while, and they.
    pub(crate) fn focus(&self, of: &mut (u64, Vec<usize>)) {
        let now = (self.world.begun.elapsed().as_millis() / FOCUS_TIME.as_millis()) as u64;
        if of.1.is_empty() || of.0 != now {
            *of = (now, self.population.focus(Dice::new(self.seed, now)));
        }
    }
}

/// Counts of anything, by name.
#[derive(Default)]
pub(crate) struct Tally(Mutex<BTreeMap<(&'static str, String), u64>>);

impl Tally {
    pub(crate) fn add(&self, table: &'static str, what: &str, count: u64) {
        let mut counts = lock(&self.0);
        match counts.get_mut(&(table, what.to_owned())) {
            Some(known) => *known += count,
            None => drop(counts.insert((table, what.to_owned()), count)),
        }
    }

    pub(crate) fn of(&self, table: &'static str, what: &str) -> u64 {
        lock(&self.0).get(&(table, what.to_owned())).copied().unwrap_or(0)
    }

    /// One line for each count of a table.
    pub(crate) fn lines(&self, table: &'static str) -> String {
        let counts = lock(&self.0);
        let lines = counts.iter().filter(|((of, _), _)| *of == table);
        lines.map(|((_, what), count)| format!("\n  {what:38}{count:>12}")).collect()
    }
}
