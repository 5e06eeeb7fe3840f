//! A vacant key is computed by the caller that met it, and then is a hit.

use strongroom::{FetchOptions, Fetched, Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let Fetched::Vacant(fill) = cache.fetch::<String>("k", FetchOptions::new()).expect("fetch") else {
        panic!("nobody has set it");
    };
    assert!(fill.complete(&"computed".to_owned(), Ttl::minutes(1)).expect("complete"));
    match cache.fetch::<String>("k", FetchOptions::new()).expect("fetch") {
        Fetched::Hit(value) => assert_eq!(value, "computed"),
        other => panic!("{other:?}"),
    }
    assert_eq!(cache.get::<String>("k").expect("get").as_deref(), Some("computed"));
}
