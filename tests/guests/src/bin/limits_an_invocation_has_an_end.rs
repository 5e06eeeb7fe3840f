//! Writes 1 KiB values until it is told that this invocation can't any more; prints how many were written.

use std::time::Duration;

use strongroom::{Error, Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let value = vec![7_u8; 1024];
    let mut written = 0;
    let refused = loop {
        match cache.set_bytes(&format!("key {written}"), &value, Ttl::minutes(1)) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    let Error::QuotaExceeded { retry_after, .. } = refused else { panic!("{refused}") };
    assert_eq!(retry_after, Duration::MAX, "to try again would not help");
    assert!(refused.is_transient(), "one goes on as after a miss");
    println!("{written}");
}
