//! A future is awaited between the look and the store; one that is dropped gives the right to compute back.

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use strongroom::cached;

static CALLS: AtomicU32 = AtomicU32::new(0);

#[cached(timeout = 600)]
async fn rate(day: u32) -> Result<u32, String> {
    CALLS.fetch_add(1, Ordering::Relaxed);
    Ok(std::future::ready(day).await + 1)
}

#[cached(timeout = 600, wait = 1, key = "slow")]
async fn never() -> u32 {
    pending().await
}

#[cached(timeout = 600, wait = 1, key = "slow")]
async fn at_once() -> u32 {
    1
}

struct Bank;

impl Bank {
    #[cached(timeout = 600)]
    async fn name(&self, id: u32) -> String {
        CALLS.fetch_add(1, Ordering::Relaxed);
        id.to_string()
    }
}

fn poll<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn main() {
    for _ in 0..3 {
        assert_eq!(poll(rate(1)), Some(Ok(2)));
        assert_eq!(poll(Bank.name(7)).as_deref(), Some("7"));
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), 2);
    assert_eq!(poll(rate::refresh(1)), Some(Ok(2)));
    assert!(rate::invalidate(1).expect("invalidate"));
    assert_eq!(poll(rate(1)), Some(Ok(2)));
    assert_eq!(CALLS.load(Ordering::Relaxed), 4);

    // Polled once, and dropped.
    assert_eq!(poll(never()), None);
    // So this one is stored, and found by the other.
    assert_eq!(poll(at_once()), Some(1));
    assert_eq!(poll(never()), Some(1));
}
