//! Calendar dates, as the rates file writes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A day of the Gregorian calendar, written `2024-03-15`. Later days are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    pub(crate) fn weekday(self) -> &'static str {
        // Sakamoto's method: what each month adds to the weekday, the year taken to begin in March.
        const SHIFT: [u16; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
        const NAMES: [&str; 7] =
            ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
        let year = self.year - u16::from(self.month < 3);
        let leaps = year / 4 - year / 100 + year / 400;
        let days = year + leaps + SHIFT[usize::from(self.month) - 1] + u16::from(self.day);
        NAMES[usize::from(days % 7)]
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
        let complaint = || format!("`{text}` is no date: write it as 2024-03-15");
        let digits = |range: std::ops::Range<usize>| {
            let part = text.get(range)?;
            let all_digits = part.bytes().all(|byte| byte.is_ascii_digit());
            all_digits.then(|| part.parse::<u16>().ok()).flatten()
        };
        let marks = text.as_bytes();
        if marks.len() != 10 || marks[4] != b'-' || marks[7] != b'-' {
            return Err(complaint());
        }
        let (Some(year), Some(month), Some(day)) = (digits(0..4), digits(5..7), digits(8..10)) else {
            return Err(complaint());
        };
        // Two digits each, so they fit.
        let (month, day) = (month as u8, day as u8);
        if year == 0 || !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
            return Err(complaint());
        }
        Ok(Self { year, month, day })
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

    fn date(text: &str) -> Date {
        text.parse().expect("the test wrote a date")
    }

    #[test]
    fn dates_read_back_and_sort() {
        assert_eq!(date("2024-02-29").to_string(), "2024-02-29");
        assert!(date("2024-03-15") > date("2024-02-29"));
        assert!(date("2024-01-01") > date("2023-12-31"));
    }

    #[test]
    fn what_is_no_day_is_refused() {
        let wrong = [
            "",
            "2024",
            "2024-3-15",
            "15-03-2024",
            "2024-02-30",
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-01-00",
            "2024/03/15",
            "2024-03-1x",
            "+024-03-15",
            "0000-01-01",
            "20é4-03-1",
        ];
        for text in wrong {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }

    #[test]
    fn weekdays_are_those_of_the_calendar() {
        assert_eq!(date("2024-03-15").weekday(), "Friday");
        assert_eq!(date("2024-02-29").weekday(), "Thursday");
        assert_eq!(date("2000-01-01").weekday(), "Saturday");
        assert_eq!(date("2026-10-30").weekday(), "Friday");
        assert_eq!(date("0001-01-01").weekday(), "Monday");
    }
}
