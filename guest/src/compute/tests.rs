//! Each state that an entry can be in, and each way in which the cache or the computation can fail.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::error::Error;
use crate::hook::tests::reported_by;
use crate::shape::{OkAndErr, Shape};
use crate::store::fake::{Age, Fake};
use crate::value::Value;

const TTL: Ttl = Ttl::minutes(10);

fn run<H: Shape>(
    store: &Fake,
    options: ComputeOptions,
    shape: H,
    compute: impl FnOnce() -> H::Outcome,
) -> H::Outcome {
    match begin(store, "k", options, shape) {
        Turn::Ready(found) => found,
        Turn::Compute(place) => place.keep(compute()),
    }
}

/// What `get_or_set_with` answers, and how often it computed.
fn get(store: &Fake, options: impl Into<ComputeOptions>, computed: i64) -> (i64, u32) {
    let calls = Cell::new(0);
    let answer = run(store, options.into(), Whole(PhantomData), || {
        calls.set(calls.get() + 1);
        computed
    });
    (answer, calls.get())
}

fn get_maybe(store: &Fake, options: impl Into<ComputeOptions>, computed: Option<i64>) -> Option<i64> {
    run(store, options.into(), Whole(PhantomData), || computed)
}

fn try_get<E>(store: &Fake, computed: Result<i64, E>) -> Result<i64, E> {
    run(store, TTL.into(), OkOnly(PhantomData), || computed)
}

fn text() -> Value {
    Value::Text("of another type".to_owned())
}

#[test]
fn a_value_is_computed_once_and_then_found() {
    let store = Fake::default();
    assert_eq!(get(&store, TTL, 1), (1, 1));
    assert_eq!(get(&store, TTL, 2), (1, 0));
    assert_eq!(store.called(), ["fetch", "complete", "fetch"]);
    assert_eq!(store.fills(), 0);
    assert_eq!(store.entries.borrow()["k"].ttl, TTL);
}

#[test]
fn the_grace_is_stored_with_the_value() {
    let store = Fake::default();
    get(&store, ComputeOptions::new(TTL).grace(Duration::from_secs(60)), 1);
    assert_eq!(store.entries.borrow()["k"].grace, 60);
}

#[test]
fn a_stale_value_is_returned_while_somebody_else_computes() {
    let store = Fake::default();
    store.put("k", Value::Integer(1), Age::BeingRefreshed);
    assert_eq!(get(&store, TTL, 2), (1, 0));
    assert_eq!(store.called(), ["fetch"]);
}

#[test]
fn an_old_value_is_computed_anew_by_the_caller_that_has_the_fill() {
    let store = Fake::default();
    store.put("k", Value::Integer(1), Age::Old);
    assert_eq!(get(&store, TTL, 2), (2, 1));
    assert_eq!(store.value("k"), Some(Value::Integer(2)));
}

#[test]
fn where_another_computes_for_too_long_the_value_is_computed_and_not_stored() {
    let store = Fake::default();
    store.is_busy.set(true);
    assert_eq!(get(&store, TTL, 1), (1, 1));
    assert_eq!(store.called(), ["fetch"]);
}

#[test]
fn a_cache_that_is_down_is_asked_once_and_the_value_computed_once() {
    let store = Fake::default();
    store.failures.borrow_mut().push_back(Error::Unavailable);
    let seen = reported_by(|| assert_eq!(get(&store, TTL, 1), (1, 1)));
    assert_eq!(seen, [Error::Unavailable]);
    assert_eq!(store.called(), ["fetch"]);
}

#[test]
fn a_value_that_could_not_be_stored_is_returned() {
    let store = Fake::default();
    let seen = reported_by(|| {
        let answer = run(&store, TTL.into(), Whole(PhantomData), || {
            store.failures.borrow_mut().push_back(Error::TimedOut);
            1
        });
        assert_eq!(answer, 1);
    });
    assert_eq!(seen, [Error::TimedOut]);
    assert_eq!((store.value("k"), store.fills()), (None, 0));
}

