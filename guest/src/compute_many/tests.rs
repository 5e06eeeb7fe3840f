//! What is found, what is computed, and what is stored of a batch.

use super::*;
use crate::hook::tests::reported_by;
use crate::store::fake::{Age, Fake};
use crate::ttl::Ttl;

const TTL: Ttl = Ttl::minutes(10);

/// Computes the length of each key; answers the values and the keys that were computed.
fn lengths(store: &Fake, keys: &[&str]) -> (Vec<i64>, Vec<String>) {
    let mut asked = Vec::new();
    let values = compute_many(store, keys, TTL.into(), |missing| {
        asked.extend(missing.iter().map(|key| (*key).to_owned()));
        Ok::<_, Infallible>(missing.iter().map(|key| key.len() as i64).collect())
    });
    let Ok(values) = values;
    (values, asked)
}

#[test]
fn only_what_is_missing_is_computed_and_the_order_stays() {
    let store = Fake::default();
    store.put("bb", Value::Integer(-2), Age::Fresh);
    assert_eq!(lengths(&store, &["a", "bb", "ccc"]), (vec![1, -2, 3], vec!["a".into(), "ccc".into()]));
    assert_eq!(store.called(), ["get_many", "set_many"]);
    assert_eq!(lengths(&store, &["ccc", "bb", "a"]), (vec![3, -2, 1], vec![]));
    assert_eq!(store.called(), ["get_many"]);
}

#[test]
fn a_repeated_key_is_computed_once() {
    let store = Fake::default();
    assert_eq!(lengths(&store, &["a", "bb", "a"]), (vec![1, 2, 1], vec!["a".into(), "bb".into()]));
}

#[test]
fn no_keys_are_no_call() {
    let store = Fake::default();
    assert_eq!(lengths(&store, &[]), (vec![], vec![]));
    assert_eq!(store.called(), [""; 0]);
}

#[test]
fn a_cache_that_is_down_is_asked_once_and_everything_is_computed() {
    let store = Fake::default();
    store.failures.borrow_mut().push_back(Error::Unavailable);
    let seen = reported_by(|| assert_eq!(lengths(&store, &["a", "bb"]).0, [1, 2]));
    assert_eq!(seen, [Error::Unavailable]);
    assert_eq!(store.called(), ["get_many"]);
}

#[test]
fn what_could_not_be_stored_is_returned() {
    let store = Fake::default();
    let seen = reported_by(|| {
        let values = compute_many(&store, &["a"], TTL.into(), |_| {
            store.failures.borrow_mut().push_back(Error::TimedOut);
            Ok::<_, Infallible>(vec![1])
        });
        assert_eq!(values, Ok(vec![1]));
    });
    assert_eq!(seen, [Error::TimedOut]);
}

#[test]
fn a_batch_beyond_the_limits_is_split() {
    let store = Fake::default();
    let keys: Vec<String> = (0..2500).map(|n| format!("key {n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    lengths(&store, &keys);
    assert_eq!(store.called(), ["get_many", "get_many", "get_many", "set_many", "set_many", "set_many"]);
    assert_eq!(lengths(&store, &keys).1, [""; 0]);

    store.batch.set(Some(7));
    assert_eq!(reported_by(|| assert_eq!(lengths(&store, &keys[..20]).1, [""; 0])), []);
    assert_eq!(store.called()[3..], ["get_many"; 4]);
}

#[test]
fn a_batch_of_large_values_is_split_by_their_size() {
    let store = Fake::default();
    let keys = ["a", "b", "c", "d", "e"];
    let values = compute_many(&store, &keys, TTL.into(), |missing| {
        Ok::<_, Infallible>(missing.iter().map(|_| "x".repeat(3 << 20)).collect())
    });
    assert_eq!(values.map(|values| values.len()), Ok(5));
    assert_eq!(store.called(), ["get_many", "set_many", "set_many", "set_many"]);
}

#[test]
fn an_entry_of_another_type_is_computed_and_overwritten() {
    let store = Fake::default();
    store.put("a", Value::Text("x".to_owned()), Age::Fresh);
    assert_eq!(lengths(&store, &["a"]).1, ["a"]);
    assert_eq!(store.value("a"), Some(Value::Integer(1)));
}

#[test]
fn keys_that_the_contract_does_not_know_are_computed_and_fail_no_others() {
    let store = Fake::default();
    let seen = reported_by(|| assert_eq!(lengths(&store, &["", "bb"]).0, [0, 2]));
    assert_eq!(seen, [Error::InvalidKey]);
    assert_eq!((store.value(""), store.value("bb")), (None, Some(Value::Integer(2))));
}

#[test]
fn an_err_is_returned_and_nothing_is_stored() {
    let store = Fake::default();
    let failed = compute_many::<_, i64, _>(&store, &["a"], TTL.into(), |_| Err("down"));
    assert_eq!(failed, Err("down"));
    assert_eq!(store.called(), ["get_many"]);
}

#[test]
fn none_is_not_stored_unless_asked() {
    let store = Fake::default();
    let compute =
        |options| compute_many(&store, &["a", "b"], options, |_| Ok::<_, Infallible>(vec![None, Some(1)]));
    assert_eq!(compute(TTL.into()), Ok(vec![None, Some(1)]));
    assert_eq!((store.value("a"), store.value("b")), (None, Some(Value::Integer(1))));
    let all = compute_many(&store, &["a"], ComputeOptions::new(TTL).cache_none(), |_| {
        Ok::<_, Infallible>(vec![None::<i64>])
    });
    assert_eq!((all, store.value("a")), (Ok(vec![None]), Some(Value::nothing())));
}

#[test]
#[should_panic = "one value is to be computed for each missing key"]
fn too_few_values_are_a_panic() {
    let store = Fake::default();
    let _ = compute_many(&store, &["a", "b"], TTL.into(), |_| Ok::<_, Infallible>(vec![1]));
}
