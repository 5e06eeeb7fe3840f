//! The queue's outcomes: what was never written, what was written and not answered.

use std::time::Duration;

use super::super::protocol::{Ttl, When};
use super::*;
use crate::stored::{Flags, StorageKey, Stored};
use crate::ttl::Lifetime;

const PATIENCE: Duration = Duration::from_secs(1);

fn noops(count: usize) -> Requests {
    (0..count).map(|_| Request::Noop).collect()
}

fn store(bytes: usize) -> Requests {
    let key = StorageKey::parse(":AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").expect("of the right form");
    let ttl = Ttl::new(Lifetime::UntilEvicted, Duration::ZERO, 0);
    let entry = Stored { flags: Flags::PLACEHOLDER, data: vec![0; bytes].into() };
    smallvec::smallvec![Request::Store { key, entry, ttl, when: When::Always }]
}

fn push(queue: &Queue, requests: Requests) -> Result<(Ticket<'_>, bool), Failure> {
    queue.push(requests, 0, Instant::now() + PATIENCE)
}

fn take(queue: &Queue) -> VecDeque<Call> {
    let mut batch = VecDeque::new();
    queue.take(usize::MAX, &mut batch);
    batch
}

fn finish(queue: &Queue, calls: VecDeque<Call>) {
    let outcome = |call: &Call| Ok(call.requests.iter().map(|_| Reply::Noop).collect());
    queue.finish(calls.into_iter().map(|call| {
        let outcome = outcome(&call);
        (call.room, outcome)
    }));
}

#[tokio::test]
async fn the_queue_is_bounded_by_requests_that_have_no_reply_yet() {
    let queue = Queue::default();
    let (ticket, start) = push(&queue, noops(CONNECTION_REQUESTS_MAX)).expect("there is just room");
    assert!(start, "the first call starts the task");
    assert!(matches!(push(&queue, noops(1)).err(), Some(Failure::Busy { .. })));
    let calls = take(&queue);
    assert!(push(&queue, noops(1)).is_err(), "what is in flight counts");
    finish(&queue, calls);
    let (_ticket, start) = push(&queue, noops(1)).expect("there is room again");
    assert!(!start, "the task runs");
    assert_eq!(ticket.await.map(|replies| replies.len()), Ok(CONNECTION_REQUESTS_MAX));
}

#[test]
fn the_queue_is_bounded_by_bytes_that_have_no_reply_yet() {
    let queue = Queue::default();
    let (ticket, _) = push(&queue, store(CONNECTION_BYTES_MAX - 1000)).expect("there is room");
    let calls = take(&queue);
    drop(ticket);
    assert!(push(&queue, store(1000)).is_err(), "nobody waits for it, and it is still there");
    finish(&queue, calls);
    drop(push(&queue, store(1000)).expect("there is room again"));
}

#[test]
fn a_call_is_taken_or_given_up_and_never_both() {
    let queue = Queue::default();
    let (ticket, _) = push(&queue, noops(1)).expect("there is room");
    drop(ticket);
    assert!(take(&queue).is_empty(), "a call whose caller has gone is never written");

    let (ticket, _) = push(&queue, noops(1)).expect("there is room");
    let calls = take(&queue);
    drop(ticket);
    finish(&queue, calls);
    let state = lock(&queue.state);
    assert_eq!((state.slots.len(), state.requests, state.bytes), (0, 0, 0), "nothing is left of either");
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_time_is_over_learns_whether_its_call_was_written() {
    let queue = Queue::default();
    let (written, _) = push(&queue, noops(1)).expect("there is room");
    let calls = take(&queue);
    let (waiting, _) = push(&queue, noops(1)).expect("there is room");
    tokio::time::advance(PATIENCE).await;
    let (young, _) = push(&queue, noops(1)).expect("there is room");
    assert!(!queue.expire(Instant::now()), "no write is among them");
    assert!(matches!(written.await, Err(Failure::Unanswered { .. })));
    assert!(matches!(waiting.await, Err(Failure::NotSent { .. })));

    let late = take(&queue);
    assert_eq!(late.len(), 1, "what was not written in time never will be");
    finish(&queue, calls);
    finish(&queue, late);
    assert!(young.await.is_ok());
    assert!(lock(&queue.state).slots.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_write_that_may_arrive_late_is_told_from_what_can_not() {
    let queue = Queue::default();
    let (waiting, _) = push(&queue, store(1)).expect("there is room");
    tokio::time::advance(PATIENCE).await;
    assert!(!queue.expire(Instant::now()), "it never was written");
    assert!(matches!(waiting.await, Err(Failure::NotSent { .. })));
    let (written, _) = push(&queue, store(1)).expect("there is room");
    let _calls = take(&queue);
    tokio::time::advance(PATIENCE).await;
    assert!(queue.expire(Instant::now()));
    assert!(matches!(written.await, Err(Failure::Unanswered { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_came_at_the_last_moment_is_not_lost() {
    let queue = Queue::default();
    let (ticket, _) = push(&queue, noops(1)).expect("there is room");
    finish(&queue, take(&queue));
    tokio::time::advance(2 * PATIENCE).await;
    queue.expire(Instant::now());
    assert!(ticket.await.is_ok());
}

#[tokio::test]
async fn what_waits_when_the_task_ends_fails_and_the_next_call_starts_it_again() {
    let queue = Queue::default();
    for _ in 0..3 {
        let (ticket, start) = push(&queue, noops(1)).expect("it may be tried");
        assert!(start);
        queue.abort("refused");
        assert!(matches!(ticket.await, Err(Failure::NotSent { .. })));
    }
}
