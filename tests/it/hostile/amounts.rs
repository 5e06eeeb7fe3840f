//! Too much at once: lists, batches, memory, tables, and the stack.

use super::aftermath::{BOTH, attacks};
use super::{answers, passes, run, stopped, traps};
use crate::harness::{GUEST_MEMORY_BYTES, GUEST_TABLE_ELEMENTS, Host, Invocation};
use crate::kinds::Kind;

attacks! {
    a_list_of_four_billion_traps on BOTH;
    a_thousand_keys_that_are_one_mebibyte_trap on BOTH;
    hostile_batches_beyond_the_limits_are_refused on BOTH;
    memory_grows_to_its_limit_and_no_further on BOTH;
    hostile_allocates_without_end_and_traps on BOTH;
    a_table_grows_to_its_limit_and_no_further on BOTH;
    endless_recursion_traps on &Kind::ALL;
}

const PAGE_BYTES: usize = 65_536;

async fn a_list_of_four_billion_traps(host: &Host) {
    for number in 0..6 {
        let reasons = ["out of bounds", "size overflow"];
        traps(host, "a_list_of_four_billion_traps", &[number], &reasons).await;
    }
}

async fn a_thousand_keys_that_are_one_mebibyte_trap(host: &Host) {
    for number in 0..2 {
        let reasons = ["hostcalls has been exhausted"];
        traps(host, "a_thousand_keys_that_are_one_mebibyte_trap", &[number], &reasons).await;
    }
}

async fn hostile_batches_beyond_the_limits_are_refused(host: &Host) {
    passes(host, "hostile_batches_beyond_the_limits_are_refused", &[]).await;
}

async fn memory_grows_to_its_limit_and_no_further(host: &Host) {
    let called = host.call("memory_grows_to_its_limit_and_no_further", Invocation::default(), &[0]).await;
    let [pages] = called.answers[..] else { panic!("{:?}", called.failure) };
    let bytes = pages as usize * PAGE_BYTES;
    assert!(bytes <= GUEST_MEMORY_BYTES && bytes > GUEST_MEMORY_BYTES / 2, "{bytes}");
}

async fn hostile_allocates_without_end_and_traps(host: &Host) {
    let ended = run(host, "hostile_allocates_without_end_and_traps", &[]).await;
    stopped("an allocation", ended.failure, &["unreachable"]);
}

async fn a_table_grows_to_its_limit_and_no_further(host: &Host) {
    let called = host.call("a_table_grows_to_its_limit_and_no_further", Invocation::default(), &[0]).await;
    let [elements] = called.answers[..] else { panic!("{:?}", called.failure) };
    let elements = elements as usize;
    assert!(elements <= GUEST_TABLE_ELEMENTS && elements > GUEST_TABLE_ELEMENTS / 2, "{elements}");
}

async fn endless_recursion_traps(host: &Host) {
    for number in 0..2 {
        traps(host, "endless_recursion_traps", &[number], &["call stack exhausted"]).await;
    }
    // The host function that ran last was on what was left of the stack, and did its work.
    answers(host, "utf16_is_the_same_text_or_a_trap", &[0], &[1]).await;
}
