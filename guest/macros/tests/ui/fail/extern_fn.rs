//! Its arguments are another language's.

#[strongroom::cached(timeout = 600)]
extern "C" fn rate() -> u32 {
    1
}

fn main() {}
