//! Calls on their way to the connection task, and the one-shot replies on their way back.
//!
//! A call is what one operation sends at once: requests that leave together and are answered together. It
//! is either waiting or taken, and which of the two is decided under the queue's lock: a caller that goes
//! away while its call waits is sure that it will never be written, and one that goes away later touches
//! nothing, as the task reads the replies all the same.
//!
//! What stands between caller and task is a slot in a slab. It is used again when both have done with it, so
//! that a call of one request costs no allocation.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use slab::Slab;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::protocol::{Reply, Request};
use crate::limits::{CONNECTION_BYTES_MAX, CONNECTION_REQUESTS_MAX};

/// What a line costs in the write buffer, about: a key, a few numbers.
const LINE_BYTES: usize = 192;

/// What a caller is told whose time is over.
const TIMED_OUT: &str = "no reply within the timeout";

/// Why a call has no replies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// It was not written, and will not be.
    NotSent { reason: String },
    /// It was at least partly written.
    Unanswered { reason: String },
    /// It was not even queued, as too much waits already. The server has nothing to do with it.
    Busy { reason: String },
    /// It was not written, as one of its items is larger than this.
    TooLarge { limit: usize },
}

/// The requests of a call: mostly one, which costs no allocation.
pub(super) type Requests = SmallVec<[Request; 1]>;

/// As many replies, in the same order.
pub(super) type Replies = SmallVec<[Reply; 1]>;

/// What a caller waits for.
pub(super) type Outcome = Result<Replies, Failure>;

/// Requests that leave together and are answered together, on the task's side.
pub(super) struct Call {
    pub(super) requests: Requests,
    /// How many bytes of values may be held of all replies together.
    pub(super) batch_bytes_max: usize,
    pub(super) room: Room,
}

/// The place that a call takes in the queue until it is finished.
pub(super) struct Room {
    slot: usize,
    requests: usize,
    /// Bytes that the call takes on the wire, about.
    bytes: usize,
}

/// What caller and task share of a call.
struct Slot {
    progress: Progress,
    /// When the caller has waited long enough.
    deadline: Instant,
    /// Whether something may be changed by it.
    is_write: bool,
    /// Whether the task still has the call.
    is_with_task: bool,
}

enum Progress {
    Waiting(Option<Waker>),
    Taken(Option<Waker>),
    Done(Outcome),
    /// Nobody wants the outcome any more.
    Over,
}

/// The caller's side of a call: a future of its outcome.
pub(super) struct Ticket<'a> {
    queue: &'a Queue,
    slot: usize,
}

impl Future for Ticket<'_> {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let mut state = lock(&self.queue.state);
        let progress = &mut state.slots[self.slot].progress;
        match progress {
            Progress::Waiting(waker) | Progress::Taken(waker) => {
                match waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    None => *waker = Some(context.waker().clone()),
                }
                Poll::Pending
            }
            Progress::Done(_) | Progress::Over => match std::mem::replace(progress, Progress::Over) {
                Progress::Done(outcome) => Poll::Ready(outcome),
                _ => Poll::Pending,
            },
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.queue.state);
        let slot = &mut state.slots[self.slot];
        slot.progress = Progress::Over;
        if !slot.is_with_task {
            state.slots.remove(self.slot);
        }
    }
}

