//! The soak: hundreds of callers who give up at random, on a server and a network that fail in every way.
//!
//! Run by `cargo test` for one round of all faults, and by `cargo xtask soak --minutes N` for as long as
//! asked. A binary of its own, as it measures its process. The seed decides who calls what, and which
//! reply is hit by what; what runs when is up to the machine.

#[path = "../it/dice.rs"]
mod dice;
#[path = "../it/fault_proxy.rs"]
mod fault_proxy;
#[expect(dead_code, reason = "shared with the other tests, which need more of it")]
#[path = "../it/memcached.rs"]
mod memcached;

// What is run, and on what.
mod course;
mod rig;
mod lane;

// Who calls.
mod call;
mod caller;
mod direct;

// What is checked.
mod value;
mod own;
mod ledger;
mod lateness;
mod vitals;
mod hush;

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use course::Options;

const USAGE: &str = "soak [--minutes N] [--seed S] [--servers N]; the seed also from SOAK_SEED";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if is_left_out(&arguments) {
        println!("soak: left out");
        return ExitCode::SUCCESS;
    }
    let options = match options(&arguments) {
        Ok(options) => options,
        Err(reason) => {
            eprintln!("{reason}\nusage: {USAGE}");
            return ExitCode::FAILURE;
        }
    };
    println!("soak: seed {}", options.seed);
    match course::run(&options, hush::Listener::install()) {
        Ok(report) => {
            println!("{report}\nsoak: passed");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("soak: FAILED with seed {}: {failure}", options.seed);
            ExitCode::FAILURE
        }
    }
}

/// `cargo test` hands the same words to every test binary: some other test's name, or a question for names.
fn is_left_out(arguments: &[String]) -> bool {
    let is_asked = arguments.iter().any(|argument| argument == "--list");
    is_asked
        || arguments.first().is_some_and(|first| !first.starts_with("--") && !"soak".contains(first.as_str()))
}

fn options(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options { seed: seed()?, time: Duration::ZERO, servers: 1 };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut number = || {
            let number = words.next().and_then(|word| word.parse::<u64>().ok());
            number.ok_or_else(|| format!("{word} takes a number"))
        };
        match word.as_str() {
            "--minutes" => options.time = Duration::from_secs(60 * number()?),
            "--seed" => options.seed = number()?,
            "--servers" => options.servers = usize::try_from(number()?.clamp(1, 16)).unwrap_or(1),
            // Of the usual test harness, and of no concern here.
            "--nocapture" | "--no-capture" | "--quiet" | "-q" | "--include-ignored" | "soak" => {}
            _ => return Err(format!("{word} is not known")),
        }
    }
    Ok(options)
}

/// From the environment, or else from the time.
fn seed() -> Result<u64, String> {
    match std::env::var("SOAK_SEED") {
        Ok(seed) => seed.parse().map_err(|_| "SOAK_SEED is not a number".to_owned()),
        Err(_) => Ok(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64),
    }
}
