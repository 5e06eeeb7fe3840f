//! Takes the fill and then, by its argument, traps or hangs; without one it expects to be given the fill.

use std::time::Duration;
use strongroom::{FetchOptions, Fetched, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    // Less than a lease: it must be given back, not run out.
    let options = FetchOptions::new().wait(Duration::from_secs(5));
    let fetched = cache.fetch::<String>("k", options).expect("fetch");
    let Fetched::Vacant(_fill) = fetched else { panic!("{fetched:?}") };
    println!("computing");
    match std::env::args().nth(1).as_deref() {
        Some("trap") => std::process::abort(),
        Some("hang") => std::thread::sleep(Duration::from_secs(600)),
        _ => {}
    }
}
