//! Nothing says for how long a result is good.

#[strongroom::cached]
fn rate() -> f64 {
    1.0892
}

#[strongroom::cached(scope = stack)]
fn other_rate() -> f64 {
    1.0892
}

fn main() {
    // No further complaints about what the function would have had.
    rate();
    let _ = rate::invalidate();
}
