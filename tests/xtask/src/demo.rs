//! `cargo xtask demo`: the example extension on the in-process cache, nothing else installed.

use std::process::Command;

use crate::{Outcome, cargo, install, run as step, target};

pub(crate) fn run() -> Outcome {
    install::wasm_target()?;
    step(&mut cargo(&["build", "--package", "fx", "--release", "--target", "wasm32-wasip2", "--locked"]))?;
    step(&mut cargo(&["build", "--workspace", "--bin", "strongroom", "--locked"]))?;

    println!(
        "\nTwo tenants with two sessions each, twice, over one in-process cache. A stack's sessions share\n\
         the day's rates; the last conversion is each session's own, and nobody else sees it.\n"
    );
    let extension = target().join("wasm32-wasip2/release/fx.wasm");
    let mut strongroom = Command::new(target().join("debug/strongroom"));
    // The in-process cache, whatever the environment says.
    strongroom.arg("run").arg(extension);
    strongroom.args(["--stack", "acme", "--stack", "globex", "--session", "anna", "--session", "ben"]);
    strongroom.args(["--repeat", "2", "--", "250", "USD", "JPY", "--on", "2024-03-15"]);
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("CACHE_") {
            strongroom.env_remove(variable);
        }
    }
    // Nor a settings file that may lie here.
    step(strongroom.current_dir(target()))
}
