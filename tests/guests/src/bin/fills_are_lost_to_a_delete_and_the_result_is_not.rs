//! A delete during a computation: its caller has the result, and nobody else ever does.

use strongroom::{FetchOptions, Fetched, Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let Fetched::Vacant(fill) = cache.fetch::<u32>("k", FetchOptions::new()).expect("fetch") else {
        panic!("nothing was stored");
    };
    cache.delete("k").expect("delete");
    assert!(!fill.complete(&0, Ttl::minutes(1)).expect("complete"));
    assert_eq!(cache.get::<u32>("k").expect("get"), None);

    for round in 1..=2 {
        let result = cache.get_or_set_with("k", Ttl::minutes(1), || {
            cache.delete("k").expect("delete");
            round
        });
        assert_eq!(result, round, "no round has the result of another");
        assert_eq!(cache.get::<u32>("k").expect("get"), None);
    }
}
