//! What never ends by itself, and what is asked for again and again.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use strongroom_host::backend::Memory;
use strongroom_host::{Clock, Config, InvocationLimits};

use super::aftermath::{BOTH, attacks};
use super::{passes, run, stopped, traps};
use crate::harness::{Host, Invocation, PAST_DEADLINE};
use crate::kinds::Kind;
use crate::limits::TABLE_IS_FULL;
use crate::own_process::{heap_bytes, in_a_process_of_its_own, runtime};

attacks! {
    hostile_does_one_thing_without_end on BOTH;
    a_flood_of_namespaces_is_served on &Kind::ALL;
    a_flood_of_handles_traps on BOTH;
    a_flood_of_handles_ends_with_the_invocations_own on BOTH, with one_handle;
    an_endless_loop_is_stopped on BOTH;
    a_start_function_that_never_ends_is_stopped on BOTH;
    a_realloc_that_never_ends_is_stopped on BOTH;
}

const DEADLINE: Option<Duration> = Some(Duration::from_millis(150));

async fn hostile_does_one_thing_without_end(host: &Host) {
    for thing in ["get", "set", "count", "clear", "open", "fetch"] {
        let invocation = Invocation { arguments: vec![thing], deadline: DEADLINE, ..Invocation::default() };
        let ended = host.run("hostile_does_one_thing_without_end", invocation).await;
        stopped(thing, ended.failure, &[PAST_DEADLINE]);
        assert_eq!(ended.output, "", "{thing}");
    }
}

async fn a_flood_of_namespaces_is_served(host: &Host) {
    for arguments in [["name", "5000"], ["name and get", "500"]] {
        assert_eq!(passes(host, "hostile_does_one_thing_without_end", &arguments).await, "done\n");
    }
}

/// A guest that opens caches without end.
const HANDLES: &str = "limits_too_many_handles_trap";

async fn a_flood_of_handles_traps(host: &Host) {
    stopped("handles", run(host, HANDLES, &[]).await.failure, &TABLE_IS_FULL);
}

fn one_handle() -> Config {
    Config::new().invocation_limits(InvocationLimits::UNLIMITED.handles(NonZeroU32::MIN))
}

async fn a_flood_of_handles_ends_with_the_invocations_own(host: &Host) {
    let reasons = ["the invocation has 1 caches and fills"];
    stopped("handles", run(host, HANDLES, &[]).await.failure, &reasons);
}

async fn past_deadline(host: &Host, text: &str, number: u32) {
    let invocation = Invocation { deadline: DEADLINE, ..Invocation::default() };
    let called = host.call(text, invocation, &[number]).await;
    stopped(&format!("{text} {number}"), called.failure, &[PAST_DEADLINE]);
}

async fn an_endless_loop_is_stopped(host: &Host) {
    for number in 0..2 {
        past_deadline(host, "an_endless_loop_is_stopped", number).await;
    }
}

async fn a_start_function_that_never_ends_is_stopped(host: &Host) {
    past_deadline(host, "a_start_function_that_never_ends_is_stopped", 0).await;
}

async fn a_realloc_that_never_ends_is_stopped(host: &Host) {
    past_deadline(host, "a_realloc_that_never_ends_is_stopped", 0).await;
    traps(host, "a_realloc_that_never_ends_is_stopped", &[1], &["call stack exhausted"]).await;
}

/// What a host remembers of namespaces, as `GENERATIONS_MAX` bounds it, with what maps take beside.
const GENERATIONS_BYTES: usize = 32 << 20;

/// What the backend of the test below may hold.
const ENTRIES_BYTES: usize = 4 << 20;

/// More names than a host remembers, and then others: the second flood needs no more memory than the first.
#[test]
fn a_flood_of_ever_new_namespaces_takes_a_bounded_memory() {
    let name = "a_flood_of_ever_new_namespaces_takes_a_bounded_memory";
    in_a_process_of_its_own(module_path!(), name, || {
        runtime().block_on(async {
            let memory = Memory::new(ENTRIES_BYTES as u64, Clock::system());
            let host = Host::over(Config::new(), Arc::new(memory));
            let flood = async |first| {
                let arguments = ["name and get", "100000", first];
                passes(&host, "hostile_does_one_thing_without_end", &arguments).await;
            };
            flood("0").await;
            let before = heap_bytes();
            for first in ["1000000", "2000000"] {
                flood(first).await;
            }
            let after = heap_bytes();
            assert!(before < GENERATIONS_BYTES + ENTRIES_BYTES * 2, "{before} bytes");
            assert!(after < before + before / 4, "{before} bytes, and then {after}");
        });
    });
}
