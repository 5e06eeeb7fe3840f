//! `cargo xtask audit`: what came in through Cargo.lock, by the rules of `.cargo/deny.toml`.

use std::process::Command;

use crate::{Outcome, install, root, run as step};

const ADVISORIES: &str = "--advisories";

/// Licences, duplicates, wildcards and sources; with `--advisories` also known vulnerabilities, for which
/// their database is fetched.
pub(crate) fn run(options: &[String]) -> Outcome {
    let with_advisories = match options {
        [] => false,
        [option] if option == ADVISORIES => true,
        _ => return Err(format!("`cargo xtask audit` takes {ADVISORIES} or nothing")),
    };
    let cargo_deny = install::cargo_deny()?;
    let mut deny = Command::new(cargo_deny);
    // An exception that nobody needs any more is an error too.
    deny.args(["--locked", "check", "--deny", "unmatched-skip", "--deny", "unnecessary-skip"]);
    deny.args(["licenses", "bans", "sources"]).current_dir(root());
    if with_advisories {
        deny.arg("advisories");
    }
    step(&mut deny)?;
    if !with_advisories {
        eprintln!(
            "\nADVISORIES WERE NOT CHECKED: RustSec's database lies in a git repository, which not every machine\n\
             reaches. Where it can be had: cargo xtask audit {ADVISORIES}\n"
        );
    }
    Ok(())
}
