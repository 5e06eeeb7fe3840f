//! Handles that a guest does not have.

use super::aftermath::{BOTH, attacks};
use super::traps;
use crate::harness::{Host, Invocation};

attacks! {
    a_handle_that_was_never_given_out_traps on BOTH;
    a_handle_that_was_dropped_traps on BOTH;
    a_handle_of_another_type_traps on BOTH;
    a_handle_of_an_earlier_invocation_traps on BOTH;
}

/// The operations on a handle, as the texts number them: get, get-many, set, delete-many, fetch, clear, drop;
/// of a fill complete and drop.
const OPERATIONS: std::ops::Range<u32> = 0..9;

const UNKNOWN: &[&str] = &["unknown handle index"];

async fn a_handle_that_was_never_given_out_traps(host: &Host) {
    for operation in OPERATIONS {
        for handle in [0, 1, 2, 1023, 1024, u32::MAX >> 2, u32::MAX >> 1, u32::MAX - 1, u32::MAX] {
            traps(host, "a_handle_that_was_never_given_out_traps", &[operation, handle], UNKNOWN).await;
        }
    }
}

async fn a_handle_that_was_dropped_traps(host: &Host) {
    for operation in OPERATIONS {
        traps(host, "a_handle_that_was_dropped_traps", &[operation], UNKNOWN).await;
    }
}

async fn a_handle_of_another_type_traps(host: &Host) {
    for operation in OPERATIONS.chain(OPERATIONS.map(|operation| 100 + operation)) {
        traps(host, "a_handle_of_another_type_traps", &[operation], &["used with the wrong type"]).await;
    }
}

async fn a_handle_of_an_earlier_invocation_traps(host: &Host) {
    let text = "a_handle_of_an_earlier_invocation_traps";
    let opened = host.call(text, Invocation::default(), &[0]).await;
    let [handle] = opened.answers[..] else { panic!("{:?}", opened.failure) };
    traps(host, text, &[handle], UNKNOWN).await;
    // It is as little worth to somebody else.
    let other = Invocation { stack: Some("globex"), ..Invocation::default() };
    let called = host.call(text, other, &[handle]).await;
    super::stopped(text, called.failure, UNKNOWN);
}
