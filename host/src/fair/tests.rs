//! Who is next, by hand: every future is polled when the test says so.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::*;
use crate::limits::STACK_WAITING_OPERATIONS_MAX;

/// Longer than any test.
const PATIENCE: Duration = Duration::from_secs(3600);

type Entering<'a> = Pin<Box<dyn Future<Output = Result<Slot<'a>, Refused>> + 'a>>;

fn queue() -> FairQueue {
    FairQueue::new(Clock::manual())
}

fn demand(place: usize, keys: usize, bytes: usize) -> Demand {
    Demand { place, keys, bytes, entry_bytes: bytes }
}

fn enter<'a>(queue: &'a FairQueue, flow: &'a Flow, keys: usize) -> Entering<'a> {
    Box::pin(queue.enter(flow, demand(0, keys, 0), PATIENCE))
}

/// However often this is called, without a pause in which the runtime could take a breath.
fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Option<F::Output> {
    match pin!(tokio::task::unconstrained(future.as_mut())).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn slot<'a>(entering: &mut Entering<'a>) -> Option<Slot<'a>> {
    poll(entering).map(|entered| entered.expect("nothing is refused here"))
}

/// A quiet stack calls, beside another one.
fn call_quietly(queue: &FairQueue) {
    let (one, other) = (Flow::new(), Flow::new());
    let _one = slot(&mut enter(queue, &one, 1)).expect("there is room");
    let _other = slot(&mut enter(queue, &other, 1)).expect("there is room");
}

/// What was quiet has been busy, or away, for long.
fn no_longer_quiet(queue: &FairQueue) {
    queue.clock.advance(QUIET_FOR + Duration::from_secs(1));
}

/// All slots that a flow can have, with so many operations more in the queue.
fn flood<'a>(queue: &'a FairQueue, flow: &'a Flow, count: usize) -> (Vec<Slot<'a>>, Vec<Entering<'a>>) {
    let (mut held, mut waiting) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let mut entering = enter(queue, flow, 1);
        match slot(&mut entering) {
            Some(slot) => held.push(slot),
            None => waiting.push(entering),
        }
    }
    (held, waiting)
}

/// Of those who wait, the ones who have been let in.
fn let_in<'a>(waiting: &mut Vec<Entering<'a>>) -> Vec<Slot<'a>> {
    let mut held = Vec::new();
    waiting.retain_mut(|entering| {
        let slot = slot(entering);
        let waits = slot.is_none();
        held.extend(slot);
        waits
    });
    held
}

fn is_empty(queue: &FairQueue) -> bool {
    queue.active.load(Relaxed) == 0
        && queue.gates.iter().all(|gate| {
            let inner = gate.lock();
            let (waiting, contending) = (gate.waiting.load(SeqCst), gate.contending.load(SeqCst));
            (gate.taken.load(SeqCst), waiting, contending, inner.len()) == (0, 0, 0, 0)
        })
}

#[tokio::test]
async fn a_stack_has_all_slots_while_nobody_is_quiet_and_few_while_somebody_is() {
    let (queue, flow) = (queue(), Flow::new());
    let alone = flood(&queue, &flow, 1000).0.len();
    assert_eq!(alone, SERVER_SLOTS);
    call_quietly(&queue);
    let (held, waiting) = flood(&queue, &flow, 1000);
    assert_eq!(held.len(), QUIET_OPERATIONS_MAX, "those that came while it was quiet itself");
    drop((held, waiting));
    no_longer_quiet(&queue);
    assert_eq!(flood(&queue, &flow, 1000).0.len(), SERVER_SLOTS);
}

#[tokio::test]
async fn the_more_a_stack_has_in_the_queue_the_fewer_slots_it_has() {
    let (queue, flow) = (queue(), Flow::new());
    for (operations, expected) in
        [(10, 10), (16, 16), (17, 15), (32, 8), (64, 4), (128, BUSY_SLOTS), (10_000, BUSY_SLOTS)]
    {
        call_quietly(&queue);
        let (mut held, mut waiting) = flood(&queue, &flow, operations);
        // Each that has ended is begun again.
        for _ in 0..100 {
            held.pop();
            let (more, wait) = flood(&queue, &flow, operations - held.len() - waiting.len());
            held.extend(more);
            waiting.extend(wait);
            held.extend(let_in(&mut waiting));
        }
        assert_eq!(held.len(), expected, "of {operations}");
    }
}