#[test]
fn a_value_that_has_no_json_is_returned_and_the_fill_given_back() {
    let store = Fake::default();
    let seen = reported_by(|| {
        assert!(run(&store, TTL.into(), Whole(PhantomData), || f64::NAN).is_nan());
    });
    assert_eq!(seen, [Error::encode::<f64>()]);
    assert_eq!((store.value("k"), store.fills()), (None, 0));
}

#[test]
fn an_entry_of_another_type_is_a_miss_and_is_overwritten() {
    let store = Fake::default();
    store.put("k", text(), Age::Fresh);
    let seen = reported_by(|| assert_eq!(get(&store, TTL, 1), (1, 1)));
    assert!(matches!(seen[..], [Error::Decode { .. }]));
    assert_eq!(get(&store, TTL, 2), (1, 0));
}

#[test]
fn what_is_overwritten_has_its_grace() {
    let store = Fake::default();
    store.put("k", text(), Age::Fresh);
    assert_eq!(get(&store, ComputeOptions::new(TTL).grace(Duration::from_secs(60)), 1), (1, 1));
    assert_eq!(store.entries.borrow()["k"].grace, 60);
    assert_eq!(store.fills(), 0);
}

#[test]
fn what_is_overwritten_is_stored_without_its_grace_where_the_fill_is_lost() {
    let store = Fake::default();
    store.put("k", text(), Age::Fresh);
    store.is_lost.set(true);
    assert_eq!(get(&store, ComputeOptions::new(TTL).grace(Duration::from_secs(60)), 1), (1, 1));
    assert_eq!(store.called(), ["fetch", "delete", "fetch", "complete", "set"]);
    assert_eq!((store.value("k"), store.entries.borrow()["k"].grace), (Some(Value::Integer(1)), 0));
    assert_eq!(store.fills(), 0);
}

#[test]
fn what_is_overwritten_is_stored_without_its_grace_where_another_has_the_fill() {
    let store = Fake::default();
    store.put("k", text(), Age::Fresh);
    store.is_busy.set(true);
    assert_eq!(get(&store, ComputeOptions::new(TTL).grace(Duration::from_secs(60)), 1), (1, 1));
    assert_eq!(store.called(), ["fetch", "delete", "fetch", "set"]);
    assert_eq!((store.value("k"), store.entries.borrow()["k"].grace), (Some(Value::Integer(1)), 0));
}

#[test]
fn a_value_whose_fill_was_lost_is_returned_and_neither_stored_nor_reported() {
    let store = Fake::default();
    store.is_lost.set(true);
    assert_eq!(reported_by(|| assert_eq!(get(&store, TTL, 1), (1, 1))), []);
    assert_eq!(store.called(), ["fetch", "complete"]);
    assert_eq!((store.value("k"), store.fills()), (None, 0));
}

#[test]
fn a_stale_entry_of_another_type_is_computed_and_left_to_whoever_refreshes_it() {
    let store = Fake::default();
    store.put("k", text(), Age::BeingRefreshed);
    assert_eq!(get(&store, TTL, 1), (1, 1));
    assert_eq!(store.value("k"), Some(text()));
}

#[test]
fn an_err_is_returned_as_it_is_and_nothing_is_stored() {
    /// Without serde, and without anything else.
    #[derive(Debug, PartialEq)]
    struct Down;

    let store = Fake::default();
    assert_eq!(try_get(&store, Err(Down)), Err(Down));
    assert_eq!((store.value("k"), store.fills()), (None, 0));
    assert_eq!(try_get(&store, Ok::<_, Down>(1)), Ok(1));
    assert_eq!(try_get(&store, Err(Down)), Ok(1));
}

