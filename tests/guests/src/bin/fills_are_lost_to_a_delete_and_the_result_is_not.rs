//! A delete during a computation: its caller has the result, and nobody else ever does.

use strongroom::{FetchOptions, Fetched, Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let mut computed = 0;
    for round in 1..=2 {
        let Fetched::Vacant(fill) = cache.fetch::<u32>("k", FetchOptions::new()).expect("fetch") else {
            panic!("nothing was stored in round {round}");
        };
        computed += 1;
        cache.delete("k").expect("delete");
        assert!(!fill.complete(&computed, Ttl::minutes(1)).expect("complete"));
        assert_eq!(cache.get::<u32>("k").expect("get"), None);
    }
    assert_eq!(computed, 2);
}
