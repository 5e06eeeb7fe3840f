//! It can't be written and read.

use strongroom::cached;

struct Rate;

#[cached(timeout = 600)]
fn rate() -> Rate {
    Rate
}

// An `Err` needs no serde, what is `Ok` does.
#[cached(timeout = 600)]
fn try_rate() -> Result<Rate, Rate> {
    Ok(Rate)
}

#[cached(timeout = 600, cache_err)]
fn both() -> Result<u32, Rate> {
    Err(Rate)
}

fn main() {}
