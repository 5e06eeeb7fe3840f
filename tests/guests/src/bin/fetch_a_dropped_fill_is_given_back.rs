//! While one holds the fill another is told `Busy`; once it is dropped, the next caller has it.

use std::time::Duration;
use strongroom::{FetchOptions, Fetched, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let options = FetchOptions::new().wait(Duration::from_millis(30));
    let first = cache.fetch::<String>("k", options).expect("fetch");
    assert!(matches!(first, Fetched::Vacant(_)));
    assert!(matches!(cache.fetch::<String>("k", options).expect("fetch"), Fetched::Busy));
    drop(first);
    assert!(matches!(cache.fetch::<String>("k", options).expect("fetch"), Fetched::Vacant(_)));
}
