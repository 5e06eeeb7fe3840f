//! Fetches and fills of a caller: it completes what it may compute, gives it back, or keeps it for too long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_host::{Fetched, Fill};

use super::{Caller, LIFETIMES, WAIT_MILLISECONDS};
use crate::call::Answer;
use crate::population::{Role, Spot};
use crate::scene::{Stage, Visit};
use crate::truth::{Fetch, Truth};

const GRACES: [u32; 3] = [0, 0, 5];

impl Caller {
    pub(super) async fn fetch(&mut self, visit: &Visit) {
        let spot = self.spot(visit, Role::Fill);
        if let Some(fill) = self.fetch_at(visit, spot).await {
            self.fill(visit, spot, fill).await;
        }
    }

    /// Fetches; answers the right to compute where it was given.
    pub(super) async fn fetch_at(&mut self, visit: &Visit, spot: Spot) -> Option<Fill> {
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
    pub(super) async fn fill(&mut self, visit: &Visit, spot: Spot, mut fill: Fill) {
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
}

/// A fetch under way. Its end is noted however its caller ends.
struct Fetching<'a> {
    truth: &'a Truth,
    spot: Spot,
    fetch: Option<Fetch>,
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
