//! A batch has at most 1000 keys, and at most 16 MiB of values each way; the error says how many keys fit.

use strongroom::{Error, Ttl, stack_cache};

fn limit<T>(answer: Result<T, Error>) -> u32 {
    match answer {
        Err(Error::BatchTooLarge { limit, .. }) => limit,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it fits"),
    }
}

fn main() {
    let cache = stack_cache().expect("a stack");
    let keys: Vec<_> = (0..1001).map(|index| index.to_string()).collect();
    let refused = cache.get_many::<i64>(&keys);
    assert_eq!(limit(refused), 1000);
    assert_eq!(limit(cache.delete_many(&keys)), 1000);
    let entries = keys.iter().map(|key| (key, 1));
    assert_eq!(limit(cache.set_many(entries, Ttl::minutes(1))), 1000);
    let stored = cache.set_many(keys[..1000].iter().map(|key| (key, 1)), Ttl::minutes(1)).expect("1000 fit");
    assert!(stored.iter().all(Result::is_ok));
    assert_eq!(cache.get_many::<i64>(&keys[..1000]).expect("1000 fit").iter().flatten().count(), 1000);

    // One large value, asked for many times: eight fit, though they compress to nearly nothing.
    let large = "x".repeat(2 * 1024 * 1024);
    cache.set("large", &large, Ttl::minutes(1)).expect("set");
    assert_eq!(cache.get_many::<String>(["large"; 8]).expect("16 MiB fit").len(), 8);
    assert_eq!(limit(cache.get_many::<String>(["large"; 9])), 8);
    let nine = ["large"; 9].map(|key| (key, &large));
    assert_eq!(limit(cache.set_many(nine, Ttl::minutes(1))), 8);
}
