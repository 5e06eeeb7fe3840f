//! What Strongroom promises, tested from outside.
//!
//! A guest program for each behaviour lies in `guests/src/bin`, and has a test of the same name here, in the
//! file of its suite; a program without one does not compile. Every one runs on both backends: memory answers
//! at once, and hides what waiting shows.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts what is in use, for tests of what is left behind.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

// What the tests stand on.
mod harness;
mod kinds;
mod own_process;
mod memcached;
#[expect(dead_code, reason = "the soak, which shares it, needs more of it")]
mod dice;
mod fault_proxy;
mod certificates;
#[expect(dead_code, reason = "the soak's, which needs more of it")]
#[path = "../soak/vitals.rs"]
mod vitals;

// Guests, a file for each suite.
mod cache;
mod scope;
mod limits;
mod quota;
mod fetch;
mod fills;
mod macros;
mod hostile;

// The host from outside.
mod backend_contract;
mod transport;
mod hardening;
mod differential;
mod classic;
mod generations;
mod at_rest;
mod rotation;
mod failure;
mod faults;
mod servers;
mod sessions;
mod fleet;
mod secrecy;
mod cli;
mod statement;
mod recent;
mod golden;

// The threat model, and the house rules.
mod threats;
mod tidy;

/// Where the guests are, and the macros that name them: made by `build.rs`.
mod guests {
    include!(concat!(env!("OUT_DIR"), "/guests.rs"));
    pub(crate) use {
        foreach_cache, foreach_fetch, foreach_fills, foreach_hostile, foreach_limits, foreach_macros,
        foreach_scope, foreach_wat,
    };
}
