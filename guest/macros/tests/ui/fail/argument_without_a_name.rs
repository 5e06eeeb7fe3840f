//! A pattern has nothing that could be a part of the key.

use strongroom::cached;

#[cached(timeout = 600)]
fn sum((left, right): (u32, u32)) -> u32 {
    left + right
}

#[cached(timeout = 600)]
fn nothing(_: u32) -> u32 {
    0
}

fn main() {}
