//! Waits for its own fill, for as long as a number can say.

#[path = "../raw.rs"]
mod raw;

use raw::strongroom::cache::{stack, types::Fetched};

fn main() {
    let cache = stack::open(None).expect("a stack");
    let Ok(Fetched::Vacant(_held)) = cache.fetch("waited for", 0, 0) else { panic!("nobody has it") };
    println!("waiting");
    let fetched = cache.fetch("waited for", 0, u32::MAX);
    println!("{fetched:?}");
}
