//! Counters begin as asked, stop at zero and at 2^63 - 1, and refuse what is no counter.

use strongroom::{Error, Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    assert_eq!(cache.counter("n").increment(1).expect("increment"), 1);
    assert_eq!(cache.counter("n").increment(41).expect("increment"), 42);
    assert_eq!(cache.get::<i64>("n").expect("get"), Some(42));
    assert_eq!(cache.counter("n").decrement(33).expect("decrement"), 9);
    assert_eq!(cache.get::<i64>("n").expect("get"), Some(9), "a number that got shorter");
    assert_eq!(cache.counter("n").decrement(10).expect("decrement"), 0);

    let top = i64::MAX.unsigned_abs();
    assert_eq!(cache.counter("n").increment(u64::MAX).expect("increment"), top);
    assert_eq!(cache.counter("n").increment(1).expect("increment"), top);
    assert_eq!(cache.get::<i64>("n").expect("get"), Some(i64::MAX));
    assert_eq!(cache.counter("n").decrement(u64::MAX).expect("decrement"), 0);

    assert_eq!(
        cache.counter("new").starting_at(100).expiring(Ttl::minutes(1)).decrement(1).expect("decrement"),
        99
    );

    cache.set("text", "123", Ttl::minutes(1)).expect("set");
    assert_eq!(cache.counter("text").increment(1), Err(Error::NotAnInteger));
    assert_eq!(cache.get::<String>("text").expect("get").as_deref(), Some("123"));
    cache.set("negative", &-5, Ttl::minutes(1)).expect("set");
    assert_eq!(cache.counter("negative").increment(1), Err(Error::NotAnInteger));
    assert_eq!(cache.get::<i64>("negative").expect("get"), Some(-5));
}
