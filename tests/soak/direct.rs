//! A caller of the engine itself, without the pipeline in between.

use std::sync::Arc;
use std::time::Duration;

use strongroom_host::backend::{Backend, Begun, Condition, Memcached, Step, StoreOutcome, Versioned};
use strongroom_host::{Flags, Kind, Lifetime, StorageKey, Stored};

use crate::call::{Answer, Calls};
use crate::own::Own;
use crate::value;

const KEYS: usize = 200;
const COUNTERS: usize = 20;
const OWN_KEYS: usize = 3;
const LEASE: Duration = Duration::from_secs(2);

/// Whom the values are said to belong to.
const TENANT: &str = "hush-direct";

/// As in `caller.rs`.
const COUNTER_STEP: u64 = 1 << 16;
const COUNTER_START: u64 = 1 << 44;

pub(crate) struct Direct {
    calls: Calls,
    engine: Arc<Memcached>,
    own: Vec<Own>,
    writing: u64,
}

/// A storage key for a name of up to 32 letters, digits and dashes.
pub(crate) fn key(name: &str) -> StorageKey {
    StorageKey::parse(&format!("hush-direct:{name:_<32}")).expect("of the right form")
}

pub(crate) fn bytes(data: Vec<u8>) -> Stored {
    Stored { flags: Flags::entry(Kind::Bytes, 0), data: data.into() }
}

impl Direct {
    pub(crate) fn new(calls: Calls, engine: Arc<Memcached>, number: usize) -> Self {
        let own = (0..OWN_KEYS).map(|own| Own::new(format!("own-{number}-{own}"))).collect();
        Self { calls, engine, own, writing: (number as u64) << 14 }
    }

    /// Calls until the soak is over.
    pub(crate) async fn run(mut self) {
        while !self.calls.is_over() {
            self.calls.think().await;
            match self.calls.dice.below(100) {
                0..20 => self.write_own().await,
                20..40 => self.read_own().await,
                40..55 => self.get_many().await,
                55..70 => self.write().await,
                70..78 => self.store_many().await,
                78..84 => self.remove().await,
                84..94 => self.count().await,
                _ => self.fill().await,
            }
        }
    }

    fn name(&mut self) -> String {
        format!("shared-{}", self.calls.dice.below(KEYS))
    }

    fn entry(&mut self, name: &str) -> Stored {
        self.writing = (self.writing + 1) & value::WRITING_MAX;
        bytes(value::make(TENANT, name, self.writing, &mut self.calls.dice))
    }

    fn check(&mut self, name: &str, found: &Versioned) -> Option<u64> {
        let checked = value::check(TENANT, name, &found.entry.data);
        self.calls.check(checked.map_err(|what| format!("asked the engine for {name}: {what}")))
    }

    async fn write_own(&mut self) {
        let at = self.calls.dice.below(OWN_KEYS);
        let writing = self.own[at].next();
        let name = self.own[at].key.clone();
        let entry = bytes(value::make(TENANT, &name, writing, &mut self.calls.dice));
        let (engine, key) = (Arc::clone(&self.engine), key(&name));
        self.calls.remember(format!("writing {writing} of {name}"));
        let store = engine.store(&key, entry, Lifetime::UntilEvicted, Condition::Always);
        match self.calls.call("engine store (own key)", store).await {
            Answer::Done(StoreOutcome::Stored) => self.own[at].written(writing),
            Answer::Done(other) => self.calls.wrong(&format!("{name}: always is {other:?}")),
            Answer::Unknown => self.own[at].doubted(writing),
            Answer::Unchanged => {}
        }
    }

    async fn read_own(&mut self) {
        let at = self.calls.dice.below(OWN_KEYS);
        let name = self.own[at].key.clone();
        let (engine, key) = (Arc::clone(&self.engine), key(&name));
        match self.calls.call("engine get (own key)", engine.get(&key)).await {
            Answer::Done(Some(found)) => {
                if let Some(writing) = self.check(&name, &found) {
                    let seen = self.own[at].seen(writing).map_err(|what| format!("{name}: {what}"));
                    self.calls.check(seen);
                }
            }
            Answer::Done(None) => self.own[at].missing(),
            _ => {}
        }
    }

