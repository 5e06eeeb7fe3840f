//! The cross-tenant checker: many tenants of hostile names on deployments of every kind, while everything
//! around them fails and changes, and every value says whose it is.
//!
//! Any read that answers another owner's value, a cleared one, or one that nobody wrote ends the run, with
//! the seed and what was read by whom. Run by `cargo test` for one round, and by `cargo xtask soak tenants
//! --minutes N` for as long as asked. It shares its parts with the soak of the engine.

#[path = "../it/dice.rs"]
mod dice;
#[expect(dead_code, reason = "shared with the soak of the engine, which needs more of it")]
#[path = "../it/fault_proxy.rs"]
mod fault_proxy;
#[expect(dead_code, reason = "shared with the other tests, which need more of it")]
#[path = "../it/memcached.rs"]
mod memcached;

#[expect(dead_code, reason = "shared with the other tests, which need more of it")]
#[path = "../it/harness.rs"]
mod harness;

// What is run, and on what.
#[path = "../soak/command.rs"]
mod command;
mod course;
mod rig;
#[expect(dead_code, reason = "shared with the soak of the engine, which needs more of it")]
#[path = "../soak/lane.rs"]
mod lane;

// Who there is, and where.
mod names;
mod population;
mod deployment;
mod scene;

// Who does what.
mod caller;
mod extensions;
mod operator;
mod adversary;
mod raw;
#[path = "../soak/call.rs"]
mod call;

// What is checked.
mod value;
mod truth;
#[expect(dead_code, reason = "shared with the soak of the engine, which needs more of it")]
#[path = "../soak/ledger.rs"]
mod ledger;
#[path = "../soak/lateness.rs"]
mod lateness;
#[expect(dead_code, reason = "shared with the soak of the engine, which needs more of it")]
#[path = "../soak/vitals.rs"]
mod vitals;
#[expect(dead_code, reason = "shared with the soak of the engine, which needs more of it")]
#[path = "../soak/hush.rs"]
mod hush;

/// Where the guests are: made by `build.rs`.
#[expect(unused_macros, reason = "only the tests of each guest need the macros that name them")]
mod guests {
    include!(concat!(env!("OUT_DIR"), "/guests.rs"));
}

use std::process::ExitCode;

fn main() -> ExitCode {
    command::main("tenants", "tenants [--minutes N] [--seed S]", |options| {
        course::run(options, hush::Listener::install())
    })
}
