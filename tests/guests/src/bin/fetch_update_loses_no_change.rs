//! `update` changes what is there, begins what isn't, and does it again where somebody else was faster.

use strongroom::{Error, Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let ttl = Ttl::minutes(1);
    let push = |tag: &str| {
        cache.update("tags", ttl, |tags: Option<Vec<String>>| {
            let mut tags = tags.unwrap_or_default();
            tags.push(tag.to_owned());
            tags
        })
    };
    assert_eq!(push("a").expect("update"), ["a"]);
    assert_eq!(push("b").expect("update"), ["a", "b"]);

    // Written by others between reading and storing: once where there was nothing, once where there was,
    // and deleted.
    let mut seen = Vec::new();
    let updated = cache.update("n", ttl, |old: Option<i32>| {
        seen.push(old);
        match seen.len() {
            1 => cache.set("n", &10, ttl).expect("set"),
            2 => cache.set("n", &20, ttl).expect("set"),
            3 => assert!(cache.delete("n").expect("delete")),
            _ => {}
        }
        old.unwrap_or_default() + 1
    });
    assert_eq!((updated, seen), (Ok(1), vec![None, Some(10), Some(20), None]));
    assert_eq!(cache.get::<i32>("n").expect("get"), Some(1));

    // Left alone.
    assert_eq!(cache.try_update("n", ttl, |_: Option<i32>| None), Ok(None));
    assert_eq!(cache.try_update("n", ttl, |old: Option<i32>| Some(old? + 1)), Ok(Some(2)));
    assert_eq!(cache.try_update("none", ttl, |old: Option<i32>| Some(old? + 1)), Ok(None));
    assert_eq!(cache.get::<i32>("none").expect("get"), None);

    // What doesn't read is not written over.
    cache.set("text", "x", ttl).expect("set");
    let refused = cache.update("text", ttl, |old: Option<i32>| old.unwrap_or_default());
    assert!(matches!(refused, Err(Error::Decode { .. })));
    assert_eq!(cache.get::<String>("text").expect("get").as_deref(), Some("x"));
}
