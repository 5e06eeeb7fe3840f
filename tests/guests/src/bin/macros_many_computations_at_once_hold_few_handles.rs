//! Functions that call each other, and futures that wait, end in no trap however many there are, and wait for
//! none of their own.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use strongroom::cached;

/// With a cache and a fill for each, this is more than the 1024 handles that an instance may hold.
const MANY: u32 = 600;

static IS_UP: AtomicBool = AtomicBool::new(false);

#[cached(timeout = 600)]
fn depth(left: u32) -> u32 {
    if left == 0 { 0 } else { depth(left - 1) + 1 }
}

#[cached(timeout = 600)]
async fn later(number: u32) -> u32 {
    std::future::poll_fn(|_| if IS_UP.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending })
        .await;
    number
}

fn poll<T>(future: &mut Pin<Box<impl Future<Output = T>>>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn main() {
    assert_eq!(depth(MANY), MANY);

    // The second of these waits for the first no longer than it takes to look.
    let started = Instant::now();
    let (mut first, mut second) = (Box::pin(later(1_000_000)), Box::pin(later(1_000_000)));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    assert!(started.elapsed() < Duration::from_secs(2));
    drop((first, second));

    let mut all: Vec<_> = (0..MANY).map(|number| Box::pin(later(number))).collect();
    assert!(all.iter_mut().all(|future| poll(future).is_pending()));
    IS_UP.store(true, Ordering::Relaxed);
    assert!((0..MANY).zip(&mut all).all(|(number, future)| poll(future) == Poll::Ready(number)));
}
