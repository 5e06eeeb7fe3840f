//! Empty text, empty bytes and an empty list are hits, though a server keeps no bytes for them.

use strongroom::{Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    cache.set("text", "", Ttl::minutes(1)).expect("set");
    assert_eq!(cache.get::<String>("text").expect("get").as_deref(), Some(""));
    cache.set_bytes("bytes", &[], Ttl::minutes(1)).expect("set");
    assert_eq!(cache.get_bytes("bytes").expect("get"), Some(Vec::new()));
    cache.set("list", &[0u8; 0], Ttl::minutes(1)).expect("set");
    assert_eq!(cache.get::<Vec<u8>>("list").expect("get"), Some(Vec::new()));
    assert!(!cache.add("text", "other", Ttl::minutes(1)).expect("add"), "an empty value is there");
}
