//! Every lifetime but zero is taken, the longest and the odd ones included; a short one ends.

use std::time::Duration;
use strongroom::{Error, Ttl, stack_cache};

const DAY: u32 = 24 * 60 * 60;

fn main() {
    let cache = stack_cache().expect("a stack");
    for seconds in [1, 2, 30 * DAY, 30 * DAY + 1, u32::MAX] {
        let ttl = Ttl::seconds(seconds);
        cache.set("set", &seconds, ttl).expect("set");
        assert_eq!(cache.get::<u32>("set").expect("get"), Some(seconds), "{seconds} seconds");
        assert!(cache.add(&format!("add {seconds}"), "x", ttl).expect("add"));
        assert!(cache.touch("set", ttl).expect("touch"));
        assert_eq!(cache.get::<u32>("set").expect("get"), Some(seconds), "touched for {seconds} seconds");
        cache.counter(&format!("counter {seconds}")).expiring(ttl).increment(1).expect("increment");
    }
    let zero = Ttl::seconds(0);
    assert_eq!(cache.set("set", "x", zero), Err(Error::InvalidTtl));
    assert_eq!(cache.touch("set", zero), Err(Error::InvalidTtl));
    assert_eq!(cache.get::<u32>("set").expect("get"), Some(u32::MAX), "a refused call changes nothing");
    assert!(!cache.touch("nobody", Ttl::seconds(1)).expect("touch"));

    cache.set("short", "x", Ttl::seconds(1)).expect("set");
    cache.set("kept", "x", Ttl::seconds(1)).expect("set");
    assert!(cache.touch("kept", Ttl::minutes(1)).expect("touch"));
    // A second that a server may add to a lifetime, one for the tick, and a bit.
    std::thread::sleep(Duration::from_millis(3200));
    assert_eq!(cache.get::<String>("short").expect("get"), None);
    assert_eq!(cache.get::<String>("kept").expect("get").as_deref(), Some("x"));
}
