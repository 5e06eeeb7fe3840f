//! What became of every call, and what must not be: wrong replies, late calls, failures without a fault.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::lateness::{Lateness, allowance};

/// How long after its end a call is judged: what was late at the same time has woken by then.
const JUDGED_AFTER: Duration = Duration::from_millis(500);

/// A machine that is no later than this is no reason for a call to fail.
const EXCUSE: Duration = Duration::from_millis(100);

/// What became of a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Outcome {
    Done,
    /// `unavailable`: nothing was changed.
    Unavailable,
    /// `timed-out`: the outcome is unknown.
    Unknown,
    /// Its caller dropped it after a few polls.
    Dropped,
    /// Its caller's own, shorter time-out dropped it.
    TimedOut,
}

/// A call that ended.
pub(crate) struct Ended {
    pub(crate) name: &'static str,
    pub(crate) outcome: Outcome,
    /// What its error says.
    pub(crate) reason: Option<String>,
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    pub(crate) bound: Duration,
}

#[derive(Default)]
pub(crate) struct Ledger {
    outcomes: Mutex<BTreeMap<(&'static str, Outcome), u64>>,
    /// Values, counters and answers that were checked.
    checked: AtomicU64,
    wrong: Mutex<Option<String>>,
    suspects: Mutex<VecDeque<(Ended, Arc<Lateness>)>>,
    slowest: Mutex<Option<(&'static str, Duration, Duration)>>,
    over_and_forgiven: AtomicU64,
    /// Since when there is neither a fault nor a recovery from one.
    calm_since: Mutex<Option<Instant>>,
    failed_in_calm: AtomicU64,
    calls_in_calm: AtomicU64,
}

impl Ledger {
    pub(crate) fn ended(&self, ended: Ended, lateness: &Arc<Lateness>) {
        *lock(&self.outcomes).entry((ended.name, ended.outcome)).or_default() += 1;
        if matches!(ended.outcome, Outcome::Dropped | Outcome::TimedOut) {
            return;
        }
        let is_calm = lock(&self.calm_since).is_some_and(|since| ended.from >= since);
        let is_failure = is_calm && ended.outcome != Outcome::Done;
        self.calls_in_calm.fetch_add(u64::from(is_calm), Relaxed);
        self.failed_in_calm.fetch_add(u64::from(is_failure), Relaxed);
        let took = ended.to - ended.from;
        let share = |took: Duration, bound: Duration| took.as_secs_f64() / bound.as_secs_f64();
        let mut slowest = lock(&self.slowest);
        if slowest.is_none_or(|(_, slowest, bound)| share(took, ended.bound) > share(slowest, bound)) {
            *slowest = Some((ended.name, took, ended.bound));
        }
        drop(slowest);
        if took > ended.bound || is_failure {
            lock(&self.suspects).push_back((ended, Arc::clone(lateness)));
        }
    }

    pub(crate) fn checked(&self, count: usize) {
        self.checked.fetch_add(count as u64, Relaxed);
    }

    /// A reply that should not have been: the first one ends the soak.
    pub(crate) fn wrong(&self, what: String) {
        lock(&self.wrong).get_or_insert(what);
    }

    pub(crate) fn is_wrong(&self) -> Option<String> {
        lock(&self.wrong).clone()
    }

    pub(crate) fn calm(&self, is_calm: bool) {
        *lock(&self.calm_since) = is_calm.then(Instant::now);
    }

    /// Looks at the calls that took longer than their bound, or failed without a fault: was the machine so
    /// late?
    pub(crate) fn judge(&self, machine: &Lateness) {
        let mut suspects = lock(&self.suspects);
        while suspects.front().is_some_and(|(ended, _)| ended.to.elapsed() > JUDGED_AFTER)
            && let Some((ended, lateness)) = suspects.pop_front()
        {
            let allowed = allowance(&[machine, &lateness], ended.from, ended.to);
            let took = ended.to - ended.from;
            let Ended { name, outcome, reason, bound, .. } = ended;
            let reason = reason.unwrap_or_default();
            if took > bound + allowed {
                self.wrong(format!(
                    "{name} took {took:?} ({outcome:?}; {reason}); its bound is {bound:?}, and the machine's lateness \
                     allows {allowed:?} more"
                ));
            } else if took > bound {
                self.over_and_forgiven.fetch_add(1, Relaxed);
            } else if allowed < EXCUSE {
                self.wrong(format!(
                    "{name} failed after {took:?} ({outcome:?}; {reason}), and there was no fault"
                ));
            }
        }
    }

    /// What there is to say at the end.
    pub(crate) fn report(&self) -> String {
        let outcomes = lock(&self.outcomes);
        let mut rows: BTreeMap<&str, BTreeMap<Outcome, u64>> = BTreeMap::new();
        for ((name, outcome), count) in outcomes.iter() {
            rows.entry(name).or_default().insert(*outcome, *count);
        }
        let columns =
            [Outcome::Done, Outcome::Unavailable, Outcome::Unknown, Outcome::Dropped, Outcome::TimedOut];
        let mut text = format!("{:24}", "calls");
        text.extend(columns.iter().map(|column| format!("{:>13}", format!("{column:?}"))));
        let mut total = BTreeMap::new();
        for (name, row) in &rows {
            text += &format!("\n  {name:22}");
            for column in columns {
                let count = row.get(&column).copied().unwrap_or(0);
                *total.entry(column).or_insert(0) += count;
                text += &format!("{count:>13}");
            }
        }
        text += &format!("\n  {:22}", "all");
        text.extend(columns.iter().map(|column| format!("{:>13}", total.get(column).copied().unwrap_or(0))));
        let checked = self.checked.load(Relaxed);
        let (calls, failed) = (self.calls_in_calm.load(Relaxed), self.failed_in_calm.load(Relaxed));
        text += &format!("\nchecked replies: {checked}, wrong: {}", u8::from(self.is_wrong().is_some()));
        text += &format!("\ncalls without a fault: {calls}, of which failed: {failed}");
        if let Some((name, took, bound)) = *lock(&self.slowest) {
            text += &format!("\nslowest call against its bound: {name}, {took:.1?} of {bound:.1?}");
        }
        let forgiven = self.over_and_forgiven.load(Relaxed);
        text += &format!("; over it, by no more than the machine was late: {forgiven}");
        text
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
