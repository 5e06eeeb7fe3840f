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
//! - What has a slot can't be overtaken, so slots are few ([`SHARED_SLOTS`]) while stacks compete, and many
//!   ([`LONE_SLOTS`]) as long as there is one stack only: the more requests leave in one write, the more a
//!   connection can do.
//! - Every server has a gate of its own, so that one that hangs holds up nobody's operations on others; and
//!   what is large has another one, as it has a connection of its own. A batch enters each gate by itself.
//! - Where a slot is free, entering costs a few atomic operations, and no lock.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::limits::{CONNECTION_BYTES_MAX, LONE_SLOTS, SHARED_SLOTS, STACK_WAITING_OPERATIONS_MAX};

/// Gates, two for each of the backend's places. Where there are more places, some share their gates.
const GATES: usize = 64;

/// A write from this size on goes through the other gate of its place.
const LARGE_BYTES: usize = 32 * 1024;

/// For how long after they have competed stacks count as competing. A quiet stack that calls now and then
/// must not meet a full queue each time.
const SHARED_FOR: Duration = Duration::from_secs(10);

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
        self.place == other.place && self.gate() % GATES == other.gate() % GATES
    }

    /// Another one of the same batch.
    pub(crate) fn add(&mut self, other: Self) {
        self.keys += other.keys;
        self.bytes += other.bytes;
        self.entry_bytes = self.entry_bytes.max(other.entry_bytes);
    }

    /// The gate's number, modulo [`GATES`]. (A place's number is even, or odd where what it holds is known to
    /// be large.)
    fn gate(self) -> usize {
        self.place | usize::from(self.entry_bytes >= LARGE_BYTES)
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
    /// How many flows are in the queue.
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    virtual_time: u64,
    /// Of each flow that has waiters, the first: its start, its arrival (first come, first served among
    /// equals), and the flow.
    heads: BinaryHeap<Reverse<(u64, u64, u64)>>,
    flows: HashMap<u64, Backlog>,
    arrivals: u64,
}

/// What one flow has in a queue.
#[derive(Default)]
struct Backlog {
    finish: u64,
    waiters: VecDeque<Waiter>,
    /// How many of them have not gone away, and what they write.
    present: usize,
    bytes: usize,
}

struct Waiter {
    arrival: u64,
    cost: usize,
    bytes: usize,
    admit: oneshot::Sender<()>,
}

impl Queue {
    /// Puts a waiter at the end of its flow's. `None`: the flow has too many.
    fn push(&mut self, flow: u64, demand: Demand) -> Option<oneshot::Receiver<()>> {
        self.arrivals += 1;
        let arrival = self.arrivals;
        let backlog = self.flows.entry(flow).or_default();
        if backlog.present >= STACK_WAITING_OPERATIONS_MAX
            || backlog.bytes + demand.bytes > CONNECTION_BYTES_MAX
        {
            return None;
        }
        if backlog.waiters.is_empty() {
            let start = self.virtual_time.max(backlog.finish);
            self.heads.push(Reverse((start, arrival, flow)));
        } else if backlog.waiters.len() > 2 * backlog.present + 64 {
            backlog.waiters.retain(|waiter| !waiter.admit.is_closed());
        }
        let (admit, admitted) = oneshot::channel();
        let bytes = demand.bytes;
        backlog.waiters.push_back(Waiter { arrival, cost: demand.cost(), bytes, admit });
        backlog.present += 1;
        backlog.bytes += bytes;
        Some(admitted)
    }

    /// Lets the next one in who is still there.
    fn admit(&mut self, taken: &AtomicUsize) {
        let Some(Reverse((start, _, flow))) = self.heads.pop() else { return };
        let Some(backlog) = self.flows.get_mut(&flow) else { return };
        while let Some(next) = backlog.waiters.pop_front() {
            // Before it knows: it may give them back at once.
            taken.fetch_add(next.cost, SeqCst);
            if next.admit.send(()).is_ok() {
                self.virtual_time = self.virtual_time.max(start);
                backlog.finish = start + next.cost as u64;
                backlog.present -= 1;
                backlog.bytes -= next.bytes;
                break;
            }
            taken.fetch_sub(next.cost, SeqCst);
        }
        if let Some(next) = backlog.waiters.front() {
            let start = self.virtual_time.max(backlog.finish);
            self.heads.push(Reverse((start, next.arrival, flow)));
        } else if self.flows.len() > 2 * self.heads.len() + 64 {
            // What has nothing to wait for is forgotten, unless it has had more than its share.
            let now = self.virtual_time;
            self.flows.retain(|_, backlog| !backlog.waiters.is_empty() || backlog.finish > now);
        }
    }

    /// A waiter of the flow has gone away.
    fn left(&mut self, flow: u64, bytes: usize) {
        if let Some(backlog) = self.flows.get_mut(&flow) {
            backlog.present -= 1;
            backlog.bytes -= bytes;
        }
    }
}

impl FairQueue {
    pub(crate) fn new(clock: Clock) -> Self {
        let gates = std::iter::repeat_with(Gate::default).take(GATES).collect();
        Self { gates, clock, active: AtomicUsize::new(0), shared_until: AtomicU64::new(0) }
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
        let presence = Presence::new(self, flow);
        let (gate, cost) = (&self.gates[demand.gate() % GATES], demand.cost());
        let slot = |presence| Slot { queue: self, gate, cost, presence };
        if gate.waiting.load(SeqCst) == 0 && self.has_room(gate) {
            gate.taken.fetch_add(cost, SeqCst);
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
        gate.waiting.store(queue.heads.len() + 1, SeqCst);
        let is_first = queue.heads.is_empty() && self.has_room(gate);
        let lined_up = if is_first {
            gate.taken.fetch_add(demand.cost(), SeqCst);
            Ok(None)
        } else {
            queue.push(flow.number, demand).map(Some).ok_or(Refused::TooMany)
        };
        gate.waiting.store(queue.heads.len(), SeqCst);
        lined_up
    }

    /// Gives slots back, and lets those in who are next.
    fn leave(&self, gate: &Gate, cost: usize) {
        gate.taken.fetch_sub(cost, SeqCst);
        if gate.waiting.load(SeqCst) == 0 {
            return;
        }
        let mut queue = gate.lock();
        while self.has_room(gate) && !queue.heads.is_empty() {
            queue.admit(&gate.taken);
        }
        gate.waiting.store(queue.heads.len(), SeqCst);
    }

    fn has_room(&self, gate: &Gate) -> bool {
        let taken = gate.taken.load(SeqCst);
        taken < SHARED_SLOTS || (taken < LONE_SLOTS && !self.is_shared())
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
    presence: Presence<'a>,
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
            queue.left(slot.presence.1.number, self.bytes);
            // It was never had.
            slot.cost = 0;
        }
    }
}

#[cfg(test)]
mod tests;
