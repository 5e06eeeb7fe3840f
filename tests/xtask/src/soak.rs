//! `cargo xtask soak`: the soak of the engine (`tests/soak`), or with `tenants` the cross-tenant checker
//! (`tests/tenants`), for as long as asked; by default ten minutes.

use crate::test::PACKAGES;
use crate::{Outcome, cargo, install, run as step};

const MINUTES: &str = "10";

pub(crate) fn run(options: &[String]) -> Outcome {
    install::wasm_target()?;
    install::memcached()?;
    let (which, options) = match options.split_first() {
        Some((first, options)) if first == "tenants" => ("tenants", options),
        _ => ("soak", options),
    };
    let mut soak = cargo(&["test"]);
    soak.args(PACKAGES).args(["--test", which, "--locked", "--", "--minutes", MINUTES]);
    // A later option overrides an earlier one.
    step(soak.args(options))
}
