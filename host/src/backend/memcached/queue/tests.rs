//! The queue's outcomes: what was never written, what was written and not answered.

use std::time::Duration;

use super::super::protocol::{Ttl, When};
use super::*;
use crate::stored::{Flags, StorageKey, Stored};
use crate::ttl::Lifetime;

fn call(requests: usize) -> Arc<Call> {
    Call::new(vec![Request::Noop; requests], 0)
}

#[test]
fn the_queue_is_bounded_by_requests_that_have_no_reply_yet() {
    let queue = Queue::default();
    let large = call(CONNECTION_REQUESTS_MAX);
    let (_ticket, start) = queue.push(Arc::clone(&large)).expect("there is just room");
    assert!(start, "the first call starts the task");
    let refused = queue.push(call(1)).err();
    assert!(matches!(refused, Some(Failure::NotSent { .. })));
    queue.take(usize::MAX, &mut Vec::new());
    assert!(queue.push(call(1)).is_err(), "what is in flight counts");
    queue.release(&large);
    let (_ticket, start) = queue.push(call(1)).expect("there is room again");
    assert!(!start, "the task runs");
}

#[test]
fn the_queue_is_bounded_by_bytes_that_have_no_reply_yet() {
    let queue = Queue::default();
    let store = |bytes: usize| {
        let key = StorageKey::parse(":AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").expect("of the right form");
        let ttl = Ttl::new(Lifetime::UntilEvicted, Duration::ZERO, 0);
        let entry = Stored { flags: Flags::PLACEHOLDER, data: vec![0; bytes].into() };
        Call::new(vec![Request::Store { key, entry, ttl, when: When::Always }], 0)
    };
    let large = store(CONNECTION_BYTES_MAX - 1000);
    let (ticket, _) = queue.push(Arc::clone(&large)).expect("there is room");
    drop(ticket);
    assert!(queue.push(store(1000)).is_err(), "nobody waits for it, and it is still there");
    queue.release(&large);
    queue.push(store(1000)).expect("there is room again");
}

#[test]
fn a_call_is_taken_or_given_up_and_never_both() {
    let queue = Queue::default();
    let (given_up, taken) = (call(1), call(1));
    let (ticket, _) = queue.push(Arc::clone(&given_up)).expect("there is room");
    assert!(matches!(ticket.give_up("late"), Err(Failure::NotSent { .. })));
    assert!(!given_up.take());

    let (ticket, _) = queue.push(Arc::clone(&taken)).expect("there is room");
    assert!(taken.take());
    assert!(matches!(ticket.give_up("late"), Err(Failure::Unanswered { .. })));
}

#[test]
fn a_reply_that_came_at_the_last_moment_is_not_lost() {
    let queue = Queue::default();
    let call = call(1);
    let (ticket, _) = queue.push(Arc::clone(&call)).expect("there is room");
    assert!(call.take());
    call.finish(Ok(vec![Reply::Noop]));
    assert_eq!(ticket.give_up("late"), Ok(vec![Reply::Noop]));
}

#[tokio::test]
async fn what_waits_when_the_task_ends_fails_and_the_next_call_starts_it_again() {
    let queue = Queue::default();
    for _ in 0..3 {
        let (ticket, start) = queue.push(call(1)).expect("it may be tried");
        assert!(start);
        queue.abort("refused");
        assert!(matches!(ticket.await, Err(Failure::NotSent { .. })));
    }
}
