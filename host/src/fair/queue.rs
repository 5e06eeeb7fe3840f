//! The queue at one gate: whose first one is next, and which flows have to wait for slots of their own.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use tokio::sync::oneshot;

use super::{Demand, Flow, Gate};
use crate::limits::{CONNECTION_BYTES_MAX, STACK_WAITING_OPERATIONS_MAX};

/// Who waits at one gate.
#[derive(Default)]
pub(super) struct Queue {
    virtual_time: u64,
    /// Of each flow that waits for others, the first: its start, its arrival (first come, first served among
    /// equals), and the flow.
    heads: BinaryHeap<Reverse<(u64, u64, u64)>>,
    /// How many flows wait for slots of their own.
    parked: usize,
    flows: HashMap<u64, Backlog>,
    /// How many were left when it was last looked which can be forgotten.
    kept: usize,
    arrivals: u64,
}

/// What one flow has in a queue.
struct Backlog {
    flow: Flow,
    finish: u64,
    waiters: VecDeque<Waiter>,
    /// How many of them have not gone away, and what they write.
    present: usize,
    bytes: usize,
    /// Whether it waits for a slot of its own, and for nobody else.
    is_parked: bool,
}

struct Waiter {
    arrival: u64,
    cost: usize,
    bytes: usize,
    admit: oneshot::Sender<()>,
}

impl Queue {
    /// How many flows wait.
    pub(super) fn len(&self) -> usize {
        self.heads.len() + self.parked
    }

    /// How many of them wait for others.
    pub(super) fn contending(&self) -> usize {
        self.heads.len()
    }

    /// Puts a waiter at the end of its flow's. `None`: the flow has too many.
    pub(super) fn push(
        &mut self,
        flow: &Flow,
        demand: Demand,
        may_enter: bool,
    ) -> Option<oneshot::Receiver<()>> {
        self.arrivals += 1;
        let arrival = self.arrivals;
        let backlog = self.flows.entry(flow.0.number).or_insert_with(|| Backlog::new(flow));
        if backlog.present >= STACK_WAITING_OPERATIONS_MAX
            || backlog.bytes + demand.bytes > CONNECTION_BYTES_MAX
        {
            return None;
        }
        let is_first = backlog.waiters.is_empty();
        if backlog.waiters.len() > 2 * backlog.present + 64 {
            backlog.waiters.retain(|waiter| !waiter.admit.is_closed());
        }
        let (admit, admitted) = oneshot::channel();
        let bytes = demand.bytes;
        backlog.waiters.push_back(Waiter { arrival, cost: demand.cost(), bytes, admit });
        backlog.present += 1;
        backlog.bytes += bytes;
        if is_first {
            self.settle(flow.0.number, may_enter);
        }
        Some(admitted)
    }

    /// Gives a flow that has waiters its place among the others, or parks it.
    fn settle(&mut self, flow: u64, may_enter: bool) {
        let Some(backlog) = self.flows.get_mut(&flow) else { return };
        let Some(first) = backlog.waiters.front() else { return };
        backlog.is_parked = !may_enter;
        if may_enter {
            let start = self.virtual_time.max(backlog.finish);
            self.heads.push(Reverse((start, first.arrival, flow)));
        } else {
            self.parked += 1;
        }
    }

    /// A parked flow has a slot again.
    pub(super) fn unpark(&mut self, flow: u64) {
        if let Some(backlog) = self.flows.get_mut(&flow)
            && backlog.is_parked
        {
            self.parked -= 1;
            self.settle(flow, true);
        }
    }

    /// Lets the next flow's first one in who is still there, or parks the flow.
    pub(super) fn admit(&mut self, gate: &Gate, may_enter: impl Fn(&Flow) -> bool) {
        let Some(Reverse((start, _, number))) = self.heads.pop() else { return };
        let Some(backlog) = self.flows.get_mut(&number) else { return };
        if !may_enter(&backlog.flow) {
            self.settle(number, false);
            return;
        }
        while let Some(next) = backlog.waiters.pop_front() {
            // Before it knows: it may give them back at once.
            gate.take(&backlog.flow, next.cost);
            if next.admit.send(()).is_ok() {
                self.virtual_time = self.virtual_time.max(start);
                backlog.finish = start + next.cost as u64;
                backlog.present -= 1;
                backlog.bytes -= next.bytes;
                break;
            }
            gate.give_back(&backlog.flow, next.cost);
        }
        if backlog.waiters.is_empty() {
            self.forget();
        } else {
            let may_enter = may_enter(&backlog.flow);
            self.settle(number, may_enter);
        }
    }

    /// What has nothing to wait for is forgotten, unless it has had more than its share.
    fn forget(&mut self) {
        if self.flows.len() > 2 * self.kept + 64 {
            let now = self.virtual_time;
            self.flows.retain(|_, backlog| !backlog.waiters.is_empty() || backlog.finish > now);
            self.kept = self.flows.len();
        }
    }

    /// A waiter of the flow has gone away.
    pub(super) fn left(&mut self, flow: u64, bytes: usize) {
        if let Some(backlog) = self.flows.get_mut(&flow) {
            backlog.present -= 1;
            backlog.bytes -= bytes;
        }
    }
}

impl Backlog {
    fn new(flow: &Flow) -> Self {
        let (finish, waiters, present, bytes, is_parked) = Default::default();
        Self { flow: flow.clone(), finish, waiters, present, bytes, is_parked }
    }
}

#[cfg(test)]
impl Queue {
    pub(super) fn parked(&self) -> impl Iterator<Item = &Flow> {
        self.flows.values().filter(|backlog| backlog.is_parked).map(|backlog| &backlog.flow)
    }

    /// How many waiters of a flow are remembered, those that have gone away included.
    pub(super) fn remembered(&self, flow: &Flow) -> usize {
        self.flows.get(&flow.0.number).map_or(0, |backlog| backlog.waiters.len())
    }
}
