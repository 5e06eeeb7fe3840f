//! Futures, which are `Send` where what they compute is.
#![deny(warnings)]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use strongroom::cached;

type Fallible<T> = Result<T, std::fmt::Error>;

#[cached(timeout = 600)]
async fn rate(currency: &str, day: u32) -> Fallible<u32> {
    let day = std::future::ready(day).await;
    Ok(day + currency.len() as u32)
}

fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn is_send<T: Send>(_: &T) {}

fn main() {
    let future = rate("USD", 1);
    is_send(&future);
    assert_eq!(ready(future), Ok(4));
    assert_eq!(ready(rate::refresh("USD", 1)), Ok(4));
    assert_eq!(ready(rate::uncached("USD", 1)), Ok(4));
    assert!(rate::invalidate("USD", 1).is_err());
}
