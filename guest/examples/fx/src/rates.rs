//! The rates: finding a day in the bank's file, and converting through the euro.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::date::Date;
use crate::money;

/// The currency that all rates are given against.
const EURO: &str = "EUR";

/// What the file has where the bank set no rate.
const NO_RATE: &str = "N/A";

/// The bank's file: a head with the currencies, and a row of rates against the euro for each working day.
pub(crate) struct History<'a> {
    head: &'a str,
    rows: &'a str,
    first: Date,
    last: Date,
}

/// The rates of one day: how much of each currency one euro was worth. This is what is cached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Day {
    pub(crate) date: Date,
    per_euro: BTreeMap<String, f64>,
}

/// A conversion that was made. The user's last one is cached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Conversion {
    amount: f64,
    from: String,
    result: f64,
    to: String,
    pub(crate) date: Date,
}

impl<'a> History<'a> {
    pub(crate) fn new(csv: &'a str) -> Result<Self, String> {
        let (head, rows) = csv.split_once('\n').ok_or("the rates file has no rows")?;
        // The bank writes the newest day first.
        let date_of = |row: Option<&str>| Date::of_row(row.unwrap_or_default());
        Ok(Self {
            head,
            rows,
            first: date_of(rows.lines().next_back())?,
            last: date_of(rows.lines().next())?,
        })
    }

    pub(crate) fn last(&self) -> Date {
        self.last
    }

    /// The date, if the file covers it.
    pub(crate) fn within(&self, date: Date) -> Result<Date, String> {
        if date < self.first {
            return Err(format!("there are no rates of {date}: they begin on {}", self.first));
        }
        if date > self.last {
            return Err(format!("there are no rates of {date}: they end on {}", self.last));
        }
        Ok(date)
    }

    /// In bytes.
    pub(crate) fn size(&self) -> usize {
        self.rows.len()
    }

    /// The rates of the day, or of the last day before it that has some: there are none of weekends
    /// and holidays. Reads every row, and takes no order for granted.
    pub(crate) fn day(&self, on: Date) -> Result<Day, String> {
        let mut best: Option<(Date, &str)> = None;
        for row in self.rows.lines() {
            let date = Date::of_row(row)?;
            if date <= on && best.is_none_or(|(found, _)| date > found) {
                best = Some((date, row));
            }
        }
        let (date, row) = best.ok_or_else(|| format!("there are no rates of {on} or before"))?;
        Ok(Day { date, per_euro: self.rates_in(row)? })
    }

    fn rates_in(&self, row: &str) -> Result<BTreeMap<String, f64>, String> {
        let mut per_euro = BTreeMap::from([(EURO.to_owned(), 1.0)]);
        let cells = self.head.split(',').zip(row.split(',')).skip(1);
        // Rows end with a comma, so the last cell has no currency.
        for (currency, cell) in
            cells.filter(|(currency, cell)| !currency.trim().is_empty() && *cell != NO_RATE)
        {
            let rate = cell.parse::<f64>().ok().filter(|rate| *rate > 0.0);
            let rate = rate.ok_or_else(|| format!("the rates file has `{cell}` for {currency}"))?;
            per_euro.insert(currency.to_owned(), rate);
        }
        Ok(per_euro)
    }
}

impl Date {
    fn of_row(row: &str) -> Result<Self, String> {
        row.split(',').next().unwrap_or_default().parse()
    }
}

impl Day {
    pub(crate) fn convert(&self, amount: f64, from: &str, to: &str) -> Result<Conversion, String> {
        Ok(Conversion {
            amount,
            from: from.to_owned(),
            result: amount / self.per_euro(from)? * self.per_euro(to)?,
            to: to.to_owned(),
            date: self.date,
        })
    }

    /// Says which rate the conversion used, and of which day where another was asked for.
    pub(crate) fn explain(&self, conversion: &Conversion, asked: Date) -> String {
        let Conversion { from, to, amount, result, .. } = conversion;
        let rate = money::rate(result / amount);
        let day = format!("{}, {}", self.date.weekday(), self.date);
        let instead = if asked == self.date {
            String::new()
        } else {
            format!(" (there are none of {}, {asked})", asked.weekday())
        };
        format!("1 {from} = {rate} {to} at the reference rates of {day}{instead}.")
    }

    fn per_euro(&self, currency: &str) -> Result<f64, String> {
        self.per_euro.get(currency).copied().ok_or_else(|| {
            let known: Vec<_> = self.per_euro.keys().map(String::as_str).collect();
            format!(
                "there is no rate for {currency} on {}; there are rates for {}",
                self.date,
                known.join(" ")
            )
        })
    }
}

impl fmt::Display for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (amount, result) = (money::amount(self.amount), money::amount(self.result));
        write!(f, "{amount} {} = {result} {}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(on: &str) -> Day {
        let history = History::new(crate::HISTORY).expect("the file is whole");
        history.day(on.parse().expect("the test wrote a date")).expect("the file has the day")
    }

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9 * right.abs()
    }

    #[test]
    fn a_day_has_the_rates_of_its_row() {
        let day = day("2024-03-15");
        assert_eq!(day.date.to_string(), "2024-03-15");
        // Thirty currencies had a rate, and the euro itself.
        assert_eq!(day.per_euro.len(), 31);
        assert_eq!(day.per_euro("USD"), Ok(1.0892));
        assert_eq!(day.per_euro("JPY"), Ok(162.03));
        assert_eq!(day.per_euro("ZAR"), Ok(20.3515));
        assert_eq!(day.per_euro("EUR"), Ok(1.0));
    }

    #[test]
    fn other_rates_cross_through_the_euro() {
        let result = |from, to| day("2024-03-15").convert(250.0, from, to).map(|c| c.result);
        // By hand: 250 / 1.0892 = 229.526258..., times 162.03 = 37190.139552...
        assert!(result("USD", "JPY").is_ok_and(|r| near(r, 37_190.139_551_964_7)));
        assert!(result("EUR", "USD").is_ok_and(|r| near(r, 272.3)));
        assert!(result("USD", "EUR").is_ok_and(|r| near(r, 229.526_257_803_893)));
        assert!(result("GBP", "GBP").is_ok_and(|r| near(r, 250.0)));
    }

    #[test]
    fn a_day_without_rates_takes_the_last_one_before() {
        assert_eq!(day("2024-03-16"), day("2024-03-15"));
        assert_eq!(day("2024-03-17"), day("2024-03-15"));
        assert_ne!(day("2024-03-18"), day("2024-03-15"));
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter() {
        let csv = "Date,USD,\n2024-01-02,1.1,\n2024-01-05,1.3,\n2024-01-04,1.2,\n";
        let history = History::new(csv).expect("the file is whole");
        let found = history.day("2024-01-04".parse().expect("a date"));
        assert!(found.is_ok_and(|day| day.per_euro("USD") == Ok(1.2)));
    }

    #[test]
    fn a_broken_file_is_a_complaint() {
        assert!(History::new("").is_err());
        assert!(History::new("Date,USD,\nyesterday,1.1,\n").is_err());
        let history = History::new("Date,USD,\n2024-01-02,much,\n").expect("the dates are whole");
        assert!(history.day(history.last()).is_err_and(|c| c.contains("`much` for USD")));
    }
}
