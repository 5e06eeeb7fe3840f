//! A counter lives as long as it was given when it began, however often it is counted.

use std::time::Duration;
use strongroom::{Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let count = || cache.counter("n").expiring(Ttl::seconds(2)).increment(1).expect("increment");
    assert_eq!(count(), 1);
    let mut last = 1;
    // Two seconds, one that a server may add, and a bit.
    for _ in 0..14 {
        std::thread::sleep(Duration::from_millis(250));
        let number = count();
        if number <= last {
            assert_eq!(number, 1, "it began anew");
            return;
        }
        last = number;
    }
    panic!("it has lived for 3.5 seconds of 2");
}
