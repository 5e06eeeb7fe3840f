//! A key is formatted, so what it names implements `Display`.

struct Currency;

#[strongroom::cached(timeout = 600, key = "rate:{currency}")]
fn rate(currency: Currency) -> f64 {
    let _ = currency;
    1.0892
}

fn main() {}
