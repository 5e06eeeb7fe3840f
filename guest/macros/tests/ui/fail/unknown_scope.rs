//! There are four.

#[strongroom::cached(timeout = 600, scope = user)]
fn rate() -> f64 {
    1.0892
}

#[strongroom::cached(timeout = 600, scope = "tenant")]
fn other_rate() -> f64 {
    1.0892
}

fn main() {}
