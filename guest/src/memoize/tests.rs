//! What a function does with and without a cache, and that it is called as often as it should be.

use std::cell::Cell;
use std::marker::PhantomData;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::hook::tests::reported_by;
use crate::shape::{OkOnly, Whole};
use crate::store::fake::{Age, Fake};
use crate::ttl::Ttl;
use crate::value::Value;

const TTL: Ttl = Ttl::minutes(10);

/// Natively there is no cache to open.
fn memo(key: Result<String, Error>) -> Memo {
    Memo { open: open::stack, namespace: None, options: TTL.into(), key }
}

/// Nothing here ever waits.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn without_a_cache_the_function_is_called_once_for_each_call() {
    let calls = Cell::new(0);
    let function = || {
        calls.set(calls.get() + 1);
        calls.get()
    };
    let seen = reported_by(|| {
        assert_eq!(memo(Ok("k".into())).compute(Whole::<i32>(PhantomData), function), 1);
        assert_eq!(memo(Ok("k".into())).refresh(Whole::<i32>(PhantomData), function), 2);
        assert_eq!(
            ready(memo(Ok("k".into())).compute_async(Whole::<i32>(PhantomData), async { function() })),
            3
        );
        assert_eq!(
            ready(memo(Ok("k".into())).refresh_async(Whole::<i32>(PhantomData), async { function() })),
            4
        );
    });
    assert_eq!(seen, [Error::Unavailable, Error::Unavailable, Error::Unavailable, Error::Unavailable]);
    assert_eq!(memo(Ok("k".into())).invalidate(), Err(Error::Unavailable));
}

#[test]
fn arguments_without_a_key_are_computed_and_reported() {
    let refused = || Error::encode::<u8>();
    let seen = reported_by(|| assert_eq!(memo(Err(refused())).compute(Whole(PhantomData), || 1), 1));
    assert_eq!(seen, [refused()]);
    assert_eq!(memo(Err(refused())).invalidate(), Err(refused()));
}

#[test]
fn a_future_is_as_send_as_what_it_computes() {
    fn is_send<T: Send>(_: T) {}
    type Outcome = Option<std::rc::Rc<()>>;

    /// Reads and writes what can't be sent.
    struct NotSend;
    impl Shape for NotSend {
        type Outcome = Outcome;
        fn write(&self, _: &Outcome, _: bool) -> Result<Kept, Error> {
            Ok(Kept::Failed)
        }
        fn read(&self, _: Value) -> Result<Outcome, Error> {
            Ok(None)
        }
    }
    is_send(memo(Ok("k".into())).compute_async(NotSend, async { None }));
    is_send(memo(Ok("k".into())).refresh_async(Whole::<u8>(PhantomData), async { 1 }));
}

#[test]
fn a_refresh_replaces_what_is_there() {
    let store = Fake::default();
    for (number, options) in [TTL.into(), ComputeOptions::new(TTL).grace(std::time::Duration::from_secs(60))]
        .into_iter()
        .enumerate()
    {
        let number = number as i64;
        store.put("k", Value::Integer(-1), Age::Fresh);
        assert_eq!(replace(&store, "k", options, &Whole(PhantomData), &number), Ok(()));
        assert_eq!(store.value("k"), Some(Value::Integer(number)));
        assert_eq!(store.entries.borrow()["k"].grace, options.fetch.grace_seconds());
    }
}

#[test]
fn a_refresh_that_fails_changes_nothing_and_one_that_finds_nothing_removes() {
    let store = Fake::default();
    store.put("k", Value::Integer(1), Age::Fresh);
    let shape = OkOnly::<Option<i64>, &str>(PhantomData);
    assert_eq!(replace(&store, "k", TTL.into(), &shape, &Err("down")), Ok(()));
    assert_eq!(store.value("k"), Some(Value::Integer(1)));
    assert_eq!(replace(&store, "k", TTL.into(), &shape, &Ok(None)), Ok(()));
    assert_eq!(store.value("k"), None);
    assert_eq!(replace(&store, "", TTL.into(), &shape, &Ok(Some(1))), Err(Error::InvalidKey));
}
