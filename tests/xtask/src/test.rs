//! `cargo xtask test`: formatting, lints, all tests on a real memcached, doc tests, documentation.

use crate::{Outcome, cargo, install, run as step};

pub(crate) fn run() -> Outcome {
    install::wasm_target()?;
    install::memcached()?;
    step(&mut cargo(&["fmt", "--all", "--check"]))?;
    step(&mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]))?;
    // The tests of the command line run the program itself.
    step(&mut cargo(&["build", "--package", "strongroom-cli", "--locked"]))?;
    // The guests are programs without tests of their own; the package `strongroom-tests` builds and runs them.
    let tests = ["test", "--workspace", "--exclude", "strongroom-test-guests", "--all-targets", "--locked"];
    step(&mut cargo(&tests))?;
    step(&mut cargo(&["test", "--workspace", "--doc", "--locked"]))?;
    step(cargo(&["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "--deny warnings"))
}
