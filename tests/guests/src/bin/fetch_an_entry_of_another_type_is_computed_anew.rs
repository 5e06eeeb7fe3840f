//! What an older version of the extension stored counts as a miss, and is overwritten.

use std::time::Duration;

use strongroom::{ComputeOptions, Ttl, on_cache_error, stack_cache};

fn main() {
    on_cache_error(|error| assert!(error.is_wrong_type()));
    let cache = stack_cache().expect("a stack");
    let ttl = Ttl::minutes(1);
    let graced = ComputeOptions::new(ttl).grace(Duration::from_secs(60));
    for options in [ttl.into(), graced] {
        cache.set("k", "an older version", ttl).expect("set");
        assert_eq!(cache.get_or_set_with("k", options, || 1), 1);
        assert_eq!(cache.get_or_set_with("k", options, || 2), 1);
    }
    cache.set("k", "an older version", ttl).expect("set");
    assert_eq!(cache.get_many_or_set_with(["k"], ttl, |_| vec![3]), [3]);
    assert_eq!(cache.get::<i32>("k").expect("get"), Some(3));
}
