//! `cargo xtask compare`: the memcached engine beside other clients, into `host/benches/RESULTS.md`.

use crate::{Outcome, cargo, install, run as step};

/// Runs the comparison with these options; `--help` lists them.
pub(crate) fn run(options: &[String]) -> Outcome {
    install::memcached()?;
    let bench = ["bench", "--package", "strongroom-host", "--bench", "compare", "--locked", "--"];
    step(cargo(&bench).args(options))
}
