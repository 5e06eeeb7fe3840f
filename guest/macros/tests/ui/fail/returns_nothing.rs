//! There is nothing to keep.

use strongroom::cached;

#[cached(timeout = 600)]
fn say(text: &str) {
    println!("{text}");
}

#[cached(timeout = 600)]
fn unit() -> () {}

fn main() {}
