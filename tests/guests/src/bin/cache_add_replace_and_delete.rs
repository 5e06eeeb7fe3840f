//! `add` stores where there is nothing, `replace` where there is something, `delete` says which.

use strongroom::{Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let ttl = Ttl::minutes(1);
    assert!(!cache.replace("k", "no", ttl).expect("replace"));
    assert_eq!(cache.get::<String>("k").expect("get"), None);
    assert!(cache.add("k", "first", ttl).expect("add"));
    assert!(!cache.add("k", "second", ttl).expect("add"));
    assert_eq!(cache.get::<String>("k").expect("get").as_deref(), Some("first"));
    assert!(cache.replace("k", "third", ttl).expect("replace"));
    assert_eq!(cache.get::<String>("k").expect("get").as_deref(), Some("third"));
    assert!(cache.delete("k").expect("delete"));
    assert!(!cache.delete("k").expect("delete"));
    assert_eq!(cache.get::<String>("k").expect("get"), None);
}
