//! Batches of too many keys and of too many bytes, again and again: each is refused, and nothing of it is
//! done.

use strongroom::{Error, Ttl, stack_cache};

const TTL: Ttl = Ttl::minutes(5);

fn limit<T>(answer: Result<T, Error>) -> u32 {
    match answer {
        Err(Error::BatchTooLarge { limit, .. }) => limit,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it fits"),
    }
}

fn main() {
    let cache = stack_cache().expect("a stack").namespace("batches").expect("a name");
    let keys: Vec<_> = (0..1001).map(|number| format!("{number:01024}")).collect();
    let mebibyte = "x".repeat(1024 * 1024);
    cache.set("large", &mebibyte, TTL).expect("set");
    for _ in 0..5 {
        assert_eq!(limit(cache.get_many::<String>(&keys)), 1000);
        assert_eq!(limit(cache.delete_many(&keys)), 1000);
        assert_eq!(limit(cache.set_many(keys.iter().map(|key| (key, "x")), TTL)), 1000);
        // It compresses to a kibibyte, and is one entry; the guest would be handed a gibibyte.
        assert_eq!(limit(cache.get_many::<String>(vec!["large"; 1000])), 16);
        let entries = keys[..17].iter().map(|key| (key, &mebibyte));
        assert_eq!(limit(cache.set_many(entries, TTL)), 16);
    }
    assert!(cache.get_many::<String>(&keys[..1000]).expect("1000 fit").iter().all(Option::is_none));
    assert_eq!(cache.get::<String>("large"), Ok(Some(mebibyte)));
}
