//! `cargo xtask demo`: the example extensions on the in-process cache, nothing else installed.

use std::process::Command;

use crate::{Outcome, cargo, install, root, run as step, target};

pub(crate) fn run() -> Outcome {
    install::wasm_target()?;
    let extensions = ["--package", "fx", "--package", "statement"];
    let guests = ["build", "--release", "--target", "wasm32-wasip2", "--locked"];
    step(cargo(&guests).args(extensions))?;
    step(&mut cargo(&["build", "--workspace", "--bin", "strongroom", "--locked"]))?;

    println!(
        "\nTwo tenants with two sessions each, twice, over one in-process cache. A stack's sessions share\n\
         the day's rates; the last conversion is each session's own, and nobody else sees it.\n"
    );
    let mut fx = extension("fx");
    fx.args(["--stack", "acme", "--stack", "globex", "--session", "anna", "--session", "ben"]);
    step(fx.args(["--repeat", "2", "--", "250", "USD", "JPY", "--on", "2024-03-15"]))?;

    println!(
        "\nA year's statement of an account, which takes a while: the first session of a stack computes it,\n\
         the others get it.\n"
    );
    let data = root().join("guest/examples/statement/data");
    let mut statement = extension("statement");
    statement.args(["--stack", "acme", "--session", "anna", "--session", "ben"]);
    statement.arg("--dir").arg(format!("{}::/data:ro", data.display()));
    step(statement.args(["--", "/data/account.csv", "--year", "2025", "--view", "balance"]))
}

/// An extension on the in-process cache, whatever the environment says, or a settings file that may lie here.
fn extension(name: &str) -> Command {
    let mut strongroom = Command::new(target().join("debug/strongroom"));
    strongroom.arg("run").arg(target().join(format!("wasm32-wasip2/release/{name}.wasm")));
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("CACHE_") {
            strongroom.env_remove(variable);
        }
    }
    strongroom.current_dir(target());
    strongroom
}
