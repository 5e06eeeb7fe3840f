//! What Strongroom promises, tested from outside.
//!
//! A guest program for each behaviour lies in `guests/src/bin`, and has a test of the same name here, in the
//! file of its suite; a program without one does not compile. Every one runs on both backends: memory answers
//! at once, and hides what waiting shows.

// What the tests stand on.
mod harness;
mod memcached;
#[expect(dead_code, reason = "the soak, which shares it, needs more of it")]
mod dice;
mod fault_proxy;
mod certificates;

// Guests, a file for each suite.
mod cache;
mod scope;
mod limits;
mod fetch;
mod fills;
mod macros;

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
mod fleet;
mod secrecy;
mod cli;
mod statement;
mod recent;
mod golden;

// The house rules.
mod tidy;

/// Where the guests are, and the macros that name them: made by `build.rs`.
mod guests {
    include!(concat!(env!("OUT_DIR"), "/guests.rs"));
    pub(crate) use {
        foreach_cache, foreach_fetch, foreach_fills, foreach_limits, foreach_macros, foreach_scope,
    };
}
