//! The project's own commands: `cargo xtask demo`, `test`, `audit`, `soak`, `fuzz`, `compare` and `dist`.
//! Each installs what it needs first.

mod audit;
mod compare;
mod demo;
mod dist;
mod fuzz;
mod install;
mod soak;
mod test;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What a command answers: nothing, or the line that says why it could not go on.
type Outcome = Result<(), String>;

const USAGE: &str = "\
cargo xtask demo    the example extensions for several tenants and sessions, on the in-process cache
cargo xtask test    everything that CI checks; installs memcached where it can
cargo xtask audit [--advisories]
                    licences, sources and duplicates of all dependencies; with the option, known vulnerabilities
cargo xtask soak [--minutes N] [--seed S] [--servers N]
                    hundreds of callers on servers and networks that fail in every way
cargo xtask soak tenants [--minutes N] [--seed S]
                    tenants of hostile names on deployments of every kind: nobody reads another's value
cargo xtask fuzz [TARGET...] [--seconds N]
                    what reads foreign bytes, on inputs that coverage guides (by default 60 seconds each)
cargo xtask fuzz TARGET... --merge
                    what such runs have found, minimised, into the committed corpus
cargo xtask fuzz TARGET --file FILE
                    one input again, in an ordinary build
cargo xtask compare [--quick | --help | ...]
                    the memcached engine beside other clients, into host/benches/RESULTS.md (about 6 minutes)
cargo xtask dist [--dev]
                    the command line as it is released, with the list of its dependencies inside";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((rustc, arguments)) = fuzz::compiler(&arguments) {
        return fuzz::compile(rustc, arguments);
    }
    let outcome = match arguments.split_first() {
        Some((command, [])) if command == "demo" => demo::run(),
        Some((command, [])) if command == "test" => test::run(),
        Some((command, options)) if command == "audit" => audit::run(options),
        Some((command, options)) if command == "dist" => dist::run(options),
        Some((command, options)) if command == "soak" => soak::run(options),
        Some((command, options)) if command == "fuzz" => fuzz::run(options),
        Some((command, options)) if command == "compare" => compare::run(options),
        _ => Err(format!("usage:\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// The repository.
fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    tests.and_then(Path::parent).expect("tests/xtask lies in the repository")
}

/// Where cargo builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |target| root().join(target))
}

/// The cargo that runs this.
fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).current_dir(root());
    cargo
}

/// Runs a command with our own output, and expects it to end well.
fn run(command: &mut Command) -> Outcome {
    let program = command.get_program().to_string_lossy().into_owned();
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let shown = format!("{} {}", program.rsplit('/').next().unwrap_or_default(), words.join(" "));
    eprintln!("> {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{shown}` failed ({status})")),
        Err(error) => Err(format!("`{shown}` could not be started: {error}")),
    }
}
