//! The second call has the result of the first.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use strongroom::cached;

static CALLS: AtomicU32 = AtomicU32::new(0);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Rate {
    currency: String,
    per_euro: f64,
}

#[cached(timeout = 600, grace = 60)]
fn rate(currency: &str) -> Rate {
    CALLS.fetch_add(1, Ordering::Relaxed);
    Rate { currency: currency.to_owned(), per_euro: 1.0892 }
}

#[cached(timeout = 600)]
fn factorial(of: u64) -> u64 {
    CALLS.fetch_add(1, Ordering::Relaxed);
    if of < 2 { 1 } else { of * factorial(of - 1) }
}

fn main() {
    let first = rate("USD");
    assert_eq!((rate("USD"), rate("USD")), (first.clone(), first));
    assert_eq!(CALLS.swap(0, Ordering::Relaxed), 1);

    // While it computes it has other results of its own computed.
    assert_eq!((factorial(10), factorial(11)), (3_628_800, 39_916_800));
    assert_eq!(CALLS.load(Ordering::Relaxed), 11);
}
