//! Somebody who has got at the storage, and does to the entries of deployments that encrypt whatever could
//! make one owner read another's.
//!
//! Which storage key is whose it knows from the host itself, which is more than anybody could.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_host::Value;

use crate::deployment::{Attack, Store};
use crate::dice::Dice;
use crate::population::{Role, Spot, role};
use crate::raw::{Item, Storage};
use crate::scene::Scene;

/// Between two moves, in milliseconds.
const BETWEEN_MOVES: (u64, u64) = (2, 25);

/// Items that were taken along, to be put back later.
const STASH: usize = 64;

/// How often everything that lies on a server is listed anew.
const LISTING: Duration = Duration::from_secs(2);

/// What is done to items.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Move {
    /// One owner's entry, in the place of another's.
    PutOver,
    /// The two, each in the other's place.
    Swap,
    /// An older item of the same place.
    Replay,
    /// An older item of another place.
    ReplayElsewhere,
    /// One bit is another.
    Flip,
    /// The beginning of one, and the end of another.
    Splice,
    /// Less of it.
    Cut,
    /// One that is not encrypted, of another deployment.
    Plain,
}

impl Move {
    pub(crate) fn name(self) -> String {
        format!("{self:?}")
    }
}

pub(crate) const MOVES: [Move; 8] = [
    Move::PutOver,
    Move::Swap,
    Move::Replay,
    Move::ReplayElsewhere,
    Move::Flip,
    Move::Splice,
    Move::Cut,
    Move::Plain,
];

pub(crate) struct Adversary {
    scene: Arc<Scene>,
    stage: usize,
    storage: Storage,
    dice: Dice,
    stash: VecDeque<(String, Item)>,
    /// All keys of the deployment, where everything is attacked, and when they were listed.
    listed: (Vec<String>, Option<Instant>),
}

impl Adversary {
    pub(crate) fn new(scene: Arc<Scene>, stage: usize, storage: Storage, dice: Dice) -> Self {
        Self { scene, stage, storage, dice, stash: VecDeque::new(), listed: (Vec::new(), None) }
    }

    /// Until the round is over.
    pub(crate) async fn run(mut self) {
        let mut focus = (0, Vec::new());
        while !self.scene.world.stop.load(std::sync::atomic::Ordering::Relaxed) {
            let pause = self.dice.between(BETWEEN_MOVES.0, BETWEEN_MOVES.1);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let scene = Arc::clone(&self.scene);
            scene.focus(&mut focus);
            let kind = self.dice.pick(&MOVES);
            let targets = self.targets(&focus.1);
            // A server that does not answer has nothing to be attacked just now.
            if let Ok(true) = self.attack(kind, &targets, &focus.1).await {
                scene.tally.add("moves", &kind.name(), 1);
                for spot in targets {
                    self.look(spot).await;
                }
            }
        }
    }

    /// Reads what has become of an entry, as its owner.
    async fn look(&mut self, spot: Spot) {
        let scene = Arc::clone(&self.scene);
        let visit = scene.visit(self.stage, spot.place, &mut self.dice);
        let asked = Instant::now();
        let found = visit.cache.get(&scene.population.keys[spot.key]).await;
        let judged = match &found {
            Ok(Some(Value::Integer(number))) if role(spot.key) == Role::Counter => {
                scene.judge_counter(&visit, spot, number.unsigned_abs())
            }
            Ok(Some(found)) => scene.judge(&visit, spot, asked, found),
            Ok(None) => Ok(()),
            Err(_) => return,
        };
        let what = if matches!(found, Ok(Some(_))) { "of its owner" } else { "gone" };
        scene.tally.add("attacked", what, 1);
        if let Err(what) = judged {
            scene.world.ledger.wrong(format!("after an attack on the storage: {what}"));
        }
    }

    fn is_against_everything(&self) -> bool {
        self.scene.stages[self.stage].deployment.plan.attack == Attack::OnEverything
    }

    /// Two entries: mostly such that were there a moment ago, or of owners who could be taken for each other.
    fn targets(&mut self, focus: &[usize]) -> Vec<Spot> {
        let Scene { population, stages, .. } = &*self.scene;
        let truth = &stages[self.stage].truth;
        let mut spots = match self.dice.one_in(4) {
            true => population.twins(&mut self.dice, 2),
            false => Vec::new(),
        };
        while spots.len() < 2 {
            let place = self.dice.pick(focus);
            let any = Spot { place, ..population.any_spot(&mut self.dice) };
            spots.push(truth.some_entry(&mut self.dice).unwrap_or(any));
        }
        spots
    }

    /// The storage keys of two entries; where everything is attacked, also of anything.
    async fn two_keys(&mut self, targets: &[Spot]) -> io::Result<Option<[String; 2]>> {
        if self.is_against_everything() && self.dice.one_in(3) {
            if self.listed.1.is_none_or(|listed| listed.elapsed() > LISTING) {
                let prefix = self.scene.stages[self.stage].deployment.plan.prefix;
                self.listed = (self.storage.keys(&format!("{prefix}:")).await?, Some(Instant::now()));
            }
            let keys = &self.listed.0;
            if !keys.is_empty() {
                return Ok(Some([0, 1].map(|_| keys[self.dice.below(keys.len())].clone())));
            }
        }
        let first = self.key_of(self.stage, targets[0]).await;
        let second = self.key_of(self.stage, targets[1]).await;
        Ok(first.zip(second).map(|(first, second)| [first, second]))
    }

