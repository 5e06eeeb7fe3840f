//! What it asks of its callers could not be seen any more.

#[strongroom::cached(timeout = 600)]
unsafe fn rate() -> u32 {
    1
}

fn main() {}
