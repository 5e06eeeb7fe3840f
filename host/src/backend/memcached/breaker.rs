//! The breaker of one server: calls to a server that is down fail at once, and one caller at a time has it
//! looked at again. The clock and the jitter are arguments; no IO.
//!
//! ```text
//! closed --3 failures in a row--> open --a probe succeeds--> closed
//!                                  |  ^
//!                  the wait is over|  |the probe fails
//!                                  v  |
//!                                 one probe
//! ```
//!
//! - A failure is one of the server, not of a request: a connection that can't be made, or that stalls.
//! - While it is open, calls fail at once. The first call after the wait has a probe made, in the background;
//!   it fails like all others until the probe has succeeded.
//! - The wait before a probe is an eighth of the outage so far, within 1 and 60 seconds, give or take a
//!   fifth: an outage of up to 8 s is found to be over within about a second, a longer one within an eighth
//!   more, and hosts that lost the server together don't ask it together.
//! - The right to probe expires, as the task that has it may have ended with its runtime.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::BREAKER_FAILURES;

/// The bounds of the wait before a probe.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The wait's part of the outage.
const OUTAGE_PARTS: u32 = 8;

/// How far a wait can be from its mean.
const JITTER: f64 = 0.2;

/// The state of one server, as this host sees it.
pub(super) struct Breaker {
    /// The server's, for the log.
    name: String,
    /// For how long one prober keeps all others from probing.
    probe_time_max: Duration,
    /// A random number from 0 to 1.
    random: fn() -> f64,
    is_open: AtomicBool,
    /// How many connections were made.
    connections: AtomicU64,
    /// When the breaker was made, and how many milliseconds later the server last answered.
    made: Instant,
    heard: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Failures in a row.
    row: u32,
    /// Failures ever.
    failures: u64,
    /// When the row began.
    since: Option<Instant>,
    reason: String,
    /// When the next probe is due.
    next_probe: Option<Instant>,
}

/// Whether a call may go to the server.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Admission {
    Yes,
    /// It may not, for this reason.
    No(String),
    /// It may not, and this caller is to have the server looked at.
    Probe(String),
}

/// What a host thinks of a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerState {
    /// The last thing that was tried succeeded, or nothing was tried yet.
    Up,
    /// It failed lately, and is still asked.
    Failing,
    /// It failed several times in a row: calls fail at once, until it is found to be back.
    Down,
}

/// A breaker, read.
pub(super) struct Reading {
    pub(super) state: ServerState,
    pub(super) failures: u64,
    pub(super) outage: Option<Duration>,
}

impl Breaker {
    /// A closed one. `random` answers a number from 0 to 1.
    pub(super) fn new(name: &str, probe_time_max: Duration, random: fn() -> f64) -> Self {
        Self {
            name: name.to_owned(),
            probe_time_max,
            random,
            is_open: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            made: Instant::now(),
            heard: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    /// Asks for a call whether the server may be called. The time is asked for only while it is open.
    pub(super) fn admit(&self, now: impl FnOnce() -> Instant) -> Admission {
        if !self.is_open.load(Ordering::Acquire) {
            return Admission::Yes;
        }
        let now = now();
        let mut state = self.lock();
        match state.next_probe {
            None => Admission::Yes,
            Some(due) if now < due => Admission::No(state.reason.clone()),
            Some(_) => {
                state.next_probe = Some(now + self.probe_time_max);
                Admission::Probe(state.reason.clone())
            }
        }
    }

    /// The server answered something, on any connection.
    pub(super) fn heard(&self, now: Instant) {
        self.heard.store(self.milliseconds(now), Ordering::Relaxed);
    }

    /// A connection to the server stalled, or ended before anything was answered. That counts as a failure
    /// unless the server has answered on another one within `patience`: large values can be slow, and are no
    /// outage.
    pub(super) fn stalled(&self, now: Instant, patience: Duration, reason: &str) {
        let quiet = self.milliseconds(now).saturating_sub(self.heard.load(Ordering::Relaxed));
        let has_answered = self.heard.load(Ordering::Relaxed) > 0;
        if !has_answered || u128::from(quiet) >= patience.as_millis() {
            self.failed(now, reason);
        }
    }

    /// From 1: zero is never.
    fn milliseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.made).as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// The server failed.
    pub(super) fn failed(&self, now: Instant, reason: &str) {
        let mut state = self.lock();
        state.row = state.row.saturating_add(1);
        state.failures += 1;
        let since = *state.since.get_or_insert(now);
        reason.clone_into(&mut state.reason);
        if state.row < BREAKER_FAILURES {
            return;
        }
        let outage = now.saturating_duration_since(since);
        let wait = (outage / OUTAGE_PARTS).clamp(WAIT_MIN, WAIT_MAX);
        state.next_probe = Some(now + wait.mul_f64(1.0 - JITTER + 2.0 * JITTER * (self.random)()));
        let was_open = self.is_open.swap(true, Ordering::AcqRel);
        drop(state);
        if !was_open {
            tracing::warn!(server = %self.name, reason, "the server is down: calls to it fail at once");
        }
    }

    /// The server did what it was asked: whatever row there was is over.
    pub(super) fn succeeded(&self) {
        let mut state = self.lock();
        let outage = state.since.take().map(|since| since.elapsed());
        (state.row, state.next_probe) = (0, None);
        let was_open = self.is_open.swap(false, Ordering::AcqRel);
        drop(state);
        if was_open {
            let seconds = outage.unwrap_or_default().as_secs_f64();
            tracing::warn!(server = %self.name, outage_seconds = seconds, "the server is back");
        }
    }

    /// A connection was made: it may be to another process than the last one was.
    pub(super) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::AcqRel);
    }

    /// How many connections were made.
    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Acquire)
    }

    pub(super) fn read(&self, now: Instant) -> Reading {
        let state = self.lock();
        let is_open = self.is_open.load(Ordering::Acquire);
        Reading {
            state: match state.since {
                _ if is_open => ServerState::Down,
                Some(_) => ServerState::Failing,
                None => ServerState::Up,
            },
            failures: state.failures,
            outage: state.since.map(|since| now.saturating_duration_since(since)),
        }
    }

    /// A panic while the lock is held can't leave anything half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
