//! A caller of a tenant's cache, through the public API.

use std::time::Duration;

use strongroom_host::{Cache, Fetched, Partition, ScopedCache, SwapOutcome, Value};

use crate::call::{Answer, Calls};
use crate::hush;
use crate::own::Own;
use crate::value;

pub(crate) const TENANTS: usize = 50;

const KEYS: usize = 24;
const FILL_KEYS: usize = 4;
const COUNTERS: usize = 6;
const OWN_KEYS: usize = 3;

/// A counter is always its number beyond a multiple of this, so each is known by what it answers.
const COUNTER_STEP: u64 = 1 << 16;

/// Far enough from zero that it never gets there.
const COUNTER_START: u64 = 1 << 44;

/// Longest time that a caller waits for somebody else's fill.
const WAIT_MILLISECONDS: u64 = 60;

const LIFETIMES: [Option<u32>; 4] = [None, None, Some(2), Some(600)];

pub(crate) struct Caller {
    calls: Calls,
    cache: ScopedCache,
    /// What its values say: stack, and session where there is one.
    tenant: String,
    tenant_number: usize,
    own: Vec<Own>,
    writing: u64,
}

/// Every other tenant's callers act for a session, the others for the stack.
pub(crate) fn open(cache: &Cache, tenant: usize) -> ScopedCache {
    let partition = Partition::service(hush::SERVICE)
        .and_then(|service| service.stack(&hush::stack(tenant)))
        .and_then(|stack| if tenant % 2 == 1 { stack.session(&hush::session(tenant)) } else { Ok(stack) });
    cache.open(&partition.expect("names of the right length"), None).expect("no namespace")
}

impl Caller {
    pub(crate) fn new(calls: Calls, cache: &Cache, number: usize) -> Self {
        let tenant_number = number % TENANTS;
        let own = (0..OWN_KEYS).map(|own| Own::new(format!("hush-key-own-{number}-{own}"))).collect();
        Self {
            calls,
            cache: open(cache, tenant_number),
            tenant: hush::stack(tenant_number),
            tenant_number,
            own,
            writing: (number as u64) << 14,
        }
    }

    /// Calls until the soak is over.
    pub(crate) async fn run(mut self) {
        while !self.calls.is_over() {
            self.calls.think().await;
            match self.calls.dice.below(1000) {
                0..160 => self.write_own().await,
                160..320 => self.read_own().await,
                320..350 => self.delete_own().await,
                350..480 => self.get().await,
                480..560 => self.get_many().await,
                560..640 => self.write().await,
                640..690 => self.set_many().await,
                690..740 => self.remove().await,
                740..850 => self.count().await,
                850..910 => self.swap().await,
                910..998 => self.fetch().await,
                _ => self.clear().await,
            }
        }
    }

    fn key(&mut self) -> String {
        format!("hush-key-{}", self.calls.dice.below(KEYS))
    }

    fn lifetime(&mut self) -> Option<u32> {
        self.calls.dice.pick(&LIFETIMES)
    }

    fn value(&mut self, key: &str, writing: u64) -> Value {
        value::make(&self.tenant, key, writing, &mut self.calls.dice).into()
    }

    /// A value for a key that everybody writes.
    fn shared_value(&mut self, key: &str) -> Value {
        self.writing = (self.writing + 1) & value::WRITING_MAX;
        self.value(key, self.writing)
    }

    /// Whose value it is; `None` where it is wrong.
    fn check(&mut self, key: &str, found: &Value) -> Option<u64> {
        let checked = match found {
            Value::Bytes(bytes) => value::check(&self.tenant, key, bytes),
            other => Err(format!("a value of another kind: {other:?}")),
        };
        self.calls.check(checked.map_err(|what| format!("asked for {key} of {}: {what}", self.tenant)))
    }

    async fn write_own(&mut self) {
        let at = self.calls.dice.below(OWN_KEYS);
        let writing = self.own[at].next();
        let key = self.own[at].key.clone();
        let value = self.value(&key, writing);
        let cache = self.cache.clone();
        self.calls.remember(format!("writing {writing} of {key}"));
        match self.calls.call("set (own key)", cache.set(&key, value, None)).await {
            Answer::Done(()) => self.own[at].written(writing),
            Answer::Unknown => self.own[at].doubted(writing),
            Answer::Unchanged => {}
        }
    }

    async fn read_own(&mut self) {
        let at = self.calls.dice.below(OWN_KEYS);
        let key = self.own[at].key.clone();
        let cache = self.cache.clone();
        let Answer::Done(found) = self.calls.call("get (own key)", cache.get(&key)).await else { return };
        let Some(found) = found else {
            self.own[at].missing();
            return;
        };
        if let Some(writing) = self.check(&key, &found) {
            let seen = self.own[at].seen(writing).map_err(|what| format!("{key}: {what}"));
            self.calls.check(seen);
        }
    }

    async fn delete_own(&mut self) {
        let at = self.calls.dice.below(OWN_KEYS);
        let key = self.own[at].key.clone();
        let cache = self.cache.clone();
        self.calls.remember(format!("deletes {key}"));
        if let Answer::Done(_) = self.calls.call("delete (own key)", cache.delete(&key)).await {
            self.own[at].missing();
        }
    }

    async fn get(&mut self) {
        let key = self.key();
        let cache = self.cache.clone();
        if let Answer::Done(Some(found)) = self.calls.call("get", cache.get(&key)).await {
            self.check(&key, &found);
        }
    }

