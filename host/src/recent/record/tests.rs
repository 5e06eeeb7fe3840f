//! What is remembered, and what is forgotten first.

use super::super::tests::{after, partition, place};
use super::*;

fn note(record: &Record, place: &Place, key: &str, seconds: u64) {
    record.note(record.shard_of(&place.partition), place, [key], Asked::Read, after(seconds));
}

fn keys(record: &Record, stack: &str) -> Vec<String> {
    record.of(&partition(stack)).iter().map(|key| key.key().to_owned()).collect()
}

#[test]
fn the_newest_keys_of_each_partition_and_namespace_stay() {
    let record = Record::new(3);
    for number in 0..100 {
        // A clock that stands still, or goes back, does not change the order.
        note(&record, &place("acme", None), &format!("k{number}"), 100 - number);
        note(&record, &place("acme", Some("n")), &format!("n{}", number % 2), number);
    }
    note(&record, &place("acme", None), "k98", 0);
    assert_eq!(keys(&record, "acme"), ["k98", "n1", "k99", "n0", "k97"]);
    assert_eq!(keys(&record, "globex"), [""; 0]);
    let newest = &record.of(&partition("acme"))[1];
    assert_eq!((newest.namespace(), newest.reads(), newest.last_asked()), (Some("n"), 50, after(99)));
}

#[test]
fn one_key_can_be_enough() {
    let record = Record::new(1);
    for key in ["a", "b", "a"] {
        note(&record, &place("acme", None), key, 0);
        assert_eq!(keys(&record, "acme"), [key]);
    }
}

#[test]
fn a_guest_pushes_out_its_own_names_only() {
    let record = Record::new(1000);
    note(&record, &place("globex", None), "k", 0);
    for number in 0..3000 {
        note(&record, &place("acme", Some(&format!("namespace {number}"))), &"k".repeat(1000), 0);
    }
    let namespaces: Vec<_> = record.of(&partition("acme"));
    assert!(namespaces.len() > 100 && namespaces.len() * 1000 < RECENT_PARTITION_BYTES_MAX);
    assert_eq!(namespaces[0].namespace(), Some("namespace 2999"));
    for number in 0..3000 {
        note(&record, &place("acme", None), &format!("{number}{}", "k".repeat(1000)), 0);
    }
    let long = record.of(&partition("acme"));
    assert!(long.len() >= 200 && long[0].key().starts_with("2999"), "{}", long.len());
    assert!(record.bytes() < RECENT_PARTITION_BYTES_MAX + 4096);
    assert_eq!(keys(&record, "globex"), ["k"]);
}

#[test]
fn partitions_that_were_not_asked_for_the_longest_are_forgotten() {
    let record = Record::new(1000);
    let long = "k".repeat(1000);
    for number in 0..20_000 {
        note(&record, &place(&format!("stack {number}"), None), &long, 0);
        // In use all the time.
        note(&record, &place("acme", None), "k", 0);
    }
    assert!(record.bytes() <= RECENT_BYTES_MAX, "{}", record.bytes());
    assert!(record.bytes() > RECENT_BYTES_MAX / 2, "{}", record.bytes());
    assert_eq!(keys(&record, "acme"), ["k"]);
    assert_eq!(keys(&record, "stack 0"), [""; 0]);
    assert_eq!(keys(&record, "stack 19999"), [long]);
}

#[test]
fn what_is_accounted_for_is_what_is_there() {
    let record = Record::new(5);
    for number in 0_u64..5000 {
        let namespace = (number % 3 > 0).then(|| format!("namespace {}", number % 7));
        let place = place(&format!("stack {}", number % 11), namespace.as_deref());
        note(&record, &place, &format!("key {}", number % 101), number);
    }
    for shard in 0..SHARDS {
        let shard = record.lock(shard);
        let mut bytes = 0;
        for (partition, shelf) in &shard.partitions {
            let name = |name: &Option<Namespace>| name.as_ref().map_or(0, |name| name.as_str().len());
            let of_keys = |keys: &Keys| keys.noted.keys().map(|key| KEY_BYTES + key.len()).sum::<usize>();
            let namespaces = shelf.namespaces.iter();
            let expected = namespaces.map(|(namespace, keys)| NODE_BYTES + name(namespace) + of_keys(keys));
            let expected = NODE_BYTES + names_len(partition) + expected.sum::<usize>();
            assert_eq!(shelf.bytes, expected);
            bytes += expected;
        }
        assert_eq!(shard.bytes, bytes);
    }
}

#[test]
fn it_is_taken_where_it_has_changed() {
    let record = Record::new(5);
    assert!(record.take_changed().is_none());
    note(&record, &place("acme", None), "k", 0);
    assert_eq!(record.take_changed().map(|pages| pages.len()), Some(1));
    assert!(record.take_changed().is_none());
    record.put_back();
    assert_eq!(record.take_changed().map(|pages| pages.len()), Some(1));
}
