//! What operators can count: numbers only, never names.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Error;

/// Counts of what a cache has done since it was made.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// Keys that were looked up and found.
    pub hits: u64,
    /// Keys that were looked up and not found.
    pub misses: u64,
    /// Of the hits, those on entries that were past their lifetime, and within their grace.
    pub stale_hits: u64,
    /// How often a caller was given the right to compute a value.
    pub fills: u64,
    /// Fills that were completed too late, or over an entry that had changed, so that nothing was stored.
    pub fills_lost: u64,
    /// How often a caller was told to compute a value without storing it.
    pub busy: u64,
    /// Entries that were found and could not be opened, which counts as a miss: by reason.
    pub unopened: Vec<(&'static str, u64)>,
    /// Operations that failed because the backend could not be reached or did not answer, or their turn did
    /// not come in time.
    pub failures: u64,
    /// Operations that were refused because a stack had used its quota up, or an invocation its limits.
    pub refused: u64,
}

/// How a fetch ended, as far as it is counted.
#[derive(Clone, Copy)]
pub(crate) enum Fetch {
    Hit,
    Stale,
    Refresh,
    Vacant,
    Busy,
}

#[derive(Default)]
pub(crate) struct Telemetry {
    hits: AtomicU64,
    misses: AtomicU64,
    stale_hits: AtomicU64,
    fills: AtomicU64,
    fills_lost: AtomicU64,
    busy: AtomicU64,
    failures: AtomicU64,
    refused: AtomicU64,
    /// Rare, and few reasons: a list under a lock is enough.
    unopened: std::sync::Mutex<Vec<(&'static str, u64)>>,
}

impl Telemetry {
    pub(crate) fn looked_up(&self, found: bool) {
        let counter = if found { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A look-up that could end in a fill.
    pub(crate) fn fetched(&self, state: Fetch) {
        self.looked_up(!matches!(state, Fetch::Vacant | Fetch::Busy));
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        match state {
            Fetch::Hit => {}
            Fetch::Stale => drop(count(&self.stale_hits)),
            Fetch::Refresh => {
                count(&self.stale_hits);
                count(&self.fills);
            }
            Fetch::Vacant => drop(count(&self.fills)),
            Fetch::Busy => drop(count(&self.busy)),
        }
    }

    pub(crate) fn fill_lost(&self) {
        self.fills_lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, error: &Error) {
        if error.is_transient() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unopened(&self, reason: &'static str) {
        let mut counts = self.unopened.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match counts.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => counts.push((reason, 1)),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            stale_hits: self.stale_hits.load(Ordering::Relaxed),
            fills: self.fills.load(Ordering::Relaxed),
            fills_lost: self.fills_lost.load(Ordering::Relaxed),
            busy: self.busy.load(Ordering::Relaxed),
            unopened: self.unopened.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone(),
            failures: self.failures.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}
