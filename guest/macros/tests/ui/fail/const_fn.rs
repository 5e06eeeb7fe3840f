//! A compiler has no cache.

#[strongroom::cached(timeout = 600)]
const fn rate() -> u32 {
    1
}

fn main() {}
