//! Money in minor units: whole cents, or what a currency has in their place. There are no floats here.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Largest amount and balance, either way: ten thousand million with two decimals. Sums can't overflow,
/// since no file has the nine million lines that it takes (see `ledger::FILE_BYTES_MAX`).
const MINOR_MAX: i64 = 1_000_000_000_000;

/// An amount in minor units. What leaves the account is negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Money(i64);

/// A currency by its ISO 4217 code, which says how many decimals its amounts have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Currency([u8; 3]);

impl Money {
    pub(crate) const fn minor(minor: i64) -> Self {
        Self(minor)
    }

    /// How much it is, whichever way it went.
    pub(crate) fn size(self) -> u64 {
        self.0.unsigned_abs()
    }

    pub(crate) fn is_incoming(self) -> bool {
        self.0 >= 0
    }
}

impl Currency {
    pub(crate) const EURO: Self = Self(*b"EUR");

    fn decimals(self) -> usize {
        match &self.0 {
            b"CLP" | b"ISK" | b"JPY" | b"KRW" | b"PYG" | b"UGX" | b"VND" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }

    /// Reads an amount as files write it: `-1234.50`, with all of the currency's decimals.
    pub(crate) fn parse(self, text: &str) -> Result<Money, String> {
        let complaint = || {
            let example = self.plain(Money(-123_450));
            format!("`{text}` is no amount in {self}: write it as {example}, up to {}", self.largest())
        };
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, decimals) = match self.decimals() {
            0 => (digits, ""),
            _ => digits.split_once('.').ok_or_else(complaint)?,
        };
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || decimals.len() != self.decimals() || !is_number(decimals)
        {
            return Err(complaint());
        }
        let size = format!("{whole}{decimals}").parse().ok().filter(|size: &i64| *size <= MINOR_MAX);
        let size = size.ok_or_else(complaint)?;
        Ok(Money(if digits.len() < text.len() { -size } else { size }))
    }

    fn largest(self) -> String {
        self.plain(Money(MINOR_MAX))
    }

    /// As files write it: `-1234.50`.
    pub(crate) fn plain(self, money: Money) -> String {
        let decimals = self.decimals();
        let sign = if money.is_incoming() { "" } else { "-" };
        // At least one digit stands before the point.
        let digits = format!("{:0width$}", money.size(), width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let point = if decimals > 0 { "." } else { "" };
        format!("{sign}{whole}{point}{fraction}")
    }

    /// As people read it, with thousands set apart: `-1,234.50`.
    pub(crate) fn show(self, money: Money) -> String {
        let plain = self.plain(money);
        let end = plain.find('.').unwrap_or(plain.len());
        let start = usize::from(!money.is_incoming());
        let mut shown = String::with_capacity(plain.len() + plain.len() / 3);
        for (at, character) in plain.chars().enumerate() {
            if at > start && at < end && (end - at).is_multiple_of(3) {
                shown.push(',');
            }
            shown.push(character);
        }
        shown
    }
}

impl FromStr for Currency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let code = text.as_bytes().try_into().ok();
        let code = code.filter(|code: &[u8; 3]| code.iter().all(u8::is_ascii_uppercase));
        code.map(Self).ok_or_else(|| format!("`{text}` is no currency: write its three letters, as EUR"))
    }
}

impl TryFrom<String> for Currency {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.to_string()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Money {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn currency(code: &str) -> Currency {
        code.parse().expect("the test wrote a currency")
    }

    #[test]
    fn each_currency_has_its_decimals() {
        assert_eq!(currency("EUR").parse("-1234.50"), Ok(Money(-123_450)));
        assert_eq!(currency("EUR").parse("0.05"), Ok(Money(5)));
        assert_eq!(currency("JPY").parse("1234"), Ok(Money(1234)));
        assert_eq!(currency("KWD").parse("1.234"), Ok(Money(1234)));
        assert_eq!(currency("EUR").show(Money(-123_456_789)), "-1,234,567.89");
        assert_eq!(currency("EUR").show(Money(-5)), "-0.05");
        assert_eq!(currency("EUR").show(Money(-12_345)), "-123.45");
        assert_eq!(currency("JPY").show(Money(1_234_567)), "1,234,567");
    }

    #[test]
    fn what_is_no_amount_is_a_complaint_that_shows_how() {
        for text in ["", "-", "1", "1.5", "1.500", "1,50", "+1.50", ".50", "1.", "--1.50", "1e3", "1 000.00"]
        {
            let complaint = Currency::EURO.parse(text).expect_err("it is no amount");
            assert!(complaint.contains("write it as -1234.50"), "{text}: {complaint}");
        }
        assert!(Currency::EURO.parse("10000000000.00").is_ok());
        assert!(Currency::EURO.parse("10000000000.01").is_err_and(|c| c.contains("up to 10000000000.00")));
        assert!(Currency::EURO.parse("99999999999999999999999.00").is_err());
        assert!(currency("JPY").parse("1.50").is_err_and(|c| c.contains("write it as -123450,")));
        for code in ["", "eur", "EURO", "E1R", "€"] {
            assert!(code.parse::<Currency>().is_err(), "{code}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(minor in -1_000_000_000_000_i64..=1_000_000_000_000, at in 0_usize..3) {
            let currency = currency(["EUR", "JPY", "KWD"][at]);
            prop_assert_eq!(currency.parse(&currency.plain(Money(minor))), Ok(Money(minor)));
            prop_assert_eq!(currency.show(Money(minor)).replace(',', ""), currency.plain(Money(minor)));
        }
    }
}
