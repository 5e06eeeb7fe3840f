//! An example extension: summarises a year of an account, once for all the sessions that ask for it.
//!
//! The account is the stack's: everybody who works there sees the same year, whose summary takes a while.
//! So one session computes it, and the stack's cache keeps it for the others. Which part of it a user looks
//! at is kept in the session's cache.

mod caches;
mod csv;
mod date;
mod generate;
mod ledger;
mod money;
mod payees;
mod random;
mod recurring;
mod request;
mod step;
mod summary;
mod view;

use std::io::Write;
use std::process::ExitCode;

use request::{Command, USAGE};

fn main() -> ExitCode {
    let said = run(std::env::args().skip(1)).and_then(|report| {
        // In one piece: a generated file is long.
        let written = std::io::stdout().write_all(report.as_bytes());
        written.map_err(|error| format!("can't write what it has to say: {error}"))
    });
    match said {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            eprintln!("statement: {complaint}");
            ExitCode::FAILURE
        }
    }
}

/// Does what the arguments ask for, and answers what to print.
fn run(arguments: impl Iterator<Item = String>) -> Result<String, String> {
    let request = match request::parse(arguments)? {
        Command::Help => return Ok(USAGE.to_owned()),
        Command::Generate(order) => return Ok(generate::generate(order).0),
        Command::Show(request) => request,
    };
    let (summary, summary_step) = caches::summary(&request.file, request.year)?;
    let (view, view_step) = caches::view(request.view);
    Ok(format!("{summary_step}\n{view_step}\n\n{}", view.of(&summary)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/account.csv");

    fn said(arguments: &[&str]) -> Result<String, String> {
        run(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn it_summarises_without_a_cache() {
        let report = said(&[FILE, "--year", "2025"]).expect("the year is in the file");
        assert!(report.starts_with("summary of 2025      stack    computed"), "{report}");
        for expected in ["3500 transactions", "\nDecember ", "\nWages ", "Lindner Immobilien KG", "monthly"] {
            assert!(report.contains(expected), "{expected}: {report}");
        }
    }

    #[test]
    fn a_view_shows_its_part() {
        let report = said(&[FILE, "--year", "2025", "--view", "balance"]).expect("the year is in the file");
        assert!(report.contains("lowest balance") && !report.contains("Wages"), "{report}");
    }

    #[test]
    fn what_it_can_not_summarise_is_a_complaint() {
        let complaint = |arguments: &[&str]| said(arguments).expect_err("there is nothing to summarise");
        assert!(complaint(&["/no/such.csv", "--year", "2025"]).contains("can't read /no/such.csv"));
        assert!(complaint(&[FILE, "--year", "2019"]).contains("there are those of 2025"));
        assert!(
            complaint(&[concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "--year", "2025"])
                .contains("Cargo.toml: line 1: `[package]` is not the head")
        );
        assert!(complaint(&[]).contains("`--help` shows how"));
        assert!(said(&["--help"]).is_ok_and(|usage| usage.contains("statement generate --year YEAR")));
    }
}
