//! Whether an attack's memory is back: it is repeated in a process of its own, on both backends in plain.

use std::time::Duration;

use strongroom_host::Config;

use super::aftermath::{Attack, BOTH, Running, SETTLED, no_task_is_left, tasks};
use super::bystanders::Bystanders;
use crate::harness::Host;
use crate::kinds::Kind;
use crate::own_process::{heap_bytes, in_a_process_of_its_own, runtime};
use crate::vitals;

/// How often an attack is repeated, until two repetitions have needed no more than one.
const REPEATED_MAX: usize = 10;

/// What may be there after one repetition more than after an earlier one, in bytes of the heap: a queue or a
/// map that has become a little larger for good. It must stop growing within [`REPEATED_MAX`].
const SLACK_BYTES: usize = 1024;

/// The same of the memory that the process has resident. Guests' memories and stacks are no part of the heap.
const RESIDENT_SLACK_BYTES: u64 = 16 * 1024 * 1024;

/// Attacks that clear a cache. What it held is still there, to be evicted; where that is this process, it
/// looks like a leak.
const CLEARING: [&str; 2] =
    ["hostile_names_made_to_collide_meet_nobody", "hostile_a_fill_that_was_lost_stores_nothing"];

/// Repeats each attack on both backends.
pub(super) fn is_back(module: &str, attacks: &[Attack]) {
    in_a_process_of_its_own(module, "memory_is_back_after_each_of_them", || {
        runtime().block_on(async {
            for attack in attacks {
                for kind in BOTH {
                    if *kind == Kind::Memory && CLEARING.contains(&attack.name) {
                        continue;
                    }
                    let left = growth(*kind, attack.config, attack.run).await;
                    if let Err(left) = left {
                        panic!("{} on {}: {left}", attack.name, kind.name());
                    }
                }
            }
        });
    });
}

/// Repeats an attack on one host until memory no longer grows; `Err` says how it grew.
async fn growth(
    kind: Kind,
    config: fn() -> Config,
    run: for<'a> fn(&'a Host) -> Running<'a>,
) -> Result<(), String> {
    let host = kind.host(config()).await;
    Bystanders::settle(&host.cache).await;
    let tasks = tasks();
    let mut heap: Vec<usize> = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..REPEATED_MAX {
        run(&host).await;
        no_task_is_left(kind, tasks, SETTLED).await;
        // What has ended is dropped a moment later, by the threads that ran it.
        tokio::time::sleep(Duration::from_millis(5)).await;
        heap.push(heap_bytes());
        resident.push(vitals::resident_bytes());
        // The first one compiles the guest, and makes what is made once. Then two more without growth.
        let is_steady = |at: usize| {
            heap[at] <= heap[at - 2] + SLACK_BYTES && resident[at] <= resident[at - 2] + RESIDENT_SLACK_BYTES
        };
        if heap.len() > 3 && is_steady(heap.len() - 1) {
            return Ok(());
        }
    }
    Err(format!("the heap after each repetition: {heap:?} bytes; resident: {resident:?}"))
}

/// What the checks are worth.
mod can_fail {
    use super::*;

    #[test]
    fn a_leak_of_a_kilobyte_is_noticed() {
        let leaks: for<'a> fn(&'a Host) -> Running<'a> = |host| {
            Box::pin(async {
                let leaked = host.cache.open(&super::super::bystanders::partition(&["tests", "acme"]), None);
                std::mem::forget((leaked.expect("opens"), vec![0u8; 500]));
            })
        };
        in_a_process_of_its_own(module_path!(), "a_leak_of_a_kilobyte_is_noticed", || {
            for kind in BOTH {
                let left = runtime().block_on(growth(*kind, Config::new, leaks));
                assert!(left.is_err_and(|left| left.contains("heap")), "{kind:?}");
            }
        });
    }
}
