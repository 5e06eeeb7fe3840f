//! What the user asks for: the arguments.

use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::generate::{LINES, Order};
use crate::view::View;

/// How to call it.
pub(crate) const USAGE: &str = "\
Usage: statement FILE --year YEAR [--view VIEW]
       statement generate --year YEAR [--lines N] [--seed N]
Views: all, months, categories, counterparties, recurring, balance, or a month, as march.
       Without one it shows the view that the session saw last.
";

/// What every complaint about arguments ends with.
const HINT: &str = "`--help` shows how to call it";

/// As dates are written.
const YEARS: RangeInclusive<u16> = 1..=9999;

/// Longest path: what is left of a cache's key of 1024 bytes for it.
const PATH_BYTES_MAX: usize = 512;

const LINES_DEFAULT: u32 = 3500;
const SEED_DEFAULT: u64 = 1;

#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    Show(Request),
    Generate(Order),
}

#[derive(Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) file: String,
    pub(crate) year: u16,
    pub(crate) view: Option<View>,
}

/// The options that were given, each at most once.
#[derive(Default)]
struct Options {
    year: Option<u16>,
    view: Option<View>,
    lines: Option<u32>,
    seed: Option<u64>,
}

pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut places = Vec::new();
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` needs a value: {HINT}"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--year" => once(&mut options.year, &argument, number(&value()?, &argument, YEARS)?)?,
            "--view" => once(&mut options.view, &argument, value()?.parse()?)?,
            "--lines" => once(&mut options.lines, &argument, number(&value()?, &argument, LINES)?)?,
            "--seed" => once(&mut options.seed, &argument, number(&value()?, &argument, 0..=u64::MAX)?)?,
            option if option.starts_with('-') => {
                return Err(format!("there is no option `{option}`: {HINT}"));
            }
            _ => places.push(argument),
        }
    }
    let [place] = <[String; 1]>::try_from(places)
        .map_err(|_| format!("it takes one file, or the word `generate`: {HINT}"))?;
    let year = options.year.ok_or_else(|| format!("it needs a year, as `--year 2025`: {HINT}"))?;
    if place == "generate" {
        return generate(year, &options);
    }
    if options.lines.is_some() || options.seed.is_some() {
        return Err(format!("`--lines` and `--seed` are for `generate`: {HINT}"));
    }
    if place.len() > PATH_BYTES_MAX {
        return Err(format!("the file's path is longer than {PATH_BYTES_MAX} bytes"));
    }
    Ok(Command::Show(Request { file: place, year, view: options.view }))
}

fn generate(year: u16, options: &Options) -> Result<Command, String> {
    if options.view.is_some() {
        return Err(format!("`--view` is for a file: {HINT}"));
    }
    let lines = options.lines.unwrap_or(LINES_DEFAULT);
    Ok(Command::Generate(Order { year, lines, seed: options.seed.unwrap_or(SEED_DEFAULT) }))
}

fn once<T>(option: &mut Option<T>, name: &str, value: T) -> Result<(), String> {
    match option.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("`{name}` is given twice")),
    }
}

fn number<T: FromStr + PartialOrd + ToString>(
    text: &str,
    name: &str,
    allowed: RangeInclusive<T>,
) -> Result<T, String> {
    text.parse().ok().filter(|number| allowed.contains(number)).ok_or_else(|| {
        let (least, most) = (allowed.start().to_string(), allowed.end().to_string());
        format!("`{name} {text}`: allowed is a number from {least} to {most}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &str) -> Result<Command, String> {
        parse(arguments.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_request_reads_in_any_order() {
        let expected = || Request { file: "/data/a.csv".into(), year: 2025, view: Some(View::Month(3)) };
        assert_eq!(parsed("/data/a.csv --year 2025 --view march"), Ok(Command::Show(expected())));
        assert_eq!(parsed("--view March --year 2025 /data/a.csv"), Ok(Command::Show(expected())));
        let order = Order { year: 2024, lines: 200_000, seed: 7 };
        assert_eq!(parsed("generate --year 2024 --lines 200000 --seed 7"), Ok(Command::Generate(order)));
        assert!(
            matches!(parsed("generate --year 2024"), Ok(Command::Generate(o)) if o.lines == LINES_DEFAULT)
        );
        assert_eq!(parsed("--help"), Ok(Command::Help));
    }

    #[test]
    fn what_makes_no_sense_is_a_complaint_that_shows_how() {
        let cases = [
            ("", "`--help`"),
            ("a.csv", "--year 2025"),
            ("a.csv b.csv --year 2025", "one file"),
            ("a.csv --year", "needs a value"),
            ("a.csv --year soon", "from 1 to 9999"),
            ("a.csv --year 0", "from 1 to 9999"),
            ("a.csv --year 2025 --year 2024", "twice"),
            ("a.csv --year 2025 --view everything", "`everything` is no view"),
            ("a.csv --year 2025 --at noon", "`--at`"),
            ("a.csv --year 2025 --lines 5000", "for `generate`"),
            ("generate --year 2025 --lines 10", "from 1000 to 400000"),
            ("generate --year 2025 --view all", "for a file"),
        ];
        for (arguments, expected) in cases {
            let said = parsed(arguments).expect_err("it makes no sense");
            assert!(said.contains(expected), "{arguments}: {said}");
        }
        assert!(parsed(&format!("{} --year 2025", "a".repeat(600))).is_err());
    }
}
