//! An empty namespace is none.

#[strongroom::cached(timeout = 600, namespace = "")]
fn rate() -> f64 {
    1.0892
}

#[strongroom::cached(timeout = 600, namespace = rates)]
fn other_rate() -> f64 {
    1.0892
}

fn main() {}
