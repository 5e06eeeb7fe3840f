//! For every other operation a key that somebody is filling has no entry.

use strongroom::{Cache, FetchOptions, Fetched, Fill, Ttl, stack_cache};

fn begin(cache: &Cache, key: &str) -> Fill<String> {
    match cache.fetch(key, FetchOptions::new()).expect("fetch") {
        Fetched::Vacant(fill) => fill,
        other => panic!("{other:?}"),
    }
}

fn main() {
    let cache = stack_cache().expect("a stack");
    let ttl = Ttl::minutes(1);
    let value = "computed".to_owned();

    let fill = begin(&cache, "read");
    assert_eq!(cache.get::<String>("read").expect("get"), None);
    assert_eq!(cache.get_many::<String>(["read"]).expect("get_many"), [None]);
    assert!(cache.get_versioned::<String>("read").expect("get_versioned").is_none());
    assert!(!cache.touch("read", ttl).expect("touch"));
    assert!(!cache.replace("read", "x", ttl).expect("replace"));
    assert!(fill.complete(&value, ttl).expect("complete"), "reading takes no fill away");

    let fill = begin(&cache, "deleted");
    assert!(!cache.delete("deleted").expect("delete"));
    assert!(!fill.complete(&value, ttl).expect("complete"), "deleted meanwhile");
    assert_eq!(cache.get::<String>("deleted").expect("get"), None);

    let fill = begin(&cache, "added");
    assert!(cache.add("added", "mine", ttl).expect("add"));
    assert!(!fill.complete(&value, ttl).expect("complete"), "written meanwhile");
    assert_eq!(cache.get::<String>("added").expect("get").as_deref(), Some("mine"));

    let fill = begin(&cache, "counted");
    assert_eq!(cache.counter("counted").starting_at(7).increment(1).expect("increment"), 8);
    assert!(!fill.complete(&value, ttl).expect("complete"), "counted meanwhile");

    let fill = begin(&cache, "cleared");
    cache.clear().expect("clear");
    assert!(!fill.complete(&value, ttl).expect("complete"), "cleared meanwhile");
    assert_eq!(cache.get::<String>("cleared").expect("get"), None);
}
