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
//! - So a stack with ten thousand operations in the queue is ahead of another's first one by one of them, and
//!   then they take turns. Without the gate all of them would be in the connection's queue, first come first
//!   served.
//! - What has a slot can't be overtaken, so slots are few ([`SLOTS_SHARED`]) while stacks compete, and many
//!   ([`SLOTS_ALONE`]) as long as there is one stack only: the more requests leave in one write, the more a
//!   connection can do.
//! - Every server has a gate of its own, so that one that hangs holds up nobody's operations on others; and
//!   large writes have another one, as they have a connection of their own.
//! - Where a slot is free, entering costs a few atomic operations, and no lock.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::limits::{SLOTS_ALONE, SLOTS_SHARED, STACK_QUEUE_MAX};

/// Servers with a gate of their own. More share them, no more.
const PLACES: usize = 32;

/// A write from this size on goes through the other gate of its server.
const LARGE_BYTES: usize = 32 * 1024;

/// For how long after they have competed stacks count as competing. A quiet stack that calls now and then
/// must not meet a full queue each time.
const SHARED_FOR: Duration = Duration::from_secs(10);

/// Why an operation may not go on. Nothing of it has been sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// The stack has too many operations in the queue.
    TooMany,
    /// Its turn did not come in time.
    TooLate,
}

impl Refused {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::TooMany => "the stack has too many operations in the queue",
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
    /// Until when stacks count as competing, in nanoseconds of the clock.
    shared_until: AtomicU64,
}

/// The operations of one stack.
pub(crate) struct Flow {
    number: u64,
    /// How many wait or have a slot.
    under_way: AtomicUsize,
}

impl Flow {
    pub(crate) fn new() -> Self {
        static FLOWS: AtomicU64 = AtomicU64::new(0);
        Self { number: FLOWS.fetch_add(1, Relaxed), under_way: AtomicUsize::new(0) }
    }
}

/// What a gate is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Demand {
    /// The backend's number of the server.
    pub(crate) place: usize,
    /// How many keys of it the operation is about.
    pub(crate) keys: usize,
    /// Bytes that it writes.
    pub(crate) bytes: usize,
}

impl Demand {
    /// The number of the gate. Whoever wants several enters in their order.
    pub(crate) fn gate(self) -> usize {
        self.place % PLACES * 2 + usize::from(self.bytes >= LARGE_BYTES)
    }

    /// In slots. A batch is one burst that others wait behind, and so are large values.
    fn cost(self) -> usize {
        self.keys.max(1) + self.bytes / LARGE_BYTES
    }
}

#[derive(Default)]
struct Gate {
    /// Slots that are taken. One operation may take more than there are, where any is free.
    taken: AtomicUsize,
    /// How many are in the queue.
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    virtual_time: u64,
    waiters: BinaryHeap<Reverse<Waiter>>,
    /// Of the flows that have waiters.
    flows: HashMap<u64, Backlog>,
    arrivals: u64,
}

#[derive(Default)]
struct Backlog {
    finish: u64,
    waiters: usize,
}

struct Waiter {
    start: u64,
    /// First come, first served among equals.
    arrival: u64,
    flow: u64,
    cost: usize,
    admit: oneshot::Sender<()>,
}

impl FairQueue {
    pub(crate) fn new(clock: Clock) -> Self {
        let gates = std::iter::repeat_with(Gate::default).take(PLACES * 2).collect();
        Self { gates, clock, active: AtomicUsize::new(0), shared_until: AtomicU64::new(0) }
    }

