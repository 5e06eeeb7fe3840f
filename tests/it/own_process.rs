//! Tests that need a process of their own, in which every byte of the heap is counted.

use std::process::Command;

use tokio::runtime::Runtime;

/// Set in the process that a test starts for itself.
const IS_OWN_PROCESS: &str = "STRONGROOM_TESTS_OWN_PROCESS";

/// Runs a test's body in a process that does nothing else. `module` and `name` are the test's own.
pub(crate) fn in_a_process_of_its_own(module: &str, name: &str, body: impl FnOnce()) {
    if std::env::var_os(IS_OWN_PROCESS).is_some() {
        return body();
    }
    let (_, module) = module.split_once("::").expect("below the crate");
    let itself = std::env::current_exe().expect("a test is a program");
    let ended = Command::new(itself)
        .args(["--exact", &format!("{module}::{name}"), "--nocapture"])
        .env(IS_OWN_PROCESS, "1")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&ended.stdout);
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}{complained}");
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("it starts")
}

/// Bytes of the heap that are in use.
pub(crate) fn heap_bytes() -> usize {
    let stats = crate::ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// Bytes of the heap that were ever asked for.
pub(crate) fn allocated_bytes() -> usize {
    crate::ALLOCATOR.stats().bytes_allocated
}
