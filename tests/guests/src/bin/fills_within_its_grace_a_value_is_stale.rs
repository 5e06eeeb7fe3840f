//! Past its lifetime and within its grace one caller is to refresh the value, and all others are served it.

use std::time::Duration;
use strongroom::{Cache, FetchOptions, Fetched, Ttl, stack_cache};

fn fetch(cache: &Cache) -> Fetched<String> {
    let options = FetchOptions::new().grace(Duration::from_secs(60));
    cache.fetch("k", options).expect("fetch")
}

fn main() {
    let cache = stack_cache().expect("a stack");
    let Fetched::Vacant(fill) = fetch(&cache) else { panic!("nobody has set it") };
    assert!(fill.complete(&"old".to_owned(), Ttl::seconds(1)).expect("complete"));
    std::thread::sleep(Duration::from_millis(3100));

    assert_eq!(cache.get::<String>("k").expect("get"), None, "a plain read has no grace");
    let Fetched::Refresh(old, fill) = fetch(&cache) else { panic!("the first is to refresh it") };
    assert_eq!(old, "old");
    assert!(matches!(fetch(&cache), Fetched::Stale(old) if old == "old"));
    drop(fill);
    let Fetched::Refresh(_, fill) = fetch(&cache) else { panic!("it was given back") };
    assert!(fill.complete(&"new".to_owned(), Ttl::minutes(1)).expect("complete"));
    assert!(matches!(fetch(&cache), Fetched::Hit(new) if new == "new"));
}