    /// Waits for a slot, which ends when what is answered is dropped.
    ///
    /// Fails where the stack has too many in the queue, or its turn does not come within `patience`.
    pub(crate) async fn enter<'a>(
        &'a self,
        flow: &'a Flow,
        demand: Demand,
        patience: Duration,
    ) -> Result<Slot<'a>, Refused> {
        let presence = Presence::new(self, flow);
        let (gate, cost) = (&self.gates[demand.gate()], demand.cost());
        let slot = |presence| Slot { queue: self, gate, cost, _presence: presence };
        if gate.waiting.load(SeqCst) == 0 && self.has_room(gate) {
            gate.taken.fetch_add(cost, SeqCst);
            return Ok(slot(presence));
        }
        let Some(admitted) = self.line_up(gate, flow, cost)? else { return Ok(slot(presence)) };
        let mut waiting = Waiting { admitted, slot: Some(slot(presence)) };
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
        cost: usize,
    ) -> Result<Option<oneshot::Receiver<()>>, Refused> {
        let mut queue = gate.lock();
        // Before the slots are looked at: whoever gives one back meanwhile looks at this afterwards.
        gate.waiting.fetch_add(1, SeqCst);
        let is_first = queue.waiters.is_empty() && self.has_room(gate);
        let (virtual_time, arrival) = (queue.virtual_time, queue.arrivals);
        let backlog = queue.flows.entry(flow.number).or_default();
        if is_first || backlog.waiters >= STACK_QUEUE_MAX {
            gate.waiting.fetch_sub(1, SeqCst);
            if !is_first {
                return Err(Refused::TooMany);
            }
            gate.taken.fetch_add(cost, SeqCst);
            queue.flows.clear();
            return Ok(None);
        }
        let start = virtual_time.max(backlog.finish);
        backlog.finish = start + cost as u64;
        backlog.waiters += 1;
        let (admit, admitted) = oneshot::channel();
        queue.arrivals += 1;
        queue.waiters.push(Reverse(Waiter { start, arrival, flow: flow.number, cost, admit }));
        Ok(Some(admitted))
    }

    /// Gives slots back, and lets those in who are next.
    fn leave(&self, gate: &Gate, cost: usize) {
        gate.taken.fetch_sub(cost, SeqCst);
        if gate.waiting.load(SeqCst) == 0 {
            return;
        }
        let mut queue = gate.lock();
        while self.has_room(gate)
            && let Some(Reverse(next)) = queue.waiters.pop()
        {
            gate.waiting.fetch_sub(1, SeqCst);
            queue.virtual_time = queue.virtual_time.max(next.start);
            if let Some(backlog) = queue.flows.get_mut(&next.flow) {
                backlog.waiters -= 1;
            }
            gate.taken.fetch_add(next.cost, SeqCst);
            if next.admit.send(()).is_err() {
                // Its caller has gone away.
                gate.taken.fetch_sub(next.cost, SeqCst);
            }
        }
        if queue.waiters.is_empty() {
            queue.flows.clear();
        }
    }

    fn has_room(&self, gate: &Gate) -> bool {
        let taken = gate.taken.load(SeqCst);
        taken < SLOTS_SHARED || (taken < SLOTS_ALONE && !self.is_shared())
    }

    fn is_shared(&self) -> bool {
        self.active.load(Relaxed) > 1 || self.now() < self.shared_until.load(Relaxed)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A flow has one operation more under way.
struct Presence<'a>(&'a FairQueue, &'a Flow);

impl<'a> Presence<'a> {
    fn new(queue: &'a FairQueue, flow: &'a Flow) -> Self {
        if flow.under_way.fetch_add(1, Relaxed) == 0 && queue.active.fetch_add(1, Relaxed) > 0 {
            let until = queue.now() + SHARED_FOR.as_nanos() as u64;
            queue.shared_until.store(until, Relaxed);
        }
        Self(queue, flow)
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        if self.1.under_way.fetch_sub(1, Relaxed) == 1 {
            self.0.active.fetch_sub(1, Relaxed);
        }
    }
}

/// The right to send an operation. Dropping it lets the next one in.
pub(crate) struct Slot<'a> {
    queue: &'a FairQueue,
    gate: &'a Gate,
    cost: usize,
    _presence: Presence<'a>,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.queue.leave(self.gate, self.cost);
    }
}

/// One who waits. Going away leaves nothing behind, and gives back what came at that moment.
struct Waiting<'a> {
    admitted: oneshot::Receiver<()>,
    /// What it will have. Given back only if it has been admitted.
    slot: Option<Slot<'a>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        self.admitted.close();
        if self.admitted.try_recv().is_err() {
            slot.forget();
        }
    }
}

impl Slot<'_> {
    /// Ends a slot that was never had.
    fn forget(mut self) {
        // Nothing is taken back; and whoever is next was let in, or will be, by those who have slots.
        self.cost = 0;
    }
}

impl PartialEq for Waiter {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiter {}

impl PartialOrd for Waiter {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiter {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.start, self.arrival).cmp(&(other.start, other.arrival))
    }
}

#[cfg(test)]
mod tests;
