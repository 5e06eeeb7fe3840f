//! How late the machine and a runtime are by themselves, so that no call is blamed for it.
//!
//! A task that only sleeps, and a thread that does the same, note whenever they wake too late. A call's
//! time-out, and the task that it waits for, can each be as late as they are: a call may take its bound and
//! **twice the longest lateness that was seen while it ran**, and the timer's precision.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

const SLEEP: Duration = Duration::from_millis(2);

/// Below this a sleep is on time: tokio's timers count milliseconds.
const PRECISION: Duration = Duration::from_millis(3);

/// Longer than any call takes, and than it takes to judge it.
const MEMORY: Duration = Duration::from_secs(60);

/// When sleeps were due and when they ended, of those that were late.
#[derive(Default)]
pub(crate) struct Lateness(Mutex<VecDeque<(Instant, Instant)>>);

impl Lateness {
    /// Watches the runtime that runs this, until nobody is interested any more.
    pub(crate) async fn watch(this: Weak<Self>) {
        loop {
            let due = Instant::now() + SLEEP;
            tokio::time::sleep_until(due.into()).await;
            let Some(this) = this.upgrade() else { return };
            this.note(due, Instant::now());
        }
    }

    /// Watches the machine, from a thread.
    pub(crate) fn watch_machine(self: &Arc<Self>) {
        let this = Arc::downgrade(self);
        std::thread::spawn(move || {
            loop {
                let due = Instant::now() + SLEEP;
                std::thread::sleep(SLEEP);
                let Some(this) = this.upgrade() else { return };
                this.note(due, Instant::now());
            }
        });
    }

    fn note(&self, due: Instant, ran: Instant) {
        if ran.saturating_duration_since(due) < PRECISION {
            return;
        }
        let mut late = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while late.front().is_some_and(|(_, old)| ran - *old > MEMORY) {
            late.pop_front();
        }
        late.push_back((due, ran));
    }

    /// The longest lateness of those that touch this time.
    pub(crate) fn worst(&self, from: Instant, to: Instant) -> Duration {
        let late = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let touching = late.iter().filter(|(due, ran)| *due <= to && *ran >= from);
        touching.map(|(due, ran)| *ran - *due).max().unwrap_or_default()
    }
}

/// How much longer than its bound something may take that ran in this time.
pub(crate) fn allowance(of: &[&Lateness], from: Instant, to: Instant) -> Duration {
    let worst = of.iter().map(|lateness| lateness.worst(from, to)).max();
    2 * worst.unwrap_or_default() + PRECISION
}
