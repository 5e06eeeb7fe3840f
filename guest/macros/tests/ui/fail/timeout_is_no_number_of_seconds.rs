//! Units are for `Ttl`, and not for texts.

use strongroom::cached;

#[cached(timeout = "10m")]
fn text() -> f64 {
    1.0892
}

#[cached(timeout = 1.5)]
fn fraction() -> f64 {
    1.0892
}

#[cached(timeout = -1)]
fn negative() -> f64 {
    1.0892
}

#[cached(timeout = 4294967296)]
fn too_long() -> f64 {
    1.0892
}

#[cached(timeout)]
fn without_value() -> f64 {
    1.0892
}

const SECONDS: u32 = 600;

#[cached(timeout = SECONDS)]
fn seconds_by_name() -> f64 {
    1.0892
}

fn main() {}