    async fn get_many(&mut self) {
        let count = self.calls.dice.between(1, 120) as usize;
        let names: Vec<_> = (0..count).map(|_| self.name()).collect();
        let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
        let engine = Arc::clone(&self.engine);
        let answer = self.calls.call("engine get_many", engine.get_many(&keys, 64 << 20)).await;
        let Answer::Done(found) = answer else { return };
        if found.len() != count {
            self.calls.wrong(&format!("{} answers to {count} keys", found.len()));
        }
        for (name, found) in names.iter().zip(found) {
            found.map(|found| self.check(name, &found));
        }
    }

    async fn write(&mut self) {
        let name = self.name();
        let entry = self.entry(&name);
        let condition = self.calls.dice.pick(&[Condition::Always, Condition::Absent, Condition::Present]);
        let (engine, key) = (Arc::clone(&self.engine), key(&name));
        let store = engine.store(&key, entry, Lifetime::UntilEvicted, condition);
        self.calls.call("engine store", store).await;
    }

    async fn store_many(&mut self) {
        let count = self.calls.dice.between(1, 20) as usize;
        let names: Vec<_> = (0..count).map(|_| self.name()).collect();
        let entries: Vec<_> = names.iter().map(|name| (key(name), self.entry(name))).collect();
        let engine = Arc::clone(&self.engine);
        let store = async {
            let mut outcomes = engine.store_many(entries, Lifetime::UntilEvicted).await;
            let answered = outcomes.len();
            // They left together, so one outcome stands for all.
            outcomes.pop().map_or(Ok(answered), |outcome| outcome.map(|()| answered))
        };
        if let Answer::Done(answered) = self.calls.call("engine store_many", store).await
            && answered != count
        {
            self.calls.wrong(&format!("{answered} answers to {count} entries"));
        }
    }

    async fn remove(&mut self) {
        let keys = [key(&self.name()), key(&self.name())];
        let engine = Arc::clone(&self.engine);
        if self.calls.dice.one_in(2) {
            self.calls.call("engine delete_many", engine.delete_many(&keys)).await;
        } else {
            self.calls.call("engine touch", engine.touch(&keys[0], Lifetime::UntilEvicted)).await;
        }
    }

    async fn count(&mut self) {
        let id = self.calls.dice.below(COUNTERS) as u64 + 1;
        let (engine, key) = (Arc::clone(&self.engine), key(&format!("counter-{id}")));
        let delta = COUNTER_STEP * self.calls.dice.between(1, 9);
        let step = if self.calls.dice.one_in(2) { Step::Up(delta) } else { Step::Down(delta) };
        match self.calls.call("engine count", engine.count(&key, step)).await {
            Answer::Done(Some(number)) => {
                let own = number % COUNTER_STEP == id;
                self.calls.check(own.then_some(()).ok_or_else(|| format!("counter {id} answers {number}")));
            }
            Answer::Done(None) => {
                let data = (COUNTER_START + id).to_string().into();
                let entry = Stored { flags: Flags::entry(Kind::Integer, 0), data };
                let store = engine.store(&key, entry, Lifetime::UntilEvicted, Condition::Absent);
                self.calls.call("engine store", store).await;
            }
            _ => {}
        }
    }

    async fn fill(&mut self) {
        let name = format!("fill-{}", self.calls.dice.below(4));
        let (engine, key) = (Arc::clone(&self.engine), key(&name));
        match self.calls.call("engine begin_fill", engine.begin_fill(&key, LEASE)).await {
            Answer::Done(Begun::Live(found)) => {
                self.check(&name, &found);
                if self.calls.dice.one_in(4) {
                    self.calls.call("engine delete_many", engine.delete_many(&[key])).await;
                }
            }
            Answer::Done(Begun::Won(lease)) if self.calls.dice.one_in(3) => {
                self.calls.call("engine abandon_fill", engine.abandon_fill(&key, lease)).await;
            }
            Answer::Done(Begun::Won(lease)) => {
                let entry = self.entry(&name);
                let store = engine.store(&key, entry, Lifetime::UntilEvicted, Condition::Version(lease));
                self.calls.call("engine store", store).await;
            }
            _ => {}
        }
    }
}
