//! Each is told at once.

#[strongroom::cached(ttl = 600, scope = user, skip(client))]
const fn rate(_: u32) -> u32 {
    1
}

fn main() {}