#[tokio::test]
async fn ten_thousand_operations_of_one_stack_are_ahead_of_anothers_by_none() {
    let (queue, busy, quiet) = (queue(), Flow::new(), Flow::new());
    call_quietly(&queue);
    let (_held, _waiting) = flood(&queue, &busy, 10_000);
    for _ in 0..100 {
        assert!(slot(&mut enter(&queue, &quiet, 1)).is_some(), "what waits is not ahead of it");
    }
}

#[tokio::test]
async fn busy_stacks_take_turns() {
    let (queue, early, late) = (queue(), Flow::new(), Flow::new());
    let (mut held, mut of_early) = flood(&queue, &early, 10_000);
    let (none, mut of_late) = flood(&queue, &late, 10_000);
    assert_eq!((held.len(), none.len()), (SERVER_SLOTS, 0));
    no_longer_quiet(&queue);
    held.truncate(held.len() - 100);
    let (of_early, of_late) = (let_in(&mut of_early), let_in(&mut of_late));
    assert_eq!(of_early.len() + of_late.len(), 100);
    assert!(of_early.len().abs_diff(of_late.len()) <= 2, "{} and {}", of_early.len(), of_late.len());
}

#[tokio::test]
async fn large_operations_count_for_more() {
    let (queue, large, small) = (queue(), Flow::new(), Flow::new());
    let (mut held, _) = flood(&queue, &large, SERVER_SLOTS);
    let mut waiting: Vec<_> =
        (0..100).flat_map(|_| [(10, enter(&queue, &large, 10)), (1, enter(&queue, &small, 1))]).collect();
    for (_, entering) in &mut waiting {
        assert!(slot(entering).is_none());
    }
    no_longer_quiet(&queue);
    let mut served = (0, 0);
    for _ in 0..60 {
        held.pop();
        let admitted: Vec<_> = (waiting.iter_mut().enumerate())
            .filter_map(|(at, (cost, entering))| slot(entering).map(|slot| (at, *cost, slot)))
            .collect();
        for (at, cost, slot) in admitted.into_iter().rev() {
            drop(waiting.swap_remove(at));
            if cost == 10 {
                served.0 += cost
            } else {
                served.1 += cost
            }
            held.push(slot);
        }
    }
    let (of_large, of_small) = served;
    assert!(
        of_small > 20 && of_small + 20 >= of_large,
        "{of_large} slots went to the large, {of_small} to the small"
    );
}

#[tokio::test]
async fn a_server_that_hangs_holds_up_nobody_at_another_one() {
    let (queue, busy, quiet) = (queue(), Flow::new(), Flow::new());
    let _hanging = flood(&queue, &busy, 1000);
    let elsewhere = queue.enter(&quiet, demand(2, 1, 0), PATIENCE);
    assert!(slot(&mut (Box::pin(elsewhere) as Entering)).is_some());
    let large = queue.enter(&quiet, demand(0, 1, LARGE_BYTES), PATIENCE);
    assert!(
        slot(&mut (Box::pin(large) as Entering)).is_some(),
        "large writes have a connection of their own"
    );
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_does_not_come_in_time_is_given_up() {
    let (queue, flow) = (queue(), Flow::new());
    let (held, _) = flood(&queue, &flow, SERVER_SLOTS);
    let late = queue.enter(&flow, demand(0, 1, 0), Duration::from_secs(1));
    assert_eq!(pin!(late).await.err(), Some(Refused::TooLate));
    drop(held);
    assert!(slot(&mut enter(&queue, &flow, 1)).is_some());
    assert!(is_empty(&queue));
}

#[tokio::test]
async fn who_gives_up_has_cost_its_stack_nothing() {
    let (queue, impatient, other) = (queue(), Flow::new(), Flow::new());
    let (mut held, _) = flood(&queue, &other, SERVER_SLOTS);
    for _ in 0..10_000 {
        assert!(slot(&mut enter(&queue, &impatient, 1)).is_none());
    }
    let mut others: Vec<_> = (0..100).map(|_| enter(&queue, &other, 1)).collect();
    assert!(others.iter_mut().all(|entering| slot(entering).is_none()));
    let mut patient = enter(&queue, &impatient, 1);
    assert!(slot(&mut patient).is_none());
    assert!(queue.gates[0].lock().remembered(&impatient) <= 66, "nor is it remembered");
    no_longer_quiet(&queue);
    held.truncate(held.len() - 2);
    assert!(slot(&mut patient).is_some(), "its next one waits for no more than one of the other's");
}

#[tokio::test]
async fn a_stacks_queue_is_bounded_and_anothers_is_not_longer_for_it() {
    let (queue, busy, quiet) = (queue(), Flow::new(), Flow::new());
    let (mut held, waiting) = flood(&queue, &busy, SERVER_SLOTS + STACK_WAITING_OPERATIONS_MAX);
    assert_eq!((held.len(), waiting.len()), (SERVER_SLOTS, STACK_WAITING_OPERATIONS_MAX));
    let refused = poll(&mut enter(&queue, &busy, 1)).expect("at once");
    assert_eq!(refused.err(), Some(Refused::TooMany));
    let mut entering = enter(&queue, &quiet, 1);
    assert!(slot(&mut entering).is_none());
    no_longer_quiet(&queue);
    held.truncate(held.len() - 2);
    assert!(slot(&mut entering).is_some());
}

/// What happens next to the operations of some flows.
#[derive(Clone, Copy, Debug)]
enum Step {
    Enter { flow: usize, keys: usize, place: usize },
    Poll(usize),
    GoAway(usize),
    Leave(usize),
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4usize, 1..60usize, 0..2usize).prop_map(|(flow, keys, place)| Step::Enter { flow, keys, place }),
        4 => any::<usize>().prop_map(Step::Poll),
        2 => any::<usize>().prop_map(Step::GoAway),
        4 => any::<usize>().prop_map(Step::Leave),
        1 => Just(Step::Wait),
    ]
}

