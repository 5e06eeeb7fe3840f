//! Turns: callers of one host that read, compute and write the same key take them, so that they don't undo
//! each other's work.
//!
//! A compare-and-swap loop makes sure that nothing is lost; turns make sure that it gets somewhere. Other
//! hosts don't take part. Nor do other keys: who shares no key with others never waits for them.
//!
//! What several stacks share has [turns among them](SharedTurns) as well.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout_at};

use crate::stored::StorageKey;

/// In how many parts the keys are kept, so that threads seldom meet.
const SHARDS: usize = 64;

type Shard<K> = Mutex<HashMap<K, Arc<AsyncMutex<()>>>>;

/// Who is at work on which keys. Only keys that somebody is at work on are kept.
pub(crate) struct Turns<K> {
    shards: [Shard<K>; SHARDS],
    hasher: RandomState,
}

impl<K: Copy + Eq + Hash> Turns<K> {
    pub(crate) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Shard::default()), hasher: RandomState::new() }
    }

    /// Waits for the key's turn, which ends when what is answered is dropped.
    pub(crate) async fn take(&self, key: &K) -> Turn<'_, K> {
        let shard = &self.shards[self.hasher.hash_one(key) as usize % SHARDS];
        let lock = Arc::clone(lock(shard).entry(*key).or_default());
        // Made before it waits, so that one that goes away meanwhile leaves nothing behind.
        let mut turn = Turn { shard, key: *key, lock: Some(Arc::clone(&lock)), guard: None };
        turn.guard = Some(lock.lock_owned().await);
        turn
    }
}

fn lock<K>(shard: &Shard<K>) -> MutexGuard<'_, HashMap<K, Arc<AsyncMutex<()>>>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One caller's turn, or its place in the queue for it.
pub(crate) struct Turn<'a, K: Copy + Eq + Hash> {
    shard: &'a Shard<K>,
    key: K,
    lock: Option<Arc<AsyncMutex<()>>>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl<K: Copy + Eq + Hash> Drop for Turn<'_, K> {
    fn drop(&mut self) {
        self.guard = None;
        let mut shard = lock(self.shard);
        // While the shard is held: of two that end at once, the later one must see that it is the last.
        self.lock = None;
        if shard.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            shard.remove(&self.key);
        }
    }
}

/// Turns on keys that several stacks may be at work on: among the callers of one stack first, and then among
/// stacks. So a stack with thousands of callers is one of those who wait, and not thousands.
///
/// Whoever has the turn among stacks may be held up by what else its own stack does. So the others wait for
/// it only so long, and go on without: a turn saves work, and nothing is wrong without it.
pub(crate) struct SharedTurns {
    own: Turns<(u64, StorageKey)>,
    shared: Turns<StorageKey>,
}

/// A caller's turn among those of its stack, and among stacks if that came in time.
pub(crate) struct SharedTurn<'a> {
    turns: &'a SharedTurns,
    shared: Option<Turn<'a, StorageKey>>,
    own: Turn<'a, (u64, StorageKey)>,
}

impl SharedTurns {
    pub(crate) fn new() -> Self {
        Self { own: Turns::new(), shared: Turns::new() }
    }

    /// Waits for a stack's turn at the key: for as long as it takes among its own callers, and among stacks
    /// until so long after the call.
    pub(crate) async fn take(&self, stack: u64, key: &StorageKey, patience: Duration) -> SharedTurn<'_> {
        let until = Instant::now().checked_add(patience);
        let own = self.own.take(&(stack, *key)).await;
        let mut turn = SharedTurn { turns: self, shared: None, own };
        turn.wait(until).await;
        turn
    }
}

impl SharedTurn<'_> {
    /// Waits again, where the turn among stacks did not come in time.
    pub(crate) async fn retake(&mut self, patience: Duration) {
        if self.shared.is_none() {
            self.wait(Instant::now().checked_add(patience)).await;
        }
    }

    /// A turn that is free is taken, however late it is.
    async fn wait(&mut self, until: Option<Instant>) {
        let (_, key) = self.own.key;
        let turn = self.turns.shared.take(&key);
        self.shared = match until {
            Some(until) => timeout_at(until, turn).await.ok(),
            None => Some(turn.await),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(turns: &Turns<u32>) -> usize {
        turns.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    #[tokio::test]
    async fn one_key_has_one_turn_at_a_time_and_others_have_their_own() {
        let turns = Turns::new();
        let first = turns.take(&1).await;
        let others: Vec<_> = futures_util::future::join_all((2..1000).map(|number| {
            let turns = &turns;
            async move { turns.take(&number).await }
        }))
        .await;
        let mut second = Box::pin(turns.take(&1));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop((first, others, second));
        turns.take(&1).await;
        assert_eq!(kept(&turns), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nothing_is_undone_and_nothing_is_left() {
        let turns = Arc::new(Turns::new());
        let counts = Arc::new([const { Mutex::new(0_u32) }; 4]);
        let tasks: Vec<_> = (0..64)
            .map(|task| {
                let (turns, counts) = (Arc::clone(&turns), Arc::clone(&counts));
                tokio::spawn(async move {
                    for round in 0..200_usize {
                        let number = (task + round) % 4;
                        if task % 8 == 0 {
                            // One that gives up.
                            let key = number as u32;
                            let taken = turns.take(&key);
                            let _ = tokio::time::timeout(std::time::Duration::ZERO, taken).await;
                            continue;
                        }
                        let _turn = turns.take(&(number as u32)).await;
                        let before = *counts[number].lock().expect("nobody panics");
                        tokio::task::yield_now().await;
                        *counts[number].lock().expect("nobody panics") = before + 1;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("it does not panic");
        }
        let counted: u32 = counts.iter().map(|count| *count.lock().expect("nobody panics")).sum();
        assert_eq!(counted, 56 * 200);
        assert_eq!(kept(&turns), 0);
    }
}
