//! Two calls that differ in it would share an entry.

#[strongroom::cached(timeout = 600, key = "rate:{currency}")]
fn rate<const DIGITS: usize>(currency: &str, day: u32) -> usize {
    currency.len() + day as usize + DIGITS
}

fn main() {}
