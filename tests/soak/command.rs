//! The command line of a soak.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What is asked for.
pub(crate) struct Options {
    pub(crate) seed: u64,
    /// Rounds begin until so long has passed; one at least. Zero: every fault once.
    pub(crate) time: Duration,
    pub(crate) servers: usize,
}

/// Runs a soak with what the command line asks for, of which the usage names the options, and says how it
/// ended.
pub(crate) fn main(
    name: &str,
    usage: &str,
    run: impl FnOnce(&Options) -> Result<String, String>,
) -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if is_left_out(name, &arguments) {
        println!("{name}: left out");
        return ExitCode::SUCCESS;
    }
    let options = match options(name, usage, &arguments) {
        Ok(options) => options,
        Err(reason) => {
            eprintln!("{reason}\nusage: {usage}; the seed also from SOAK_SEED");
            return ExitCode::FAILURE;
        }
    };
    println!("{name}: seed {}", options.seed);
    count_panics();
    let ended = run(&options).and_then(|report| match PANICS.load(Ordering::Relaxed) {
        0 => Ok(report),
        panics => Err(format!("{panics} panics, of which each is told above\n{report}")),
    });
    match ended {
        Ok(report) => {
            println!("{report}\n{name}: passed");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{name}: FAILED with seed {}: {failure}", options.seed);
            ExitCode::FAILURE
        }
    }
}

/// Nobody waits for the tasks that call, so nobody else would notice.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        tell(panic);
    }));
}

/// `cargo test` hands the same words to every test binary: some other test's name, or a question for names.
fn is_left_out(name: &str, arguments: &[String]) -> bool {
    let is_asked = arguments.iter().any(|argument| argument == "--list");
    let is_other = |first: &String| !first.starts_with("--") && !name.contains(first.as_str());
    is_asked || arguments.first().is_some_and(is_other)
}

fn options(name: &str, usage: &str, arguments: &[String]) -> Result<Options, String> {
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
            "--servers" if usage.contains("--servers") => {
                options.servers = usize::try_from(number()?.clamp(1, 16)).unwrap_or(1);
            }
            // Of the usual test harness, and of no concern here.
            "--nocapture" | "--no-capture" | "--quiet" | "-q" | "--include-ignored" => {}
            word if word == name => {}
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
