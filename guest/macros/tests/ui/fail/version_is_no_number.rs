//! Versions are counted.

#[strongroom::cached(timeout = 600, version = "2")]
fn rate() -> f64 {
    1.0892
}

fn main() {}
