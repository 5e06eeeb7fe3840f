//! Whatever is wrong with key, value, entry or scope: the function is called, once, and its result returned.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Serialize, Serializer};
use strongroom::{Error, Ttl, cached, on_cache_error, stack_cache};

static CALLS: AtomicU32 = AtomicU32::new(0);
static SEEN: Mutex<Vec<Error>> = Mutex::new(Vec::new());

struct Refuses;

impl Serialize for Refuses {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("on purpose"))
    }
}

#[cached(timeout = 600)]
fn of_what_has_no_text(_value: &Refuses) -> u32 {
    CALLS.fetch_add(1, Ordering::Relaxed)
}

#[cached(timeout = 600, key = "{text}")]
fn of_a_key(text: &str) -> usize {
    CALLS.fetch_add(1, Ordering::Relaxed);
    text.len()
}

#[cached(timeout = 600)]
fn large(mebibytes: usize) -> String {
    CALLS.fetch_add(1, Ordering::Relaxed);
    "x".repeat(mebibytes << 20)
}

#[cached(timeout = Ttl::seconds(0))]
fn for_no_time() -> u32 {
    CALLS.fetch_add(1, Ordering::Relaxed)
}

#[cached(timeout = 600, scope = stack, key = "typed")]
fn typed() -> u32 {
    CALLS.fetch_add(1, Ordering::Relaxed);
    7
}

/// What the cache failed with while the function was called once.
fn failed<T>(function: impl FnOnce() -> T) -> Vec<Error> {
    CALLS.store(0, Ordering::Relaxed);
    function();
    assert_eq!(CALLS.load(Ordering::Relaxed), 1);
    std::mem::take(&mut *SEEN.lock().expect("one thread"))
}

fn main() {
    on_cache_error(|error| SEEN.lock().expect("one thread").push(error.clone()));
    assert!(matches!(failed(|| of_what_has_no_text(&Refuses))[..], [Error::Encode { .. }]));
    assert!(matches!(of_what_has_no_text::invalidate(&Refuses), Err(Error::Encode { .. })));
    assert_eq!(failed(|| of_a_key("")), [Error::InvalidKey]);
    assert_eq!(failed(|| of_a_key(&"k".repeat(1025))), [Error::InvalidKey]);
    assert!(matches!(failed(|| large(3))[..], [Error::ValueTooLarge { .. }]));
    assert!(matches!(failed(|| large(20))[..], [Error::ValueTooLarge { .. }]));
    assert!(matches!(failed(|| large::refresh(20))[..], [Error::ValueTooLarge { .. }]));
    assert_eq!(failed(for_no_time), [Error::InvalidTtl]);

    stack_cache().expect("a stack").set("typed", "an older version", Ttl::minutes(1)).expect("set");
    assert!(matches!(failed(typed)[..], [Error::Decode { .. }]));
    assert_eq!(typed(), 7);
    assert_eq!(CALLS.load(Ordering::Relaxed), 1);
}
