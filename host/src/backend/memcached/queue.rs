//! Calls on their way to the connection task, and the one-shot replies on their way back.
//!
//! A call is what one operation sends at once: requests that leave together and are answered together. It
//! is either waiting or taken, and which of the two is decided under its lock: a caller that goes away
//! while its call waits is sure that it will never be written, and one that goes away later touches
//! nothing, as the task reads the replies all the same.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::protocol::{Reply, Request};
use crate::limits::{CONNECTION_BYTES_MAX, CONNECTION_REQUESTS_MAX};

/// What a line costs in the write buffer, about: a key, a few numbers.
const LINE_BYTES: usize = 192;

/// Why a call has no replies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// It was not written, and will not be.
    NotSent { reason: String },
    /// It was at least partly written.
    Unanswered { reason: String },
    /// It was not written, as one of its items is larger than this.
    TooLarge { limit: usize },
}

/// What a caller waits for.
pub(super) type Outcome = Result<Vec<Reply>, Failure>;

/// Requests that leave together and are answered together.
pub(super) struct Call {
    pub(super) requests: Vec<Request>,
    /// How many bytes of values may be held of all replies together.
    pub(super) batch_bytes_max: usize,
    progress: Mutex<Progress>,
}

enum Progress {
    Waiting(Option<Waker>),
    Taken(Option<Waker>),
    Done(Outcome),
    /// Nobody wants the outcome any more.
    Over,
}

impl Call {
    pub(super) fn new(requests: Vec<Request>, batch_bytes_max: usize) -> Arc<Self> {
        let progress = Mutex::new(Progress::Waiting(None));
        Arc::new(Self { requests, batch_bytes_max, progress })
    }

    /// Claims the call for writing. `false`: its caller has gone, and it must not be written.
    pub(super) fn take(&self) -> bool {
        let mut progress = lock(&self.progress);
        let Progress::Waiting(waker) = &mut *progress else {
            return false;
        };
        *progress = Progress::Taken(waker.take());
        true
    }

    /// Gives the caller, if there still is one, its outcome.
    pub(super) fn finish(&self, outcome: Outcome) {
        let mut progress = lock(&self.progress);
        let waker = match &mut *progress {
            Progress::Waiting(waker) | Progress::Taken(waker) => waker.take(),
            Progress::Done(_) | Progress::Over => return,
        };
        *progress = Progress::Done(outcome);
        drop(progress);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Bytes that the call takes on the wire, about.
    fn bytes(&self) -> usize {
        let data = |request: &Request| request.data().map_or(0, |data| data.len());
        self.requests.iter().map(|request| LINE_BYTES + data(request)).sum()
    }
}

/// The caller's side of a call: a future of its outcome.
pub(super) struct Ticket(Arc<Call>);

impl Ticket {
    /// Stops waiting. A call that waits is taken back; of one that was taken, the outcome is unknown
    /// unless it has just come.
    pub(super) fn give_up(self, reason: &str) -> Outcome {
        let reason = reason.to_owned();
        match std::mem::replace(&mut *lock(&self.0.progress), Progress::Over) {
            Progress::Done(outcome) => outcome,
            Progress::Waiting(_) => Err(Failure::NotSent { reason }),
            Progress::Taken(_) | Progress::Over => Err(Failure::Unanswered { reason }),
        }
    }
}

impl Future for Ticket {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let mut progress = lock(&self.0.progress);
        match &mut *progress {
            Progress::Waiting(waker) | Progress::Taken(waker) => {
                match waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    None => *waker = Some(context.waker().clone()),
                }
                Poll::Pending
            }
            Progress::Done(_) | Progress::Over => match std::mem::replace(&mut *progress, Progress::Over) {
                Progress::Done(outcome) => Poll::Ready(outcome),
                _ => Poll::Pending,
            },
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        *lock(&self.0.progress) = Progress::Over;
    }
}

/// The bounded queue of calls between any number of callers and one connection task.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Requests that wait or are in flight, and their bytes. Only ever raised under the lock.
    requests: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Default)]
struct State {
    calls: VecDeque<Arc<Call>>,
    task: Task,
}

#[derive(Default)]
enum Task {
    #[default]
    Stopped,
    Running(Option<Waker>),
    /// No calls will come any more.
    Closed,
}

impl Queue {
    /// Adds a call. The answer's second half says whether the caller must start the connection task.
    pub(super) fn push(&self, call: Arc<Call>) -> Result<(Ticket, bool), Failure> {
        let mut state = lock(&self.state);
        let requests = self.requests.load(Relaxed);
        if requests + call.requests.len() > CONNECTION_REQUESTS_MAX {
            let reason = format!("{requests} requests wait for the server already");
            return Err(Failure::NotSent { reason });
        }
        let bytes = self.bytes.load(Relaxed);
        if bytes + call.bytes() > CONNECTION_BYTES_MAX {
            let reason = format!("requests of {bytes} bytes wait for the server already");
            return Err(Failure::NotSent { reason });
        }
        let (waker, start) = match &mut state.task {
            Task::Running(waker) => (waker.take(), false),
            Task::Stopped => {
                state.task = Task::Running(None);
                (None, true)
            }
            Task::Closed => (None, false),
        };
        self.requests.fetch_add(call.requests.len(), Relaxed);
        self.bytes.fetch_add(call.bytes(), Relaxed);
        state.calls.push_back(Arc::clone(&call));
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok((Ticket(call), start))
    }

    /// Waits for a call. `false`: none will come any more.
    pub(super) async fn arrival(&self) -> bool {
        std::future::poll_fn(|context| {
            let mut state = lock(&self.state);
            if !state.calls.is_empty() {
                return Poll::Ready(true);
            }
            match &mut state.task {
                Task::Running(waker) => {
                    *waker = Some(context.waker().clone());
                    Poll::Pending
                }
                Task::Stopped | Task::Closed => Poll::Ready(false),
            }
        })
        .await
    }

    /// Moves calls of about so many bytes, but at least one, to `batch`.
    pub(super) fn take(&self, bytes_max: usize, batch: &mut Vec<Arc<Call>>) {
        let mut state = lock(&self.state);
        let mut bytes = 0;
        while bytes < bytes_max
            && let Some(call) = state.calls.pop_front()
        {
            bytes += call.bytes();
            batch.push(call);
        }
    }

    /// Makes the room of a call free, which is answered or given up.
    pub(super) fn release(&self, call: &Call) {
        self.requests.fetch_sub(call.requests.len(), Relaxed);
        self.bytes.fetch_sub(call.bytes(), Relaxed);
    }

    /// The task asks whether it may end, and ends if so: not while a call waits.
    pub(super) fn stop_if_empty(&self) -> bool {
        let mut state = lock(&self.state);
        let stop = state.calls.is_empty();
        if stop {
            state.stop();
        }
        stop
    }

    /// The task ends, for whatever reason. What waits fails.
    pub(super) fn abort(&self, reason: &str) {
        let mut state = lock(&self.state);
        state.stop();
        let calls = std::mem::take(&mut state.calls);
        drop(state);
        for call in calls {
            self.release(&call);
            call.finish(Err(Failure::NotSent { reason: reason.to_owned() }));
        }
    }

    /// Says that no calls will come any more.
    pub(super) fn close(&self) {
        let task = std::mem::replace(&mut lock(&self.state).task, Task::Closed);
        if let Task::Running(Some(waker)) = task {
            waker.wake();
        }
    }
}

impl State {
    fn stop(&mut self) {
        if !matches!(self.task, Task::Closed) {
            self.task = Task::Stopped;
        }
    }
}

/// A panic while one of these locks is held can't leave anything half done, so the lock stays good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
