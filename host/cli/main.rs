//! Strongroom's command line: reads the arguments, hands each command to its file, and turns what
//! comes back into one line and an exit code.

mod args;
mod settings;
mod failure;
mod output;
mod progress;

mod component;
mod imports;
mod guest;
mod limiter;
mod server;
mod tenants;

mod reload;
mod run;
mod inspect;
mod doctor;
mod bench;
mod key;
mod recent;
mod delete;
mod clear;
mod keygen;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing::level_filters::LevelFilter;

use crate::args::{Arguments, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr(&arguments);
    match execute(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn execute(arguments: &Arguments) -> Result<(), Failure> {
    // More than one thread, so that a guest that computes does not keep the cache's connection waiting.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("can't start: {error}")))?;
    let done = runtime.block_on(async {
        match &arguments.command {
            Command::Run(command) => run::run(command, arguments.verbose > 0).await,
            Command::Inspect(command) => inspect::inspect(command).await,
            Command::Doctor(command) => doctor::doctor(command).await,
            Command::Bench(command) => bench::bench(command).await,
            Command::Key(command) => key::key(command).await,
            Command::Recent(command) => recent::recent(command),
            Command::Delete(command) => delete::delete(command).await,
            Command::Clear(command) => clear::clear(command).await,
            Command::Keygen => keygen::keygen(),
        }
    });
    // A guest that was stopped may have left a blocking call behind, which must not hold the exit.
    runtime.shutdown_background();
    done
}

fn log_to_stderr(arguments: &Arguments) {
    let verbose = arguments.verbose;
    let level = match verbose {
        // Only a guest's run goes on where something is not as it should be; the other commands say so
        // themselves.
        0 if !matches!(arguments.command, Command::Run(_)) => LevelFilter::ERROR,
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(verbose > 0)
        .without_time()
        .init();
}
