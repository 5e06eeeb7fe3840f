//! Nothing that is wrong with a key, a lifetime or a value fails a computation; the hook hears of it.

use std::sync::Mutex;

use strongroom::{Error, Ttl, on_cache_error, stack_cache};

static SEEN: Mutex<Vec<Error>> = Mutex::new(Vec::new());

fn seen() -> Vec<Error> {
    std::mem::take(&mut *SEEN.lock().expect("one thread"))
}

fn main() {
    on_cache_error(|error| SEEN.lock().expect("one thread").push(error.clone()));
    let cache = stack_cache().expect("a stack");
    let ttl = Ttl::minutes(1);

    for key in [String::new(), "k".repeat(1025), "k".repeat(20 << 20)] {
        assert_eq!(cache.get_or_set_with(&key, ttl, || 1), 1);
        assert_eq!(seen(), [Error::InvalidKey]);
    }
    assert_eq!(cache.get_or_set_with("k", Ttl::seconds(0), || 1), 1);
    assert_eq!(seen(), [Error::InvalidTtl]);
    assert!(cache.get_or_set_with("k", ttl, || f64::NAN).is_nan());
    assert!(matches!(seen()[..], [Error::Encode { .. }]));
    // Beyond what a host stores, and beyond what it lets an extension hand over.
    for mebibytes in [3, 20] {
        assert_eq!(cache.get_or_set_with("k", ttl, || "x".repeat(mebibytes << 20)).len(), mebibytes << 20);
        assert!(matches!(seen()[..], [Error::ValueTooLarge { .. }]));
        let values = cache.get_many_or_set_with(["k"], ttl, |_| vec!["x".repeat(mebibytes << 20)]);
        assert_eq!(values[0].len(), mebibytes << 20);
        assert!(matches!(seen()[..], [Error::ValueTooLarge { .. }]));
    }
    assert_eq!(cache.get_or_set_with("k", ttl, || 1), 1);
    assert_eq!(cache.get::<i32>("k").expect("get"), Some(1));
    assert_eq!(seen(), []);
}
