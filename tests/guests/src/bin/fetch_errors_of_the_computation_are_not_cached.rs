//! An `Err` comes back as it is, whatever its type, and the next caller computes again.

use strongroom::{FetchOptions, Fetched, Ttl, stack_cache};

/// Without serde.
#[derive(Debug, PartialEq)]
struct Down(u32);

fn main() {
    let cache = stack_cache().expect("a stack");
    let ttl = Ttl::minutes(1);
    for attempt in 0..3 {
        let failed = cache.get_or_try_set_with::<String, _>("k", ttl, || Err(Down(attempt)));
        assert_eq!(failed, Err(Down(attempt)));
    }
    // The right to compute was given back.
    let vacant = cache.fetch::<String>("k", FetchOptions::new()).expect("fetch");
    assert!(matches!(vacant, Fetched::Vacant(_)));
    drop(vacant);

    let computed = cache.get_or_try_set_with("k", ttl, || Ok::<_, Down>("up".to_owned()));
    assert_eq!(computed, Ok("up".to_owned()));
    let found = cache.get_or_try_set_with::<String, _>("k", ttl, || Err(Down(9)));
    assert_eq!(found, Ok("up".to_owned()));
}
