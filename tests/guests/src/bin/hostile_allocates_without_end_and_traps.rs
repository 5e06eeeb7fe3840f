//! Takes memory until there is none, holding a cache, a fill and what it has read.

use strongroom::{FetchOptions, Fetched, Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    cache.set_bytes("large", &vec![7; 2 * 1024 * 1024], Ttl::minutes(1)).expect("set");
    let Fetched::Vacant(_fill) = cache.fetch::<String>("held", FetchOptions::new()).expect("fetch") else {
        panic!("nobody has it")
    };
    let mut held = Vec::new();
    loop {
        held.push(cache.get_bytes("large").expect("get"));
    }
}
