//! The computations that an instance is in the middle of: functions that call each other, and futures that
//! wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::limits::COMPUTATIONS_MAX;

/// Of this instance, in whatever cache.
pub(crate) static UNDER_WAY: UnderWay = UnderWay::new();

/// The keys of the computations that are under way.
#[derive(Debug, Default)]
pub(crate) struct UnderWay(Mutex<Vec<String>>);

/// What a computation that would begin now is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Ask the cache.
    Ask,
    /// Ask it, and don't wait: this instance computes the same key already, and could not go on while it
    /// waits for itself.
    AskAndDoNotWait,
    /// Compute without it: there are too many.
    DoWithout,
}

/// A computation under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Computing<'a> {
    all: &'a UnderWay,
    key: String,
}

/// Whether a cache may be opened for one more computation.
pub(crate) fn may_open(key: &str) -> bool {
    UNDER_WAY.advice(key) != Advice::DoWithout
}

impl UnderWay {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(crate) fn advice(&self, key: &str) -> Advice {
        let keys = self.keys();
        if keys.len() >= COMPUTATIONS_MAX {
            Advice::DoWithout
        } else if keys.iter().any(|other| other == key) {
            Advice::AskAndDoNotWait
        } else {
            Advice::Ask
        }
    }

    pub(crate) fn enter(&self, key: &str) -> Computing<'_> {
        self.keys().push(key.to_owned());
        Computing { all: self, key: key.to_owned() }
    }

    fn keys(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Computing<'_> {
    fn drop(&mut self) {
        let mut keys = self.all.keys();
        // The last ones come first: functions end in the reverse of the order in which they began.
        if let Some(at) = keys.iter().rposition(|key| *key == self.key) {
            keys.swap_remove(at);
        }
    }
}
