//! What is no component, or has not what it is run by.

use std::time::Duration;

use super::aftermath::{BOTH, attacks};
use super::{run, stopped};
use crate::dice::Dice;
use crate::harness::{Host, Invocation, binary};

attacks! {
    nothing_to_run_is_refused on BOTH;
    a_run_of_another_type_is_refused on BOTH;
    a_run_that_fails_is_a_failure on BOTH;
    a_core_module_is_refused on BOTH;
    a_component_that_is_cut_short_is_refused on BOTH;
    a_component_with_altered_bytes_is_refused_or_runs_in_its_box on BOTH;
}

async fn nothing_to_run_is_refused(host: &Host) {
    let ended = run(host, "nothing_to_run_is_refused", &[]).await;
    stopped("no run", ended.failure, &["wasi:cli/run"]);
}

async fn a_run_of_another_type_is_refused(host: &Host) {
    let ended = run(host, "a_run_of_another_type_is_refused", &[]).await;
    stopped("a wrong run", ended.failure, &["type mismatch"]);
}

async fn a_run_that_fails_is_a_failure(host: &Host) {
    let ended = run(host, "a_run_that_fails_is_a_failure", &[]).await;
    stopped("a run", ended.failure, &["the guest failed"]);
}

async fn a_core_module_is_refused(host: &Host) {
    let ended = run(host, "a_core_module_is_refused", &[]).await;
    stopped("a module", ended.failure, &["component"]);
}

/// A whole component to damage.
fn whole() -> Vec<u8> {
    binary("a_realloc_that_grows_memory_is_served").expect("a valid text")
}

async fn a_component_that_is_cut_short_is_refused(host: &Host) {
    let whole = whole();
    for length in (0..whole.len()).step_by(61) {
        // Between two sections, it is a component that lacks something.
        let Ok(component) = host.compile(&whole[..length]) else { continue };
        let called = host.call_component(&component, Invocation::default(), &[0]).await;
        stopped("a part", called.failure, &["failed to find function export"]);
    }
    for garbage in
        [vec![0; 1000], vec![0xff; 1000], b"(component)".to_vec(), b"\0asm\x0d\0\x01\0\xff".to_vec()]
    {
        host.compile(&garbage).map(drop).expect_err("it is no component");
    }
}

async fn a_component_with_altered_bytes_is_refused_or_runs_in_its_box(host: &Host) {
    let whole = whole();
    let mut dice = Dice::new(7, 0);
    let mut ran = 0;
    for _ in 0..60 {
        let mut altered = whole.clone();
        let at = dice.below(altered.len());
        altered[at] ^= 1 << dice.below(8);
        // Most are refused. What is left may do whatever its code says now.
        let Ok(component) = host.compile(&altered) else { continue };
        let invocation = Invocation { deadline: Some(Duration::from_millis(100)), ..Invocation::default() };
        host.call_component(&component, invocation, &[0]).await;
        ran += 1;
    }
    assert!(ran > 0, "none was left to run");
}
