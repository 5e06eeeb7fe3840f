//! The frame is injective; its keys are frozen in `tests/it/golden.rs`.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn place(service: &str, stack: Option<&str>, session: Option<&str>, namespace: Option<&str>) -> Place {
    let mut partition = Partition::service(service).expect("a valid identifier");
    if let Some(stack) = stack {
        partition = partition.stack(stack).expect("a valid identifier");
    }
    if let Some(session) = session {
        partition = partition.session(session).expect("a valid identifier");
    }
    let namespace = namespace.map(|name| Namespace::new(name).expect("a valid namespace"));
    Place { partition, namespace }
}

fn issued(place: &Place, issue: &str) -> Place {
    let partition = place.partition.issued(issue).expect("a session and a valid issue");
    Place { partition, namespace: place.namespace.clone() }
}

fn key_of(place: &Place, generations: [u64; GENERATIONS], key: &str) -> String {
    let deriver = KeyDeriver::new(None, "bank");
    deriver.partition(place, &generations).storage_key(key).as_str().to_owned()
}

/// Those of RFC 4231 (section 4.2 to 4.8, but the truncated one) for SHA-256. Ours takes keys of 32 bytes: a
/// shorter key counts as if zeros followed it, one of more than a block as its hash.
#[test]
fn the_vectors_of_hmac_hold() {
    let block_sized = |key: &[u8]| {
        let mut sized = [0; 32];
        match key.len() {
            0..=32 => sized[..key.len()].copy_from_slice(key),
            _ => sized.copy_from_slice(&Sha256::digest(key)),
        }
        sized
    };
    let counted: Vec<u8> = (1..=25).collect();
    let cases: [(&[u8], &[u8], &str); 6] = [
        (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (&counted, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            &[0xaa; 131],
            b"This is a test using a larger than block-size key and a larger than block-size data. \
              The key needs to be hashed before being used by the HMAC algorithm.",
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ];
    for (key, message, expected) in cases {
        let made: String =
            mac(&hmac(&block_sized(key)), message).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(made, expected);
    }
}

#[test]
fn parts_that_join_to_the_same_text_have_different_keys() {
    let places = [
        place("ab", Some("c"), None, None),
        place("a", Some("bc"), None, None),
        place("abc", None, None, None),
        place("a", Some("b"), Some("c"), None),
        place("a", Some("b"), None, Some("c")),
        place("a", None, None, Some("bc")),
    ];
    let keys: std::collections::HashSet<_> = places.iter().map(|place| key_of(place, [0; 4], "k")).collect();
    assert_eq!(keys.len(), places.len());
}

#[test]
fn an_issue_is_told_apart_from_a_namespace_and_cleared_with_its_session() {
    let session = place("a", Some("b"), Some("c"), None);
    let places = [
        session.clone(),
        issued(&session, "d"),
        issued(&session, "e"),
        place("a", Some("b"), Some("c"), Some("d")),
        issued(&place("a", Some("b"), Some("c"), Some("d")), "d"),
        place("a", Some("b"), Some("cd"), None),
    ];
    let keys: std::collections::HashSet<_> = places.iter().map(|place| key_of(place, [0; 4], "k")).collect();
    assert_eq!(keys.len(), places.len());
    let data_keys: std::collections::HashSet<_> = places.iter().map(Place::identity).collect();
    assert_eq!(data_keys.len(), places.len());
    let node = |place: &Place| KeyDeriver::new(None, "").node(&place.partition);
    assert_eq!(node(&places[1]), node(&session));
    assert!(place("a", Some("b"), None, None).partition.issued("d").is_err());
    assert!(session.partition.issued("").is_err() && session.partition.issued(&"x".repeat(257)).is_err());
}

#[test]
fn every_generation_counts() {
    let place = place("a", Some("b"), None, None);
    let mut seen = vec![key_of(&place, [0; 4], "k")];
    for node in 0..GENERATIONS {
        let mut generations = [0; GENERATIONS];
        generations[node] = 1;
        let key = key_of(&place, generations, "k");
        assert!(!seen.contains(&key));
        seen.push(key);
    }
}

#[test]
fn the_three_uses_of_one_place_have_different_keys() {
    let place = place("a", Some("b"), None, None);
    let deriver = KeyDeriver::new(None, "");
    assert_ne!(deriver.node(&place.partition), deriver.own(&place));
    assert_ne!(frame("strongroom/v1/entry", &place.partition, None, &[]), place.identity());
}

#[test]
fn masked_versions_tell_nothing_of_their_order() {
    let deriver = KeyDeriver::new(None, "");
    let keys =
        ["a", "b"].map(|stack| deriver.partition(&place("s", Some(stack), None, None), &[7; GENERATIONS]));
    let masked: Vec<u64> = (1000..1100).map(|version| keys[0].mask(version)).collect();
    assert!(!masked.is_sorted() && !masked.iter().rev().is_sorted());
    assert!(masked.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 1000), "neighbours are far apart");
    assert_ne!(keys[0].mask(1000), keys[1].mask(1000), "each partition has its own");
}

/// Short parts over an alphabet that has every separator one might think of, so that collisions would be
/// found.
fn part() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[ab:/\u{0}\u{1}\n|]{1,3}").expect("a valid pattern")
}

fn any_place() -> impl Strategy<Value = Place> {
    let optional = || proptest::option::of(part());
    (part(), optional(), optional(), optional(), optional()).prop_map(
        |(service, stack, session, issue, namespace)| {
            let session = session.filter(|_| stack.is_some());
            let issue = issue.filter(|_| session.is_some());
            let place = place(&service, stack.as_deref(), session.as_deref(), namespace.as_deref());
            issue.map_or(place.clone(), |issue| issued(&place, &issue))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn different_places_have_different_frames(places in proptest::collection::vec(any_place(), 2..40)) {
        let mut frames = HashMap::new();
        for place in places {
            let frame = frame("label", &place.partition, place.namespace.as_ref(), &[1, 2, 3, 4]);
            if let Some(other) = frames.insert(frame, place.clone()) {
                prop_assert!(other == place, "two places share a frame");
            }
        }
    }

    #[test]
    fn a_masked_version_is_unmasked_to_itself(version: u64) {
        let keys = KeyDeriver::new(None, "").partition(&place("s", None, None, None), &[7; GENERATIONS]);
        prop_assert_eq!(keys.unmask(keys.mask(version)), version);
        prop_assert_eq!(keys.mask(keys.unmask(version)), version);
    }

    #[test]
    fn storage_keys_are_always_the_prefix_and_32_characters(place in any_place(), key in ".{1,40}") {
        let key = key_of(&place, [1, 2, 3, 4], &key);
        let item = key.strip_prefix("bank:").expect("the prefix leads");
        prop_assert_eq!(item.len(), 32);
        prop_assert!(item.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        prop_assert!(StorageKey::parse(&key).is_some());
    }
}
