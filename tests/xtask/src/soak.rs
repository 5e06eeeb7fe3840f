//! `cargo xtask soak`: the soak of `tests/soak` for as long as asked; by default ten minutes.

use crate::test::PACKAGES;
use crate::{Outcome, cargo, install, run as step};

const MINUTES: &str = "10";

pub(crate) fn run(options: &[String]) -> Outcome {
    install::wasm_target()?;
    install::memcached()?;
    let mut soak = cargo(&["test"]);
    soak.args(PACKAGES).args(["--test", "soak", "--locked", "--", "--minutes", MINUTES]);
    // A later option overrides an earlier one.
    step(soak.args(options))
}
