//! What the user asks for: the arguments.

use std::ops::RangeInclusive;

use crate::date::Date;

/// How to call it.
pub(crate) const USAGE: &str = "Usage: fx AMOUNT FROM TO [--on YYYY-MM-DD]\n";

/// What to convert where nothing was asked for.
const EXAMPLE: [&str; 3] = ["250", "USD", "JPY"];

/// From a cent to what an `f64` still knows to the cent, in any currency.
const AMOUNTS: RangeInclusive<f64> = 0.01..=1e9;

#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    Convert(Request),
}

#[derive(Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) amount: f64,
    pub(crate) from: String,
    pub(crate) to: String,
    /// The last day that there are rates of, where none is named.
    pub(crate) on: Option<Date>,
    /// Nothing was asked for.
    pub(crate) is_example: bool,
}

pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut places = Vec::new();
    let mut on = None;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--on" => {
                let date = arguments.next().ok_or("`--on` needs a date, as 2024-03-15")?;
                on = Some(date.parse()?);
            }
            option if option.starts_with("--") => {
                return Err(format!("there is no option `{option}`. {}", USAGE.trim_end()));
            }
            _ => places.push(argument),
        }
    }
    let is_example = places.is_empty();
    if is_example {
        places = EXAMPLE.map(str::to_owned).into();
    }
    let [amount, from, to] = places.as_slice() else {
        return Err(format!("it takes an amount and two currencies. {}", USAGE.trim_end()));
    };
    Ok(Command::Convert(Request {
        amount: amount_of(amount)?,
        from: from.to_uppercase(),
        to: to.to_uppercase(),
        on,
        is_example,
    }))
}

fn amount_of(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|amount| AMOUNTS.contains(amount)).ok_or_else(|| {
        let (least, most) = (AMOUNTS.start(), AMOUNTS.end());
        format!("`{text}` is no amount: write a number from {least} to {most}, as 99.95")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &str) -> Result<Command, String> {
        parse(arguments.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_request_reads_in_any_case_and_order() {
        let expected = Request {
            amount: 99.95,
            from: "USD".into(),
            to: "JPY".into(),
            on: "2024-03-15".parse().ok(),
            is_example: false,
        };
        assert_eq!(parsed("--on 2024-03-15 99.95 usd JPY"), Ok(Command::Convert(expected)));
    }

    #[test]
    fn nothing_asked_for_is_the_example() {
        assert!(matches!(parsed(""), Ok(Command::Convert(r)) if r.is_example && r.amount == 250.0));
        assert_eq!(parsed("1 USD JPY --help"), Ok(Command::Help));
    }

    #[test]
    fn what_makes_no_sense_is_a_complaint_that_shows_how() {
        let complaint = |arguments| parsed(arguments).expect_err("it makes no sense");
        for amount in ["much", "-1", "0", "NaN", "inf", "1e999", "0.001"] {
            let arguments = format!("{amount} USD JPY");
            assert!(parsed(&arguments).is_err_and(|c| c.contains("is no amount")));
        }
        assert!(complaint("250 USD").contains("Usage"));
        assert!(complaint("250 USD JPY CHF").contains("Usage"));
        assert!(complaint("250 USD JPY --at noon").contains("--at"));
        assert!(complaint("250 USD JPY --on").contains("needs a date"));
        assert!(complaint("250 USD JPY --on 2024-02-30").contains("is no date"));
    }
}
