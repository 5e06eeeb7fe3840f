//! `cargo xtask test`: formatting, dependencies, lints, all tests on a real memcached, doc tests,
//! documentation, and a minute of fuzzing for each target.

use crate::{Outcome, audit, cargo, fuzz, install, run as step};

/// The guests are programs without tests of their own; the package `strongroom-tests` builds and runs them.
pub(crate) const PACKAGES: [&str; 3] = ["--workspace", "--exclude", "strongroom-test-guests"];
const TARGETS: [&str; 2] = ["--all-targets", "--locked"];

pub(crate) fn run() -> Outcome {
    install::wasm_target()?;
    install::memcached()?;
    step(&mut cargo(&["fmt", "--all", "--check"]))?;
    audit::run(&[])?;
    step(&mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]))?;
    // Built before they are run, as the tests of the command line need the program itself; with the same
    // packages and targets, as other ones would choose other features of the dependencies and build them
    // again.
    step(cargo(&["build"]).args(PACKAGES).args(TARGETS))?;
    step(cargo(&["test"]).args(PACKAGES).args(TARGETS))?;
    step(&mut cargo(&["test", "--workspace", "--doc", "--locked"]))?;
    step(cargo(&["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "--deny warnings"))?;
    fuzz::smoke()
}
