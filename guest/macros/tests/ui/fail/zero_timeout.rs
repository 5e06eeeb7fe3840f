//! What is kept for no time isn't kept.

#[strongroom::cached(timeout = 0)]
fn rate() -> f64 {
    1.0892
}

fn main() {}
