//! `get_cache` opens a namespace of the default scope, which is the stack's here.

use strongroom::{Ttl, cache, get_cache, stack_cache};

fn main() {
    let named = get_cache("rates").expect("a namespace");
    named.set("k", "named", Ttl::minutes(1)).expect("set");
    assert_eq!(cache().expect("the default").get::<String>("k").expect("get"), None);
    assert_eq!(get_cache("other").expect("a namespace").get::<String>("k").expect("get"), None);
    let same = stack_cache().and_then(|stack| stack.namespace("rates")).expect("the same");
    assert_eq!(same.get::<String>("k").expect("get").as_deref(), Some("named"));
}
