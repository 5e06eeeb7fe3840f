//! The soak: hundreds of callers who give up at random, on a server and a network that fail in every way.
//!
//! Run by `cargo test` for one round of all faults, and by `cargo xtask soak --minutes N` for as long as
//! asked. A binary of its own, as it measures its process. The seed decides who calls what, and which
//! reply is hit by what; what runs when is up to the machine.

#[path = "../it/dice.rs"]
mod dice;
#[path = "../it/fault_proxy.rs"]
mod fault_proxy;
#[expect(dead_code, reason = "shared with the other tests, which need more of it")]
#[path = "../it/memcached.rs"]
mod memcached;

// What is run, and on what.
mod command;
mod course;
mod rig;
mod lane;

// Who calls.
mod call;
mod caller;
mod direct;

// What is checked.
mod value;
mod own;
mod ledger;
mod lateness;
mod vitals;
mod hush;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::main("soak", "soak [--minutes N] [--seed S] [--servers N]", |options| {
        course::run(options, hush::Listener::install())
    })
}
