//! Reading a value as a type that it can't be is an error of its own, and the entry stays.

use strongroom::{Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    cache.set("k", "hunter2", Ttl::minutes(1)).expect("set");
    let error = cache.get::<u32>("k").expect_err("text is no number");
    assert!(!error.is_transient());
    assert!(error.is_wrong_type());
    assert!(!error.to_string().contains("hunter2"), "the value is not shown");
    assert_eq!(cache.get::<String>("k").expect("get").as_deref(), Some("hunter2"));
}
