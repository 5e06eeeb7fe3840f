//! The key is made of arguments.

use strongroom::cached;

#[cached(timeout = 600, key = "rate:{curency}", skip(currency))]
fn rate(currency: &str) -> usize {
    currency.len()
}

#[cached(timeout = 600, key = "rate:{self.region}")]
fn free() -> f64 {
    1.0892
}

fn main() {}
