//! Skipping what is not there, what is skipped already, and what the key names.

use strongroom::cached;

#[cached(timeout = 600, skip(client))]
fn rate(currency: &str, day: u32) -> f64 {
    f64::from(day) + currency.len() as f64
}

#[cached(timeout = 600, skip(day, day))]
fn twice(currency: &str, day: u32) -> f64 {
    f64::from(day) + currency.len() as f64
}

#[cached(timeout = 600, key = "{currency}/{day}", skip(day))]
fn named(currency: &str, day: u32) -> f64 {
    f64::from(day) + currency.len() as f64
}

#[cached(timeout = 600, skip = day)]
fn without_parentheses(day: u32) -> f64 {
    f64::from(day)
}

struct Bank;

impl Bank {
    #[cached(timeout = 600, skip(self))]
    fn this(&self) -> f64 {
        1.0892
    }
}

fn main() {}
