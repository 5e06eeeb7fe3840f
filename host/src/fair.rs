//! Fair queueing: whose operation is next where more stacks want a server than it can serve at once.
//!
//! An operation enters the gate of the server that it goes to, and has a slot there until its reply has come.
//! Where no slot is free it waits, in the order of start-time fair queueing (Goyal, Vin and Cheng, 1996):
//!
//! ```text
//! start  = max(virtual time, finish of the stack's last)     virtual time: the start of what entered last
//! finish = start + cost                                      the least start enters next
//! ```
//!
//! - So at most one of ten thousand operations that a stack has in the queue enters before another stack's
//!   first, and then they take turns. Without the gate all of them would be in the connection's queue, first
//!   come first served.
//! - Only what enters is counted: who has given up meanwhile has cost nothing.
//! - What has a slot can't be overtaken. So a busy stack has few at a time while there is a quiet one,
//!   however many are free: the fewer, the more it has in the queue ([`Flow::slots`]). Where all are busy, or
//!   one is alone, they share what a server has ([`SERVER_SLOTS`]).
//! - Every server has a gate of its own, so that one that hangs holds up nobody's operations on others; and
//!   what is large has another one, as it has a connection of its own. A batch enters each gate by itself.
//! - Where a slot is free, entering costs a few atomic operations, and no lock.

mod queue;

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use self::queue::Queue;
use crate::clock::Clock;
use crate::limits::{BUSY_SLOTS, LARGE_BYTES, QUIET_OPERATIONS_MAX, SERVER_SLOTS};

/// Gates, two for each of the backend's places. Where there are more places, some share their gates.
const GATES: usize = 64;

/// For how long a quiet stack counts as there after it was. One that calls now and then must not meet a full
/// server each time.
const QUIET_FOR: Duration = Duration::from_secs(10);

/// How often that is noted, at most.
const NOTE_EVERY: Duration = Duration::from_millis(100);

/// Why an operation may not go on. Nothing of it has been sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// The stack has too much in the queue.
    TooMany,
    /// Its turn did not come in time.
    TooLate,
}

impl Refused {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::TooMany => "the stack has too much in the queue",
            Self::TooLate => "the stack's turn did not come in time",
        }
    }
}

/// The gates of all servers.
pub(crate) struct FairQueue {
    gates: Vec<Gate>,
    clock: Clock,
    /// Flows with an operation that waits or has a slot.
    active: AtomicUsize,
}

/// The operations of one stack.
#[derive(Clone)]
pub(crate) struct Flow(Arc<UnderWay>);

struct UnderWay {
    number: u64,
    /// How many wait or have a slot.
    all: AtomicUsize,
    /// Slots that are taken, of each gate.
    taken: [AtomicUsize; GATES],
}

impl Flow {
    pub(crate) fn new() -> Self {
        static FLOWS: AtomicU64 = AtomicU64::new(0);
        let taken = [const { AtomicUsize::new(0) }; GATES];
        Self(Arc::new(UnderWay { number: FLOWS.fetch_add(1, Relaxed), all: AtomicUsize::new(0), taken }))
    }

    /// Which flow it is, of all that this process has had.
    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    /// How many slots of a gate it may have while there is a quiet stack: all as long as it is quiet itself,
    /// and the fewer the more it has in the queue.
    fn slots(&self) -> usize {
        match self.0.all.load(Relaxed) {
            ..=QUIET_OPERATIONS_MAX => SERVER_SLOTS,
            all => (QUIET_OPERATIONS_MAX * QUIET_OPERATIONS_MAX / all).max(BUSY_SLOTS),
        }
    }
}

/// What a gate is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Demand {
    /// The backend's number of the place.
    pub(crate) place: usize,
    /// How many keys of it the operation is about.
    pub(crate) keys: usize,
    /// Bytes that it writes.
    pub(crate) bytes: usize,
    /// Bytes of the largest entry that it writes.
    pub(crate) entry_bytes: usize,
}

impl Demand {
    /// An operation on one key.
    pub(crate) fn one(place: usize, bytes: usize) -> Self {
        Self { place, keys: 1, bytes, entry_bytes: bytes }
    }

    /// Whether two go through the same gate.
    pub(crate) fn is_beside(self, other: Self) -> bool {
        self.place == other.place && self.gate() == other.gate()
    }

    /// Another one of the same batch.
    pub(crate) fn add(&mut self, other: Self) {
        self.keys += other.keys;
        self.bytes += other.bytes;
        self.entry_bytes = self.entry_bytes.max(other.entry_bytes);
    }

    /// The gate's number. (A place's is even, or odd where what it holds is known to be large.)
    fn gate(self) -> usize {
        (self.place | usize::from(self.entry_bytes >= LARGE_BYTES)) % GATES
    }

    /// In slots. A batch is one burst that others wait behind, and so are large values.
    fn cost(self) -> usize {
        self.keys.max(1) + self.bytes / LARGE_BYTES
    }
}

struct Gate {
    number: usize,
    /// Until when a quiet stack counts as there beside others, in nanoseconds of the clock.
    quiet_until: AtomicU64,
    /// Slots that are taken. One operation may take more than there are, where any is free.
    taken: AtomicUsize,
    /// How many flows are in the queue.
    waiting: AtomicUsize,
    /// How many of them wait for others.
    contending: AtomicUsize,
    queue: Mutex<Queue>,
}

impl FairQueue {
    pub(crate) fn new(clock: Clock) -> Self {
        let gates = (0..GATES).map(Gate::new).collect();
        Self { gates, clock, active: AtomicUsize::new(0) }
    }

