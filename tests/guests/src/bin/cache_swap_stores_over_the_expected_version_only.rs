//! `swap` stores where nobody has written since, and says what it met otherwise.

use strongroom::{SwapOutcome, Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let ttl = Ttl::minutes(1);
    assert!(cache.get_versioned::<i64>("k").expect("get_versioned").is_none());
    cache.set("k", &1, ttl).expect("set");
    let first = cache.get_versioned::<i64>("k").expect("get_versioned").expect("an entry");
    assert_eq!(first.value, 1);
    assert_eq!(cache.swap("k", &2, first.version, ttl).expect("swap"), SwapOutcome::Swapped);
    assert_eq!(cache.swap("k", &3, first.version, ttl).expect("swap"), SwapOutcome::Changed);
    assert_eq!(cache.get::<i64>("k").expect("get"), Some(2));

    // The same value written again is another version.
    let second = cache.get_versioned::<i64>("k").expect("get_versioned").expect("an entry");
    cache.set("k", &2, ttl).expect("set");
    assert_eq!(cache.swap("k", &4, second.version, ttl).expect("swap"), SwapOutcome::Changed);

    cache.delete("k").expect("delete");
    assert_eq!(cache.swap("k", &5, second.version, ttl).expect("swap"), SwapOutcome::Missing);
    assert_eq!(cache.get::<i64>("k").expect("get"), None);
}
