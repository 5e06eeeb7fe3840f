//! One call of a caller: bounded, counted, and at random given up in its middle.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;
use std::time::{Duration, Instant};

use strongroom_host::backend;

use crate::dice::Dice;
use crate::hush::Listener;
use crate::lateness::Lateness;
use crate::ledger::{Ended, Ledger, Outcome};

/// What calls are configured with.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(300);

/// A call that takes so long hangs, whatever the machine does.
pub(crate) const HANGS: Duration = Duration::from_secs(20);

/// How many calls a caller remembers, for the report of a failure.
const HISTORY: usize = 40;

/// Callers wait so long between calls, at most.
const THINK_MICROSECONDS: u64 = 60_000;

/// A caller's own time-out, at most: shorter than most replies take, up to longer than all do.
const IMPATIENCE_MICROSECONDS: u64 = 8_000;

/// What all callers share.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) begun: Instant,
    pub(crate) ledger: Ledger,
    pub(crate) listener: Listener,
    pub(crate) stop: AtomicBool,
    /// What a call may take.
    pub(crate) bound: Duration,
}

/// An error, as callers see it.
pub(crate) trait Failure: std::error::Error {
    /// `None` for an error that the call can't have.
    fn outcome(&self) -> Option<Outcome>;
}

impl Failure for strongroom_host::Error {
    fn outcome(&self) -> Option<Outcome> {
        match () {
            () if self.is_unavailable() => Some(Outcome::Unavailable),
            () if self.is_timed_out() => Some(Outcome::Unknown),
            () => None,
        }
    }
}

impl Failure for backend::Error {
    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Unavailable { .. } => Some(Outcome::Unavailable),
            Self::OutcomeUnknown { .. } => Some(Outcome::Unknown),
            _ => None,
        }
    }
}

/// How a call ended, for what its caller knows of its key.
pub(crate) enum Answer<T> {
    Done(T),
    Unchanged,
    Unknown,
}

/// The side of a caller that makes calls.
pub(crate) struct Calls {
    pub(crate) world: Arc<World>,
    pub(crate) lateness: Arc<Lateness>,
    pub(crate) dice: Dice,
    number: usize,
    history: VecDeque<String>,
    /// What the call's error says, if it had one.
    reason: Option<String>,
}

impl Calls {
    pub(crate) fn new(world: Arc<World>, lateness: Arc<Lateness>, number: usize) -> Self {
        let dice = Dice::new(world.seed, number as u64);
        Self { world, lateness, dice, number, history: VecDeque::new(), reason: None }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.world.stop.load(Relaxed)
    }

    pub(crate) async fn think(&mut self) {
        let pause = Duration::from_micros(self.dice.between(1, THINK_MICROSECONDS));
        tokio::time::sleep(pause).await;
    }

    /// Makes a call that takes the configured time-out at most.
    pub(crate) async fn call<T, E: Failure>(
        &mut self,
        name: &'static str,
        call: impl Future<Output = Result<T, E>>,
    ) -> Answer<T> {
        self.call_within(name, Duration::ZERO, call).await
    }

    /// Makes a call that may wait for so long besides.
    pub(crate) async fn call_within<T, E: Failure>(
        &mut self,
        name: &'static str,
        wait: Duration,
        call: impl Future<Output = Result<T, E>>,
    ) -> Answer<T> {
        let from = Instant::now();
        let mut call = pin!(call);
        let (outcome, answer) = match self.dice.below(10) {
            0 | 1 => {
                let patience = Duration::from_micros(self.dice.between(0, IMPATIENCE_MICROSECONDS));
                match tokio::time::timeout(patience, call.as_mut()).await {
                    Ok(result) => self.outcome(name, result),
                    Err(_) => (Outcome::TimedOut, Answer::Unknown),
                }
            }
            2 => match polled(call.as_mut(), self.dice.below(4)).await {
                Some(result) => self.outcome(name, result),
                None => (Outcome::Dropped, Answer::Unknown),
            },
            _ => match tokio::time::timeout(HANGS, call.as_mut()).await {
                Ok(result) => self.outcome(name, result),
                Err(_) => {
                    self.wrong(&format!("{name} hangs"));
                    (Outcome::TimedOut, Answer::Unknown)
                }
            },
        };
        let to = Instant::now();
        let begun = self.world.begun;
        self.remember(format!("{:>10.3?} {name}: {outcome:?} after {:.1?}", from - begun, to - from));
        let (bound, reason) = (self.world.bound + wait, self.reason.take());
        let ended = Ended { name, outcome, reason, from, to, bound };
        self.world.ledger.ended(ended, &self.lateness);
        answer
    }

    fn outcome<T, E: Failure>(&mut self, name: &str, result: Result<T, E>) -> (Outcome, Answer<T>) {
        match result {
            Ok(answer) => (Outcome::Done, Answer::Done(answer)),
            Err(error) => {
                self.world.listener.error(&error);
                let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
                self.reason = Some(format!("{error}{source}"));
                match error.outcome() {
                    Some(Outcome::Unavailable) => (Outcome::Unavailable, Answer::Unchanged),
                    Some(outcome) => (outcome, Answer::Unknown),
                    None => {
                        self.wrong(&format!("{name} answered {error:?}"));
                        (Outcome::Unknown, Answer::Unknown)
                    }
                }
            }
        }
    }

    /// Adds to the caller's history what only it knows.
    pub(crate) fn remember(&mut self, what: String) {
        if self.history.len() >= HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(what);
    }

    /// Takes in what a check found.
    pub(crate) fn check<T>(&mut self, checked: Result<T, String>) -> Option<T> {
        self.world.ledger.checked(1);
        checked.inspect_err(|what| self.wrong(what)).ok()
    }

    pub(crate) fn wrong(&mut self, what: &str) {
        let history: Vec<_> = self.history.iter().map(String::as_str).collect();
        let history = history.join("\n  ");
        self.world.ledger.wrong(format!(
            "{what}\ncaller {} at {:.3?}; its last calls:\n  {history}",
            self.number,
            self.world.begun.elapsed()
        ));
    }
}

/// Polls a future so many times, and no more.
async fn polled<F: Future>(mut future: Pin<&mut F>, mut times: usize) -> Option<F::Output> {
    poll_fn(|context| {
        if times == 0 {
            return Poll::Ready(None);
        }
        times -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // Given up at once: the waker that was left behind must do no harm.
            Poll::Pending if times == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
