//! Calendar dates, as the file writes them, and the numbers that count days.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The months' names, as people say them.
pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A day of the Gregorian calendar, written `2025-03-15`. Later days are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Date {
    pub(crate) year: u16,
    /// 1 to 12.
    pub(crate) month: u8,
    /// From 1.
    pub(crate) day: u8,
}

impl Date {
    /// The day, if the calendar has it.
    pub(crate) fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let is_day = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day);
        is_day.then_some(Self { year, month, day })
    }

    /// Days since 1970-01-01, so that the difference of two is the time between them.
    ///
    /// The year is taken to begin in March, so that the leap day is its last; 400 of them are 146,097 days.
    pub(crate) fn number(self) -> i32 {
        let year = i32::from(self.year) - i32::from(self.month < 3);
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let month = (i32::from(self.month) + 9) % 12;
        let of_year = (153 * month + 2) / 5 + i32::from(self.day) - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// The day after.
    pub(crate) fn next(self) -> Self {
        let Self { year, month, day } = self;
        Self::new(year, month, day + 1).or_else(|| Self::new(year, month + 1, 1)).unwrap_or(Self {
            year: year + 1,
            month: 1,
            day: 1,
        })
    }

    pub(crate) fn weekday(self) -> &'static str {
        const NAMES: [&str; 7] =
            ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
        NAMES[self.number().rem_euclid(7).unsigned_abs() as usize]
    }

    pub(crate) fn is_weekend(self) -> bool {
        matches!(self.weekday(), "Saturday" | "Sunday")
    }
}

fn days_in(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = |range: std::ops::Range<usize>| {
            let part = text.get(range)?;
            let all_digits = part.bytes().all(|byte| byte.is_ascii_digit());
            all_digits.then(|| part.parse::<u16>().ok()).flatten()
        };
        let marks = text.as_bytes();
        let is_shaped = marks.len() == 10 && marks[4] == b'-' && marks[7] == b'-';
        let date = || {
            let (month, day) = (u8::try_from(digits(5..7)?).ok()?, u8::try_from(digits(8..10)?).ok()?);
            Self::new(digits(0..4)?, month, day)
        };
        let date = if is_shaped { date() } else { None };
        date.ok_or_else(|| format!("`{text}` is no date: write it as 2025-03-15"))
    }
}

impl TryFrom<String> for Date {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date(text: &str) -> Date {
        text.parse().expect("the test wrote a date")
    }

    #[test]
    fn days_are_counted_as_the_calendar_has_them() {
        assert_eq!(date("1970-01-01").number(), 0);
        assert_eq!(date("2000-03-01").number(), 11_017);
        assert_eq!(date("2025-01-01").number() - date("2024-01-01").number(), 366);
        assert_eq!(date("2024-03-01").number() - date("2024-02-28").number(), 2);
        assert_eq!(date("1900-03-01").number() - date("1900-02-28").number(), 1);
    }

    #[test]
    fn weekdays_are_those_of_the_calendar() {
        assert_eq!(date("2024-02-29").weekday(), "Thursday");
        assert_eq!(date("2025-01-01").weekday(), "Wednesday");
        assert_eq!(date("1969-12-31").weekday(), "Wednesday");
        assert!(date("2025-03-15").is_weekend() && !date("2025-03-17").is_weekend());
    }

    #[test]
    fn what_is_no_day_is_refused() {
        let wrong = [
            "",
            "2025-3-15",
            "15-03-2025",
            "2025-02-29",
            "2025-13-01",
            "2025-00-10",
            "2025-01-00",
            "2025/03/15",
            "2025-03-1x",
            "+025-03-15",
            "0000-01-01",
            "20é5-03-1",
        ];
        for text in wrong {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn each_day_is_followed_by_the_next(year in 1_u16..9999, month in 1_u8..=12, day in 1_u8..=31) {
            if let Some(date) = Date::new(year, month, day) {
                prop_assert_eq!(date.next().number(), date.number() + 1);
                prop_assert!(date.next() > date);
                prop_assert_eq!(date.to_string().parse(), Ok(date));
            }
        }
    }
}
