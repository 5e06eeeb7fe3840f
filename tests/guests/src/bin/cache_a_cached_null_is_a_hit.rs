//! A stored `None` is a hit; a key that nobody set is a miss.

use strongroom::{Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    assert_eq!(cache.get::<Option<u32>>("nobody").expect("get"), None);
    cache.set("null", &None::<u32>, Ttl::minutes(1)).expect("set");
    assert_eq!(cache.get::<Option<u32>>("null").expect("get"), Some(None));
    assert_eq!(cache.get_many::<Option<u32>>(["null", "nobody"]).expect("get_many"), [Some(None), None]);
}
