//! The command line: the whole comparison, a smoke run, or one series for a profiler.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::series::{Contestant, Series, Threads};

pub(crate) const HELP: &str = "\
cargo xtask compare [OPTIONS], or cargo bench -p strongroom-host --bench compare -- [OPTIONS]

Without --only it measures everything and writes host/benches/RESULTS.md.
  --quick             a smoke run: 2 rounds of 100 ms each, printed and not written
  --rounds N          turns of each contestant [5; with --only 1]
  --seconds S         length of a round [1]
  --output FILE       where to write the tables, instead
  --date TEXT         the date to name [the system's]

One series, for a profiler; prints its table:
  --only CONTESTANT   ours, memcache-async, memcache-async-pool, async-memcached, async-memcached-pool,
                      pymemcache; may be repeated
  --callers N [64]    --value-bytes N [100]    --gets PERCENT [95]
  --large-callers N   callers that set 1 MiB values meanwhile [0]
  --runtime KIND      multi: one multi-thread runtime; cores: a current-thread runtime per core [multi]";

/// A part of a round's length that comes before it, uncounted, and the longest.
const WARM_UP: u32 = 5;
const WARM_UP_MAX: Duration = Duration::from_millis(500);

/// What the command line asks for.
pub(crate) enum Asked {
    Help,
    Run(Options),
}

/// How to measure, and what.
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) length: Duration,
    /// `None`: printed.
    pub(crate) output: Option<PathBuf>,
    pub(crate) date: Option<String>,
    /// One series, by these contestants. `None`: all of them.
    pub(crate) only: Option<(Series, Vec<Contestant>)>,
}

impl Options {
    /// For `cargo test`: that every contestant runs on both kinds of runtime.
    pub(crate) fn smoke() -> Self {
        let series = Series { large_callers: 1, ..Series::new(Threads::PerCore, 4, 100) };
        let only = Some((series, Contestant::ON_TOKIO.to_vec()));
        Self { rounds: 1, length: Duration::from_millis(50), output: None, date: None, only }
    }

    /// Each series with its contestants.
    pub(crate) fn plan(&self, has_python: bool) -> Vec<(Series, Vec<Contestant>)> {
        match &self.only {
            Some(only) => vec![only.clone()],
            None => {
                Series::all().into_iter().map(|series| (series, series.contestants(has_python))).collect()
            }
        }
    }

    pub(crate) fn warm_up(&self) -> Duration {
        (self.length / WARM_UP).min(WARM_UP_MAX)
    }

    /// About how long a round takes, with its warm-up.
    pub(crate) fn round_seconds(&self) -> f64 {
        (self.length + self.warm_up()).as_secs_f64()
    }
}

/// Reads the command line, of which cargo adds `--bench`.
pub(crate) fn parse(arguments: &[String]) -> Result<Asked, String> {
    let mut words = arguments.iter();
    let mut series = Series::new(Threads::Multi, 64, 100);
    let mut only = Vec::new();
    let (mut is_quick, mut rounds, mut length, mut output, mut date) = (false, None, None, None, None);
    while let Some(name) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{name} needs a value"));
        match name.as_str() {
            "--bench" => {}
            "--help" | "-h" => return Ok(Asked::Help),
            "--quick" => is_quick = true,
            "--rounds" => rounds = Some(number(name, value()?, 1..=1000)?),
            "--seconds" => length = Some(seconds(value()?)?),
            "--output" => output = Some(PathBuf::from(value()?)),
            "--date" => date = Some(value()?.clone()),
            "--only" => {
                let value = value()?;
                only.push(Contestant::named(value).ok_or_else(|| format!("--only: no contestant {value}"))?);
            }
            "--callers" => series.callers = number(name, value()?, 1..=10_000)?,
            "--value-bytes" => series.value_bytes = number(name, value()?, 1..=2 * 1024 * 1024)?,
            "--gets" => series.gets_percent = number(name, value()?, 0..=100)?,
            "--large-callers" => series.large_callers = number(name, value()?, 0..=1000)?,
            "--runtime" => series.threads = threads(value()?)?,
            _ => return Err(format!("{name}: no such option")),
        }
    }
    let is_whole = only.is_empty();
    let default_rounds = if is_quick {
        2
    } else if is_whole {
        5
    } else {
        1
    };
    let default_length = Duration::from_millis(if is_quick { 100 } else { 1000 });
    let results = || Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/RESULTS.md");
    Ok(Asked::Run(Options {
        rounds: rounds.unwrap_or(default_rounds),
        length: length.unwrap_or(default_length),
        output: output.or_else(|| (is_whole && !is_quick).then(results)),
        date,
        only: (!is_whole).then_some((series, only)),
    }))
}

fn number(name: &str, text: &str, allowed: std::ops::RangeInclusive<usize>) -> Result<usize, String> {
    let parsed = text.parse().ok().filter(|number| allowed.contains(number));
    parsed.ok_or_else(|| format!("{name}: allowed are {} to {}", allowed.start(), allowed.end()))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.01..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "--seconds: allowed are 0.01 to 3600".to_owned())
}

fn threads(text: &str) -> Result<Threads, String> {
    match text {
        "multi" => Ok(Threads::Multi),
        "cores" => Ok(Threads::PerCore),
        _ => Err("--runtime: allowed are multi, cores".to_owned()),
    }
}