/// The bounded queue of calls between any number of callers and one connection task.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    slots: Slab<Slot>,
    waiting: VecDeque<Call>,
    task: Task,
    /// Bytes of the calls that wait.
    waiting_bytes: usize,
    /// Requests that wait or are in flight, and their bytes.
    requests: usize,
    bytes: usize,
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
    pub(super) fn push(
        &self,
        requests: Requests,
        batch_bytes_max: usize,
        deadline: Instant,
    ) -> Result<(Ticket<'_>, bool), Failure> {
        let data = |request: &Request| request.data().map_or(0, |data| data.len());
        let bytes = requests.iter().map(|request| LINE_BYTES + data(request)).sum::<usize>();

        let mut state = lock(&self.state);
        state.check_room(requests.len(), bytes)?;
        let (waker, start) = match &mut state.task {
            Task::Running(waker) => (waker.take(), false),
            Task::Stopped => {
                state.task = Task::Running(None);
                (None, true)
            }
            Task::Closed => {
                return Err(Failure::NotSent { reason: "the connection was closed".to_owned() });
            }
        };
        state.requests += requests.len();
        state.bytes += bytes;
        state.waiting_bytes += bytes;
        let progress = Progress::Waiting(None);
        let is_write = requests.iter().any(Request::is_write);
        let slot = state.slots.insert(Slot { progress, deadline, is_write, is_with_task: true });
        let room = Room { slot, requests: requests.len(), bytes };
        state.waiting.push_back(Call { requests, batch_bytes_max, room });
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok((Ticket { queue: self, slot }, start))
    }

    /// Whether a call waits (`true`), or none will come any more (`false`).
    pub(super) fn poll_arrival(&self, context: &Context<'_>) -> Poll<bool> {
        let mut state = lock(&self.state);
        if !state.waiting.is_empty() {
            return Poll::Ready(true);
        }
        match &mut state.task {
            Task::Running(Some(waker)) => waker.clone_from(context.waker()),
            Task::Running(waker) => *waker = Some(context.waker().clone()),
            Task::Stopped | Task::Closed => return Poll::Ready(false),
        }
        Poll::Pending
    }

    /// Moves calls of about so many bytes, but at least one, to `batch`, which is empty. Those whose caller
    /// has gone are left out, and will never be written.
    pub(super) fn take(&self, bytes_max: usize, batch: &mut VecDeque<Call>) {
        let mut state = lock(&self.state);
        if state.waiting_bytes <= bytes_max {
            // As mostly: all at once, without moving any.
            std::mem::swap(&mut state.waiting, batch);
            state.waiting_bytes = 0;
        } else {
            let mut bytes = 0;
            while bytes < bytes_max
                && let Some(call) = state.waiting.pop_front()
            {
                bytes += call.room.bytes;
                batch.push_back(call);
            }
            state.waiting_bytes -= bytes;
        }
        batch.retain(|call| state.claim(&call.room));
    }

    /// Gives callers, as far as there still are any, their outcomes.
    pub(super) fn finish(&self, outcomes: impl IntoIterator<Item = (Room, Outcome)>) {
        let mut wakers = SmallVec::<[Waker; 64]>::new();
        let mut state = lock(&self.state);
        for (room, outcome) in outcomes {
            wakers.extend(state.finish(&room, outcome));
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Tells callers whose time is over so. Answers whether a write was among them that may have been sent:
    /// it must not be carried out later, when its caller has done something about it, so its connection
    /// has to end.
    pub(super) fn expire(&self, now: Instant) -> bool {
        let mut wakers = Vec::new();
        let mut has_sent_write = false;
        let mut state = lock(&self.state);
        for (_, slot) in state.slots.iter_mut().filter(|(_, slot)| slot.deadline <= now) {
            let reason = TIMED_OUT.to_owned();
            let (failure, waker) = match &mut slot.progress {
                Progress::Waiting(waker) => (Failure::NotSent { reason }, waker.take()),
                Progress::Taken(waker) => {
                    has_sent_write |= slot.is_write;
                    (Failure::Unanswered { reason }, waker.take())
                }
                Progress::Done(_) | Progress::Over => continue,
            };
            slot.progress = Progress::Done(Err(failure));
            wakers.extend(waker);
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        has_sent_write
    }

    /// The task asks whether it may end, and ends if so: not while a call waits.
    pub(super) fn stop_if_empty(&self) -> bool {
        let mut state = lock(&self.state);
        let stop = state.waiting.is_empty();
        if stop {
            state.stop();
        }
        stop
    }

    /// The task ends, for whatever reason. What waits fails.
    pub(super) fn abort(&self, reason: &str) {
        let mut state = lock(&self.state);
        state.stop();
        let calls = std::mem::take(&mut state.waiting);
        state.waiting_bytes = 0;
        drop(state);
        let failure = || Failure::NotSent { reason: reason.to_owned() };
        self.finish(calls.into_iter().map(|call| (call.room, Err(failure()))));
    }

    /// Whether there is no task, and none is needed.
    pub(super) fn is_stopped(&self) -> bool {
        !matches!(lock(&self.state).task, Task::Running(_))
    }

    /// Whether nothing is kept of any call.
    #[cfg(feature = "fuzzing")]
    pub(super) fn is_idle(&self) -> bool {
        let state = lock(&self.state);
        let is_empty = state.waiting.is_empty() && state.slots.is_empty();
        is_empty && (state.requests, state.bytes, state.waiting_bytes) == (0, 0, 0)
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
    fn check_room(&self, requests: usize, bytes: usize) -> Result<(), Failure> {
        let reason = if self.requests + requests > CONNECTION_REQUESTS_MAX {
            format!("{} requests wait for the server already", self.requests)
        } else if self.bytes + bytes > CONNECTION_BYTES_MAX {
            format!("requests of {} bytes wait for the server already", self.bytes)
        } else {
            return Ok(());
        };
        Err(Failure::Busy { reason })
    }

    /// Claims a call for writing. `false`: its caller has gone, and it must not be written.
    fn claim(&mut self, room: &Room) -> bool {
        let progress = &mut self.slots[room.slot].progress;
        if let Progress::Waiting(waker) = progress {
            *progress = Progress::Taken(waker.take());
            return true;
        }
        self.release(room);
        false
    }

    /// Gives a call its outcome. Answers whom to wake.
    fn finish(&mut self, room: &Room, outcome: Outcome) -> Option<Waker> {
        let progress = &mut self.slots[room.slot].progress;
        let waker = match progress {
            Progress::Waiting(waker) | Progress::Taken(waker) => {
                let waker = waker.take();
                *progress = Progress::Done(outcome);
                waker
            }
            Progress::Done(_) | Progress::Over => None,
        };
        self.release(room);
        waker
    }

    /// The task has done with a call.
    fn release(&mut self, room: &Room) {
        self.requests -= room.requests;
        self.bytes -= room.bytes;
        let slot = &mut self.slots[room.slot];
        slot.is_with_task = false;
        if matches!(slot.progress, Progress::Over) {
            self.slots.remove(room.slot);
        }
    }

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
