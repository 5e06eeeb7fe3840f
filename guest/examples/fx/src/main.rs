//! An example extension: converts an amount between two currencies, at the European Central Bank's
//! reference rates, and shows what its caches did for it.
//!
//! The rates of a day are the same for everybody at a tenant, so they are kept in the stack's cache. What
//! the user converted last is nobody else's business, so it is kept in the session's.

mod caches;
mod date;
mod money;
mod rates;
mod request;
mod step;

use std::process::ExitCode;

use caches::{last_conversion, rates_of_day};
use rates::History;
use request::{Command, USAGE};

/// The history is a part of the component: guests get no files unless they are given some.
const HISTORY: &str = include_str!("../data/eurofxref-hist.csv");

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(complaint) => {
            eprintln!("fx: {complaint}");
            ExitCode::FAILURE
        }
    }
}

/// Does what the arguments ask for, and answers what to print.
fn run(arguments: impl Iterator<Item = String>) -> Result<String, String> {
    let request = match request::parse(arguments)? {
        Command::Help => return Ok(USAGE.to_owned()),
        Command::Convert(request) => request,
    };
    let history = History::new(HISTORY)?;
    let on = match request.on {
        Some(date) => history.within(date)?,
        None => history.last(),
    };

    let (day, day_step) = rates_of_day(&history, on)?;
    let conversion = day.convert(request.amount, &request.from, &request.to)?;
    let (last, last_step) = last_conversion(&conversion);

    let mut report = format!("{day_step}\n{last_step}\n\n{conversion}\n");
    report += &format!("{}\n", day.explain(&conversion, on));
    if let Some(last) = last {
        report += &format!("Your last conversion was {last}, of {}.\n", last.date);
    }
    if request.is_example {
        report += &format!("\nThis was an example. {USAGE}");
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(arguments: &str) -> Result<String, String> {
        run(arguments.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn it_converts_without_a_cache() {
        let report = said("250 USD JPY --on 2024-03-15").expect("the day is in the file");
        assert!(report.contains("250.00 USD = 37,190.14 JPY\n"), "{report}");
        assert!(report.contains("of Friday, 2024-03-15.\n"), "{report}");
    }

    #[test]
    fn a_sunday_takes_the_rates_of_the_friday_before_and_says_so() {
        let report = said("250 USD JPY --on 2024-03-17").expect("a day before is in the file");
        assert!(report.contains("37,190.14 JPY"), "{report}");
        assert!(report.contains("there are none of Sunday, 2024-03-17"), "{report}");
    }

    #[test]
    fn without_arguments_it_shows_an_example() {
        let report = said("").expect("the example is valid");
        assert!(report.contains("fx AMOUNT FROM TO"), "{report}");
    }

    #[test]
    fn what_it_has_no_rates_for_is_a_complaint() {
        let complaint = |arguments| said(arguments).expect_err("it has no rates for this");
        assert!(complaint("1 USD XYZ").contains("no rate for XYZ"));
        assert!(complaint("1 EUR RUB --on 2024-03-15").contains("no rate for RUB"));
        assert!(complaint("1 EUR USD --on 1999-01-04").contains("begin on 2018-01-02"));
        assert!(complaint("1 EUR USD --on 2099-01-01").contains("end on 2026-10-30"));
    }
}