    async fn get_many(&mut self) {
        let count = self.calls.dice.between(1, 20) as usize;
        let keys: Vec<_> = (0..count).map(|_| self.key()).collect();
        let cache = self.cache.clone();
        let Answer::Done(found) = self.calls.call("get_many", cache.get_many(&keys)).await else { return };
        if found.len() != count {
            self.calls.wrong(&format!("{} answers to {count} keys", found.len()));
        }
        for (key, found) in keys.iter().zip(found) {
            found.map(|found| self.check(key, &found));
        }
    }

    async fn write(&mut self) {
        let key = self.key();
        let (value, lifetime) = (self.shared_value(&key), self.lifetime());
        let cache = self.cache.clone();
        match self.calls.dice.below(3) {
            0 => {
                self.calls.call("set", cache.set(&key, value, lifetime)).await;
            }
            1 => {
                self.calls.call("add", cache.add(&key, value, lifetime)).await;
            }
            _ => {
                self.calls.call("replace", cache.replace(&key, value, lifetime)).await;
            }
        }
    }

    async fn set_many(&mut self) {
        let count = self.calls.dice.between(1, 10) as usize;
        let entries: Vec<_> = (0..count).map(|_| self.key()).collect();
        let entries: Vec<_> = entries.into_iter().map(|key| (key.clone(), self.shared_value(&key))).collect();
        let lifetime = self.lifetime();
        let cache = self.cache.clone();
        let answer = self.calls.call("set_many", cache.set_many(entries, lifetime)).await;
        if let Answer::Done(outcomes) = answer {
            let strange =
                outcomes.iter().any(|outcome| outcome.as_ref().is_err_and(|error| !error.is_transient()));
            if outcomes.len() != count || strange {
                self.calls.wrong(&format!("set_many of {count} answered {outcomes:?}"));
            }
        }
    }

    async fn remove(&mut self) {
        let keys = [self.key(), self.key()];
        let cache = self.cache.clone();
        match self.calls.dice.below(3) {
            0 => {
                self.calls.call("delete", cache.delete(&keys[0])).await;
            }
            1 => {
                self.calls.call("touch", cache.touch(&keys[0], Some(60))).await;
            }
            _ => {
                let answer = self.calls.call("delete_many", cache.delete_many(&keys)).await;
                if let Answer::Done(3..) = answer {
                    self.calls.wrong("more deleted than asked for");
                }
            }
        }
    }

    /// A counter answers a number that can be no other counter's.
    async fn count(&mut self) {
        let counter = self.calls.dice.below(COUNTERS);
        let key = format!("hush-key-counter-{counter}");
        let id = (self.tenant_number * COUNTERS + counter + 1) as u64;
        let delta = COUNTER_STEP * self.calls.dice.between(1, 9);
        let cache = self.cache.clone();
        let start = COUNTER_START + id;
        let answer = match self.calls.dice.below(3) {
            0 => self.calls.call("increment", cache.increment(&key, delta, start, None)).await,
            1 => self.calls.call("decrement", cache.decrement(&key, delta, start, None)).await,
            _ => match self.calls.call("get (counter)", cache.get(&key)).await {
                Answer::Done(Some(Value::Integer(number))) => Answer::Done(number.unsigned_abs()),
                Answer::Done(Some(other)) => {
                    self.calls.wrong(&format!("a counter that is {other:?}"));
                    return;
                }
                _ => return,
            },
        };
        if let Answer::Done(number) = answer {
            let own = number % COUNTER_STEP == id;
            self.calls.check(own.then_some(()).ok_or_else(|| format!("counter {id} answers {number}")));
        }
    }

    async fn swap(&mut self) {
        let key = self.key();
        let cache = self.cache.clone();
        let answer = self.calls.call("get_versioned", cache.get_versioned(&key)).await;
        let Answer::Done(Some((found, version))) = answer else { return };
        self.check(&key, &found);
        let value = self.shared_value(&key);
        let swap = cache.swap(&key, value, version, None);
        if let Answer::Done(SwapOutcome::Swapped) = self.calls.call("swap", swap).await {
            // The same version can't be swapped twice.
            let value = self.shared_value(&key);
            let again = cache.swap(&key, value, version, None);
            if let Answer::Done(SwapOutcome::Swapped) = self.calls.call("swap", again).await {
                self.calls.wrong(&format!("{key}: one version was swapped twice"));
            }
        }
    }

    async fn fetch(&mut self) {
        let key = format!("hush-key-fill-{}", self.calls.dice.below(FILL_KEYS));
        let wait = Duration::from_millis(self.calls.dice.between(0, WAIT_MILLISECONDS));
        let cache = self.cache.clone();
        match self.calls.call_within("fetch", wait, cache.fetch(&key, 0, wait)).await {
            Answer::Done(Fetched::Hit(found)) => {
                self.check(&key, &found);
                if self.calls.dice.one_in(4) {
                    self.calls.call("delete", cache.delete(&key)).await;
                }
            }
            Answer::Done(Fetched::Vacant(mut fill)) => match self.calls.dice.below(4) {
                0 => drop(fill),
                1 => {
                    self.calls.call("abandon", fill.abandon()).await;
                }
                _ => {
                    let value = self.shared_value(&key);
                    self.calls.call("complete", fill.complete(value, Some(60))).await;
                }
            },
            _ => {}
        }
    }

    async fn clear(&mut self) {
        let cache = self.cache.clone();
        self.calls.call("clear", cache.clear()).await;
    }
}