    /// Waits for a slot, which ends when what is answered is dropped. Whoever has one must not wait for
    /// another.
    ///
    /// Fails where the stack has too many in the queue, or its turn does not come within `patience`.
    pub(crate) async fn enter<'a>(
        &'a self,
        flow: &'a Flow,
        demand: Demand,
        patience: Duration,
    ) -> Result<Slot<'a>, Refused> {
        let (gate, cost) = (&self.gates[demand.gate()], demand.cost());
        let presence = Presence::new(self, gate, flow);
        let slot = |presence| Slot { queue: self, gate, cost, presence };
        if gate.contending.load(SeqCst) == 0 && gate.has_room() && self.may_enter(gate, flow) {
            gate.take(flow, cost);
            return Ok(slot(presence));
        }
        let Some(admitted) = self.line_up(gate, flow, demand)? else { return Ok(slot(presence)) };
        let mut waiting = Waiting { admitted, slot: Some(slot(presence)), bytes: demand.bytes };
        match timeout(patience, &mut waiting.admitted).await {
            Ok(Ok(())) => Ok(waiting.slot.take().expect("it is taken here only")),
            Ok(Err(_)) | Err(_) => Err(Refused::TooLate),
        }
    }

    /// Takes a place in the queue, or a slot at once where there is one: `None`.
    fn line_up(
        &self,
        gate: &Gate,
        flow: &Flow,
        demand: Demand,
    ) -> Result<Option<oneshot::Receiver<()>>, Refused> {
        let mut queue = gate.lock();
        // Before the slots are looked at: whoever gives one back meanwhile looks at this afterwards.
        gate.waiting.store(queue.len() + 1, SeqCst);
        let may_enter = self.may_enter(gate, flow);
        let lined_up = if may_enter && queue.contending() == 0 && gate.has_room() {
            gate.take(flow, demand.cost());
            Ok(None)
        } else {
            queue.push(flow, demand, may_enter).map(Some).ok_or(Refused::TooMany)
        };
        gate.note(&queue);
        lined_up
    }

    /// Gives slots back, and lets those in who are next.
    fn leave(&self, gate: &Gate, flow: &Flow, cost: usize) {
        gate.give_back(flow, cost);
        if gate.waiting.load(SeqCst) == 0 {
            return;
        }
        let mut queue = gate.lock();
        if self.may_enter(gate, flow) {
            queue.unpark(flow.0.number);
        }
        while gate.has_room() && queue.contending() > 0 {
            queue.admit(gate, |flow| self.may_enter(gate, flow));
        }
        gate.note(&queue);
    }

    /// Whether a flow may have another slot, where there is one.
    fn may_enter(&self, gate: &Gate, flow: &Flow) -> bool {
        flow.0.taken[gate.number].load(SeqCst) < flow.slots() || !self.is_somebody_quiet(gate)
    }

    fn is_somebody_quiet(&self, gate: &Gate) -> bool {
        self.now() < gate.quiet_until.load(Relaxed)
    }

    /// A quiet stack is there, beside others.
    fn note_quiet(&self, gate: &Gate) {
        let until = self.now() + QUIET_FOR.as_nanos() as u64;
        if gate.quiet_until.load(Relaxed) + NOTE_EVERY.as_nanos() as u64 <= until {
            gate.quiet_until.store(until, Relaxed);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Gate {
    fn new(number: usize) -> Self {
        let (quiet_until, taken, waiting, contending) = Default::default();
        Self { number, quiet_until, taken, waiting, contending, queue: Mutex::default() }
    }

    fn has_room(&self) -> bool {
        self.taken.load(SeqCst) < SERVER_SLOTS
    }

    fn take(&self, flow: &Flow, cost: usize) {
        self.taken.fetch_add(cost, SeqCst);
        flow.0.taken[self.number].fetch_add(cost, SeqCst);
    }

    fn give_back(&self, flow: &Flow, cost: usize) {
        flow.0.taken[self.number].fetch_sub(cost, SeqCst);
        self.taken.fetch_sub(cost, SeqCst);
    }

    /// Says who waits, before the queue is let go.
    fn note(&self, queue: &Queue) {
        self.waiting.store(queue.len(), SeqCst);
        self.contending.store(queue.contending(), SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A flow has one operation more under way.
struct Presence<'a>(&'a FairQueue, &'a Flow);

impl<'a> Presence<'a> {
    fn new(queue: &'a FairQueue, gate: &Gate, flow: &'a Flow) -> Self {
        let before = flow.0.all.fetch_add(1, Relaxed);
        let beside = match before {
            0 => queue.active.fetch_add(1, Relaxed),
            _ => queue.active.load(Relaxed).saturating_sub(1),
        };
        if before < QUIET_OPERATIONS_MAX && beside > 0 {
            queue.note_quiet(gate);
        }
        Self(queue, flow)
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        if self.1.0.all.fetch_sub(1, Relaxed) == 1 {
            self.0.active.fetch_sub(1, Relaxed);
        }
    }
}

/// The right to send an operation. Dropping it lets the next one in.
pub(crate) struct Slot<'a> {
    queue: &'a FairQueue,
    gate: &'a Gate,
    cost: usize,
    presence: Presence<'a>,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.queue.leave(self.gate, self.presence.1, self.cost);
    }
}

/// One who waits. Going away leaves nothing behind, and gives back what came at that moment.
struct Waiting<'a> {
    admitted: oneshot::Receiver<()>,
    /// What it will have. Given back only if it has been admitted.
    slot: Option<Slot<'a>>,
    bytes: usize,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(mut slot) = self.slot.take() else { return };
        let gate = slot.gate;
        let mut queue = gate.lock();
        // Under the lock: nobody is let in while it is looked.
        self.admitted.close();
        if self.admitted.try_recv().is_err() {
            queue.left(slot.presence.1.0.number, self.bytes);
            // It was never had.
            slot.cost = 0;
        }
    }
}

#[cfg(test)]
mod tests;
