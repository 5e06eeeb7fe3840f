//! The arguments of `strongroom bench`.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use strongroom_host::backend::Server;
use strongroom_host::limits::VALUE_BYTES_CONFIGURABLE_MAX;

use crate::args::SettingsArgs;

/// Longest single measurement, in seconds: an hour.
const SECONDS_MAX: f64 = 3600.0;

/// Units of sizes, in bytes.
const UNITS: &[(&str, usize)] =
    &[("", 1), ("B", 1), ("KB", 1000), ("KiB", 1024), ("MB", 1_000_000), ("MiB", 1024 * 1024)];

pub(crate) const EXAMPLES: &str = "\
It stores values of its own under random keys that begin with `strongroom-bench:`, at most 16 MiB at a time (or 4
values, where they are larger), and deletes them at the end. A server that is in use gets slower
meanwhile, and may evict others' entries where its memory is full.

Latencies are those of gets that hit. Ctrl-C ends it with what was measured so far.

Examples:
  strongroom bench                                       the configured servers
  strongroom bench --server 10.0.0.5 --server 10.0.0.6   these, together
  strongroom bench --callers 64 --sizes 500,4KB --seconds 10";

/// What to measure.
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// A server to measure, instead of the settings' ones. May be repeated: keys are spread over all
    #[arg(long, value_name = "[NAME=]HOST[:PORT]", value_parser = server)]
    pub(crate) server: Vec<Server>,

    /// How many callers ask at the same time, each one operation after the other
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "1,16,64,256",
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub(crate) callers: Vec<u32>,

    /// Sizes of values: numbers of bytes, or with a unit (KB, KiB, MB, MiB)
    #[arg(long, value_name = "SIZE,...", value_delimiter = ',', default_value = "100,10KB,1MiB")]
    pub(crate) sizes: Vec<Size>,

    /// How long each size is measured with each number of callers
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub(crate) seconds: f64,

    /// How many of a hundred operations are gets; the others are sets
    #[arg(long, value_name = "PERCENT", default_value = "95", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) gets: u8,

    /// What the callers run on
    #[arg(long, value_name = "KIND", default_value = "cores")]
    pub(crate) runtime: RuntimeKind,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// The runtime that callers are tasks of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum RuntimeKind {
    /// A current-thread runtime for each core, with its share of the callers and its own connections
    Cores,
    /// One multi-thread runtime, whose threads share the connections
    Multi,
}

/// A value's size, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Size(pub(crate) usize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()));
        let bytes = unit.and_then(|(_, bytes)| number.parse::<usize>().ok()?.checked_mul(*bytes));
        bytes.filter(|bytes| (1..=VALUE_BYTES_CONFIGURABLE_MAX).contains(bytes)).map(Self).ok_or_else(|| {
            "allowed are 1 to 16777216 bytes, written as 100, 10KB, 10KiB, 1MB or 1MiB".to_owned()
        })
    }
}

fn server(text: &str) -> Result<Server, String> {
    Server::parse(text).ok_or_else(|| format!("allowed are {}", Server::FORM))
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.01..=SECONDS_MAX).contains(seconds));
    seconds.ok_or_else(|| format!("allowed are 0.01 to {SECONDS_MAX} seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit_or_is_bytes() {
        let sizes = ["100", "10KB", "1MiB", "2 kib", "16MiB", "7b"].map(|text| text.parse::<Size>().ok());
        let bytes = [100, 10_000, 1 << 20, 2048, 16 << 20, 7];
        assert_eq!(sizes, bytes.map(|bytes| Some(Size(bytes))));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "0", "KB", "-1", "1.5MB", "1GB", "17MiB", "99999999999999999999", "10 KB x"] {
            assert!(text.parse::<Size>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_measurement_takes_some_time_and_not_for_ever() {
        assert_eq!(seconds("0.25"), Ok(0.25));
        for text in ["0", "-1", "NaN", "inf", "3601", "x"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
