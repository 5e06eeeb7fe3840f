//! Keys have 1 to 1024 bytes and namespaces 1 to 256; others are refused.

use strongroom::{Error, Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    for key in [String::new(), "k".repeat(1025), "é".repeat(513), "k".repeat(1024 * 1024)] {
        assert_eq!(cache.get::<String>(&key), Err(Error::InvalidKey));
        assert_eq!(cache.set(&key, "x", Ttl::minutes(1)), Err(Error::InvalidKey));
        assert_eq!(cache.delete(&key), Err(Error::InvalidKey));
        assert_eq!(cache.touch(&key, Ttl::minutes(1)), Err(Error::InvalidKey));
        assert_eq!(cache.counter(&key).increment(1), Err(Error::InvalidKey));
        assert_eq!(cache.get_many::<String>(["fine", &key]), Err(Error::InvalidKey));
        assert_eq!(cache.delete_many(["fine", &key]), Err(Error::InvalidKey));
    }
    for namespace in [String::new(), "n".repeat(257)] {
        assert_eq!(cache.namespace(&namespace).err(), Some(Error::InvalidKey));
    }
    cache.namespace(&"n".repeat(256)).expect("256 bytes are allowed");
}