proptest! {
    /// Whatever comes, goes away in the queue and leaves: nobody waits while there is room, and at the end
    /// nothing is left.
    #[test]
    fn slots_are_never_lost(steps in prop::collection::vec(step(), 1..300)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let _inside = runtime.enter();
        let (queue, flows) = (queue(), std::array::from_fn::<_, 4, _>(|_| Flow::new()));
        let (mut entering, mut held): (Vec<Entering>, Vec<Slot>) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Enter { flow, keys, place } => {
                    entering.push(Box::pin(queue.enter(&flows[flow], demand(place, keys, 0), PATIENCE)));
                }
                Step::Poll(at) if !entering.is_empty() => {
                    let at = at % entering.len();
                    if let Some(slot) = slot(&mut entering[at]) {
                        held.push(slot);
                        drop(entering.swap_remove(at));
                    }
                }
                Step::GoAway(at) if !entering.is_empty() => drop(entering.swap_remove(at % entering.len())),
                Step::Leave(at) if !held.is_empty() => drop(held.swap_remove(at % held.len())),
                Step::Wait => queue.clock.advance(QUIET_FOR / 2),
                Step::Poll(_) | Step::GoAway(_) | Step::Leave(_) => {}
            }
            for gate in &queue.gates {
                let inner = gate.lock();
                prop_assert_eq!(gate.waiting.load(SeqCst), inner.len());
                prop_assert_eq!(gate.contending.load(SeqCst), inner.contending());
                let is_full = gate.taken.load(SeqCst) >= SERVER_SLOTS;
                prop_assert!(inner.contending() == 0 || is_full, "somebody waits for nothing");
                let has_some = |flow: &Flow| flow.0.taken[gate.number].load(SeqCst) > 0;
                prop_assert!(inner.parked().all(has_some), "somebody waits for a slot of its own and has none");
            }
        }
        held.clear();
        while !entering.is_empty() {
            let before = entering.len();
            entering.retain_mut(|entering| slot(entering).is_none());
            prop_assert!(entering.len() < before, "{} wait for ever", before);
        }
        prop_assert!(is_empty(&queue));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_lose_no_slot() {
    use std::sync::Arc;
    let queue = Arc::new(queue());
    let flows: Vec<_> = (0..8).map(|_| Arc::new(Flow::new())).collect();
    let tasks: Vec<_> = (0..400)
        .map(|number: usize| {
            let (queue, flow) = (Arc::clone(&queue), Arc::clone(&flows[number % 8]));
            tokio::spawn(async move {
                for round in 0..200 {
                    let demand = demand(round % 2, 1 + number % 7, 0);
                    let patience = if number.is_multiple_of(5) { Duration::ZERO } else { PATIENCE };
                    let slot = queue.enter(&flow, demand, patience).await;
                    tokio::task::yield_now().await;
                    drop(slot);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it does not panic");
    }
    assert!(is_empty(&queue));
}
