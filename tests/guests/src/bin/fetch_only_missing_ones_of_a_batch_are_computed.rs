//! Of many keys only the missing ones are computed, each once, and then all are there.

use strongroom::{Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let ttl = Ttl::minutes(1);
    cache.set("b", &-2, ttl).expect("set");
    let lengths = |missing: &[&str]| missing.iter().map(|key| key.len() as i32).collect();

    let values = cache.get_many_or_set_with(["a", "b", "ccc", "a"], ttl, |missing| {
        assert_eq!(missing, ["a", "ccc"]);
        lengths(missing)
    });
    assert_eq!(values, [1, -2, 3, 1]);
    assert_eq!(cache.get_many::<i32>(["a", "b", "ccc"]).expect("get_many"), [Some(1), Some(-2), Some(3)]);
    let values: Vec<i32> = cache.get_many_or_set_with(["ccc", "a"], ttl, |_| panic!("nothing is missing"));
    assert_eq!(values, [3, 1]);

    let failed = cache.get_many_or_try_set_with::<i32, _>(["a", "d"], ttl, |_| Err("down"));
    assert_eq!(failed, Err("down"));

    // More than a host takes at once, one of them a key that it never takes.
    let mut keys: Vec<String> = (0..2500).map(|number| format!("key {number}")).collect();
    keys.push(String::new());
    let values = cache.get_many_or_set_with(&keys, ttl, lengths);
    assert_eq!(values.len(), 2501);
    let values = cache.get_many_or_set_with(&keys, ttl, |missing| {
        assert_eq!(missing, [""]);
        lengths(missing)
    });
    assert_eq!((values[0], values[2500]), (5, 0));

    // And more bytes: 20 MiB.
    let keys: Vec<String> = (0..20).map(|number| format!("large {number}")).collect();
    let large = |missing: &[&str]| missing.iter().map(|key| key.repeat(1 << 17)).collect();
    assert_eq!(cache.get_many_or_set_with(&keys, ttl, large).len(), 20);
    let values: Vec<String> = cache.get_many_or_set_with(&keys, ttl, |_| panic!("all were stored"));
    assert!(values.iter().zip(&keys).all(|(value, key)| value.starts_with(key)));
}
