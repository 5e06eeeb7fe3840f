//! Longer than the contract can say, as is the wait.

use strongroom::cached;

#[cached(timeout = 600, grace = 65536)]
fn rate() -> f64 {
    1.0892
}

#[cached(timeout = 600, wait = 31)]
fn other_rate() -> f64 {
    1.0892
}

fn main() {}