#[test]
fn where_a_refresh_fails_the_old_value_stays_for_others() {
    let store = Fake::default();
    store.put("k", Value::Integer(1), Age::Old);
    assert_eq!(try_get(&store, Err("down")), Err("down"));
    assert_eq!((store.value("k"), store.fills()), (Some(Value::Integer(1)), 0));
    assert_eq!(store.called(), ["fetch"]);
}

#[test]
fn an_err_is_stored_where_asked() {
    let store = Fake::default();
    let shape = || OkAndErr::<i64, String>(PhantomData);
    let failed = || Err("down".to_owned());
    assert_eq!(run(&store, TTL.into(), shape(), failed), failed());
    assert_eq!(run(&store, TTL.into(), shape(), || Ok(1)), failed());
}

#[test]
fn none_is_not_stored_unless_asked() {
    let store = Fake::default();
    assert_eq!(get_maybe(&store, TTL, None), None);
    assert_eq!((store.value("k"), store.fills()), (None, 0));
    assert_eq!(get_maybe(&store, ComputeOptions::new(TTL).cache_none(), None), None);
    assert_eq!(get_maybe(&store, TTL, Some(1)), None, "a stored `None` is a hit");
}

#[test]
fn an_old_value_that_has_become_none_serves_no_longer() {
    let store = Fake::default();
    store.put("k", Value::Integer(1), Age::Old);
    assert_eq!(get_maybe(&store, TTL, None), None);
    assert_eq!((store.value("k"), store.fills()), (None, 0));
}

#[test]
fn a_computation_that_panics_gives_the_fill_back() {
    let store = Fake::default();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        run(&store, TTL.into(), Whole(PhantomData), || -> i64 { panic!("on purpose") })
    }));
    assert!(panicked.is_err());
    assert_eq!((store.value("k"), store.fills()), (None, 0));
}

#[test]
fn of_many_computations_at_once_some_do_without_the_cache() {
    fn depth(store: &Fake, left: u32) -> i64 {
        let key = left.to_string();
        match begin(store, &key, TTL.into(), Whole(PhantomData)) {
            Turn::Ready(found) => found,
            Turn::Compute(place) => {
                assert!(store.fills() <= 256);
                place.keep(if left == 0 { 0 } else { depth(store, left - 1) + 1 })
            }
        }
    }
    let store = Fake::default();
    assert_eq!(depth(&store, 600), 600);
    assert_eq!((store.entries.borrow().len(), store.fills()), (256, 0));
    // There is room again.
    assert_eq!(depth(&store, 100), 100);
    assert_eq!(store.value("100"), Some(Value::Integer(100)));
}

#[test]
fn an_instance_does_not_wait_for_itself() {
    let store = Fake::default();
    let Turn::Compute(first) = begin(&store, "k", TTL.into(), Whole::<i64>(PhantomData)) else {
        panic!("nothing is there");
    };
    assert_eq!(store.waited.get(), 5000);
    let _ = begin(&store, "other", TTL.into(), Whole::<i64>(PhantomData));
    assert_eq!(store.waited.get(), 5000);
    let Turn::Compute(second) = begin(&store, "k", TTL.into(), Whole::<i64>(PhantomData)) else {
        panic!("nothing is there yet");
    };
    assert_eq!(store.waited.get(), 0);
    assert_eq!((first.keep(1), second.keep(2)), (1, 2));
    let _ = begin(&store, "k", TTL.into(), Whole::<i64>(PhantomData));
    assert_eq!(store.waited.get(), 5000);
}

#[test]
fn a_key_that_the_contract_does_not_know_never_reaches_the_host() {
    let store = Fake::default();
    for key in [String::new(), "k".repeat(1025)] {
        let seen = reported_by(|| {
            let Turn::Compute(place) = begin(&store, &key, TTL.into(), Whole(PhantomData)) else {
                panic!("nothing is there");
            };
            assert_eq!(place.keep(1), 1);
        });
        assert_eq!(seen, [Error::InvalidKey]);
    }
    assert_eq!(store.called(), [""; 0]);
}
