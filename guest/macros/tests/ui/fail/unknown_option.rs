//! An option that there is not, and one by the name that it has elsewhere.

use strongroom::cached;

#[cached(timeout = 600, size = 10)]
fn rate() -> f64 {
    1.0892
}

#[cached(ttl = 600)]
fn other_rate() -> f64 {
    1.0892
}

#[cached(600)]
fn without_a_name() -> f64 {
    1.0892
}

fn main() {}
