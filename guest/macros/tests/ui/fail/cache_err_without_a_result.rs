//! There is no `Err` to keep.

#[strongroom::cached(timeout = 600, cache_err)]
fn rate() -> Option<f64> {
    None
}

fn main() {}
