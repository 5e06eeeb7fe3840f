//! The cross-tenant checker: many tenants of hostile names on deployments of every kind, while everything
//! around them fails and changes, and every value says whose it is.
//!
//! Any read that answers another owner's value, a cleared one, or one that nobody wrote ends the run, with
//! the seed and what was read by whom. Run by `cargo test` for one round, and by `cargo xtask soak tenants
//! --minutes N` for as long as asked. It shares its parts with the soak of the engine.

#[path = "../it/dice.rs"]
mod dice;
#[expect(dead_code, reason = "shared with the soak of the engine, which needs more of it")]
#[path = "../it/fault_proxy.rs"]
mod fault_proxy;
#[expect(dead_code, reason = "shared with the other tests, which need more of it")]
#[path = "../it/memcached.rs"]
mod memcached;

#[expect(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with the other tests, which need more of it"
)]
#[path = "../it/harness.rs"]
mod harness;

// What is run, and on what.
mod course;
mod rig;
#[expect(dead_code, reason = "shared with the soak of the engine, which needs more of it")]
#[path = "../soak/lane.rs"]
mod lane;

// Who there is, and where.
mod names;
mod population;
mod deployment;
mod scene;

// Who does what.
mod caller;
mod extensions;
mod operator;
mod adversary;
mod raw;
#[path = "../soak/call.rs"]
mod call;

// What is checked.
mod value;
mod truth;
#[expect(dead_code, reason = "shared with the soak of the engine, which needs more of it")]
#[path = "../soak/ledger.rs"]
mod ledger;
#[path = "../soak/lateness.rs"]
mod lateness;
#[expect(dead_code, reason = "shared with the soak of the engine, which needs more of it")]
#[path = "../soak/vitals.rs"]
mod vitals;
#[expect(dead_code, reason = "shared with the soak of the engine, which needs more of it")]
#[path = "../soak/hush.rs"]
mod hush;

/// Where the guests are: made by `build.rs`.
#[expect(unused_macros, reason = "only the tests of each guest need the macros that name them")]
mod guests {
    include!(concat!(env!("OUT_DIR"), "/guests.rs"));
}

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use course::Options;

const USAGE: &str = "tenants [--minutes N] [--seed S]; the seed also from SOAK_SEED";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if is_left_out(&arguments) {
        println!("tenants: left out");
        return ExitCode::SUCCESS;
    }
    let options = match options(&arguments) {
        Ok(options) => options,
        Err(reason) => {
            eprintln!("{reason}\nusage: {USAGE}");
            return ExitCode::FAILURE;
        }
    };
    println!("tenants: seed {}", options.seed);
    match course::run(&options, hush::Listener::install()) {
        Ok(report) => {
            println!("{report}\ntenants: passed");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("tenants: FAILED with seed {}: {failure}", options.seed);
            ExitCode::FAILURE
        }
    }
}

/// `cargo test` hands the same words to every test binary: some other test's name, or a question for names.
fn is_left_out(arguments: &[String]) -> bool {
    let is_asked = arguments.iter().any(|argument| argument == "--list");
    let is_other = |first: &String| !first.starts_with("--") && !"tenants".contains(first.as_str());
    is_asked || arguments.first().is_some_and(is_other)
}

fn options(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options { seed: seed()?, time: Duration::ZERO };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut number = || {
            let number = words.next().and_then(|word| word.parse::<u64>().ok());
            number.ok_or_else(|| format!("{word} takes a number"))
        };
        match word.as_str() {
            "--minutes" => options.time = Duration::from_secs(60 * number()?),
            "--seed" => options.seed = number()?,
            // Of the usual test harness, and of no concern here.
            "--nocapture" | "--no-capture" | "--quiet" | "-q" | "--include-ignored" | "tenants" => {}
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
