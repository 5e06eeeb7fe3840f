//! The memcached engine beside other clients, on a server of its own: `cargo xtask compare`.
//!
//! A round is one client under one load for about a second. The rounds of all contestants of a series take
//! turns (A B A B), so that a slow minute of the machine hits them all. Not a criterion benchmark: it is the
//! callers' concurrency that is measured.
//!
//! `-- --help` lists what can be asked for; `--only` runs one series for a profiler.

mod client;
mod cpu_time;
mod load;
mod machine;
mod markdown;
mod options;
mod pool;
mod python;
mod round;
mod series;
mod server;
mod statistics;

use std::process::ExitCode;

use crate::load::Load;
use crate::options::{Asked, Options};
use crate::python::Python;
use crate::round::Place;
use crate::series::{Contestant, Series};
use crate::server::Server;
use crate::statistics::{Measured, Table};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = match arguments.iter().any(|argument| argument == "--bench") {
        true => options::parse(&arguments),
        // `cargo test --all-targets` runs benchmarks too, with arguments of its own.
        false => Ok(Asked::Run(Options::smoke())),
    };
    match asked {
        Ok(Asked::Help) => println!("{}", options::HELP),
        Ok(Asked::Run(options)) => {
            if let Err(reason) = run(&options) {
                eprintln!("compare: {reason}");
                return ExitCode::FAILURE;
            }
        }
        Err(reason) => {
            eprintln!("compare: {reason}\n\n{}", options::HELP);
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Measures everything that is asked for, and writes or prints it.
fn run(options: &Options) -> Result<(), String> {
    let server = Server::start()?;
    let python = Python::find();
    if python.is_none() {
        eprintln!("compare: no pymemcache here (pip install pymemcache; PYTHON names the interpreter)");
    }
    let machine = machine::describe(&server, python.as_ref());
    let plan = options.plan(python.is_some());
    let total: usize = plan.iter().map(|(_, contestants)| contestants.len()).sum();
    let rounds = total * options.rounds;
    eprintln!("compare: {rounds} rounds, about {:.0} s", options.round_seconds() * rounds as f64);
    let mut tables = Vec::new();
    for (number, (series, contestants)) in plan.iter().enumerate() {
        eprintln!("compare: {}/{}: {series}", number + 1, plan.len());
        tables.push(measure(series, contestants, &server, python.as_ref(), options)?);
    }
    let is_whole = options.only.is_none();
    let text = match is_whole {
        true => markdown::whole(&machine, options, &tables),
        false => markdown::tables(&tables),
    };
    match &options.output {
        None => println!("{text}"),
        Some(file) => {
            std::fs::write(file, text).map_err(|error| format!("can't write {}: {error}", file.display()))?;
            println!("written: {}", file.display());
        }
    }
    Ok(())
}

/// All rounds of a series, taking turns.
fn measure(
    series: &Series,
    contestants: &[Contestant],
    server: &Server,
    python: Option<&Python>,
    options: &Options,
) -> Result<Table, String> {
    let loads: Vec<_> = contestants.iter().map(|contestant| Load::new(series, contestant.number())).collect();
    round::fill(server, &loads);
    let mut rounds: Vec<Vec<Measured>> = contestants.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.rounds {
        for ((contestant, load), measured) in contestants.iter().zip(&loads).zip(&mut rounds) {
            let place = Place { server, warm_up: options.warm_up(), length: options.length };
            measured.push(match (contestant, python) {
                (Contestant::Pymemcache, Some(python)) => python.round(series, load, &place)?,
                _ => round::run(*contestant, series, load, &place)?,
            });
        }
    }
    let rows: Vec<_> = contestants.iter().copied().zip(rounds).collect();
    for (contestant, measured) in &rows {
        if measured.iter().any(|round| round.operations_per_second <= 0.0) {
            return Err(format!("{contestant} did nothing in a round of: {series}"));
        }
    }
    let table = Table { series: *series, rows };
    eprintln!("{}", table.in_short());
    Ok(table)
}