    async fn key_of(&mut self, stage: usize, spot: Spot) -> Option<String> {
        let visit = self.scene.visit(stage, spot.place, &mut self.dice);
        let key = visit.cache.storage_key(&self.scene.population.keys[spot.key]).await;
        key.ok().map(|key| key.as_str().to_owned())
    }

    /// Answers whether there was anything to be done.
    async fn attack(&mut self, kind: Move, targets: &[Spot], focus: &[usize]) -> io::Result<bool> {
        let Some([from, to]) = self.two_keys(targets).await? else { return Ok(false) };
        let Some(source) = self.item(&from).await? else { return Ok(false) };
        self.take_along(&from, &source);
        match kind {
            Move::PutOver => return self.put_over(&to, source).await,
            Move::Swap => {
                let Some(other) = self.item(&to).await? else { return Ok(false) };
                self.storage.put(&to, &source).await?;
                self.storage.put(&from, &other).await?;
            }
            Move::Replay => {
                let older: Vec<_> = self.stash.iter().filter(|(key, _)| *key == from).collect();
                let older = older[self.dice.below(older.len())].1.clone();
                self.storage.put(&from, &older).await?;
            }
            Move::ReplayElsewhere => {
                let (_, older) = self.stash[self.dice.below(self.stash.len())].clone();
                return self.put_over(&to, older).await;
            }
            Move::Flip => {
                let flipped = self.flipped(source);
                self.storage.put(&from, &flipped).await?;
            }
            Move::Splice => {
                let Some(other) = self.item(&to).await? else { return Ok(false) };
                let header = source.header_bytes();
                let at = (header + self.dice.below(60)).min(source.data.len()).min(other.data.len());
                let data = [&source.data[..at], &other.data[at..]].concat();
                self.storage.put(&to, &Item { flags: other.flags, data }).await?;
            }
            Move::Cut => {
                let header = source.header_bytes();
                let length = header + self.dice.below(source.data.len().saturating_sub(header).max(1));
                let data = source.data[..length.min(source.data.len())].to_vec();
                self.storage.put(&from, &Item { data, ..source }).await?;
            }
            Move::Plain => return self.plant(&to, focus).await,
        }
        Ok(true)
    }

    /// What lies under a key, as far as it may be attacked: an encrypted entry, or anything.
    async fn item(&mut self, key: &str) -> io::Result<Option<Item>> {
        let found = self.storage.get(key).await?;
        let is_against_everything = self.is_against_everything();
        Ok(found.filter(|item| is_against_everything || item.is_sealed_entry()))
    }

    fn take_along(&mut self, key: &str, item: &Item) {
        if self.stash.len() >= STASH {
            self.stash.pop_front();
        }
        self.stash.push_back((key.to_owned(), item.clone()));
    }

    async fn put_over(&mut self, key: &str, item: Item) -> io::Result<bool> {
        if self.item(key).await?.is_none() {
            return Ok(false);
        }
        self.storage.put(key, &item).await?;
        Ok(true)
    }

    /// Flags as well, where everything is attacked: they make an entry a placeholder.
    fn flipped(&mut self, mut item: Item) -> Item {
        if self.is_against_everything() && self.dice.one_in(3) {
            item.flags ^= 1 << self.dice.below(32);
            return item;
        }
        let from = item.header_bytes();
        if item.data.len() > from {
            let at = from + self.dice.below(item.data.len() - from);
            item.data[at] ^= 1 << self.dice.below(8);
        }
        item
    }

    /// Puts an entry of a deployment that does not encrypt, of the very same owner's name, in the place of
    /// one that is encrypted.
    async fn plant(&mut self, to: &str, focus: &[usize]) -> io::Result<bool> {
        let scene = Arc::clone(&self.scene);
        let own = &scene.stages[self.stage].deployment.plan;
        let is_near = |store: Store| match (own.store, store) {
            (Store::Memory, Store::Memory) | (Store::Meta(_), Store::Meta([0])) => true,
            // Both servers have some: what lies on the second one is of two deployments.
            (Store::Classic(server), Store::Meta(servers)) => servers.contains(&server),
            _ => false,
        };
        let plain = (0..scene.stages.len()).filter(|stage| {
            let plan = scene.stages[*stage].deployment.plan;
            !plan.is_sealed() && is_near(plan.store)
        });
        let plain: Vec<_> = plain.collect();
        let stage = self.dice.pick(&plain);
        let place = self.dice.pick(focus);
        let any = Spot { place, ..scene.population.any_spot(&mut self.dice) };
        let spot = scene.stages[stage].truth.some_entry(&mut self.dice).unwrap_or(any);
        let Some(key) = self.key_of(stage, spot).await else { return Ok(false) };
        match self.storage.get(&key).await? {
            // Generation numbers have eight bytes, and are of no use here.
            Some(item) if item.data.len() > 8 => self.put_over(to, item).await,
            _ => Ok(false),
        }
    }
}
