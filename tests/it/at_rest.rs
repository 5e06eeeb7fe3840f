//! What lies on the server: nothing readable, and nothing that opens anywhere but in its place.

use std::time::Duration;

use strongroom_host::{Cache, Config, Fetched, Flags, Kind, Partition, ScopedCache, SwapOutcome, Value};

use crate::harness::connect;
use crate::memcached::Memcached;

const SECRET: &str = "iban-DE89-3704-0044-0532-0130-00";
const KEY_1: &str = "base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const KEY_2: &str = "base64:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

fn encrypted() -> Config {
    Config::new().prefix("bank").and_then(|config| config.encryption_key(KEY_1)).expect("valid settings")
}

fn open(cache: &Cache, stack: &str) -> ScopedCache {
    let partition = Partition::service("payments").and_then(|service| service.stack(stack));
    cache.open(&partition.expect("valid identifiers"), None).expect("opens")
}

async fn storage_key(cache: &ScopedCache, key: &str) -> String {
    cache.storage_key(key).await.expect("generations can be read").as_str().to_owned()
}

fn reasons(cache: &Cache) -> Vec<&'static str> {
    cache.stats().unopened.into_iter().map(|(reason, _)| reason).collect()
}

#[tokio::test]
async fn a_dump_shows_no_value_no_key_and_no_tenant() {
    let server = Memcached::start();
    let cache = connect(encrypted(), &server).await;
    let partition = Partition::service("payments").and_then(|service| service.stack("acme-bank"));
    let session = partition.and_then(|stack| stack.session("login-7731")).expect("valid identifiers");
    for (namespace, scoped) in [(None, session.clone()), (Some("accounts"), session)] {
        let cache = cache.open(&scoped, namespace).expect("opens");
        cache.set("account-number", SECRET.into(), Some(60)).await.expect("set");
        cache.set("long", SECRET.repeat(200).as_str().into(), Some(60)).await.expect("set");
        cache.increment("counter", 1, 731_731_731, Some(60)).await.expect("increment");
        assert_eq!(cache.get("account-number").await.expect("get"), Some(SECRET.into()));
    }
    let items = server.dump();
    assert!(items.len() >= 6, "the entries are there, and generations");
    let secrets =
        [SECRET, "account-number", "counter", "accounts", "acme-bank", "login-7731", "payments", "731731731"];
    for (key, raw) in items {
        let head_and_data = String::from_utf8_lossy(&raw);
        assert!(key.starts_with("bank:") && key.len() == "bank:".len() + 32);
        for secret in secrets {
            assert!(!key.contains(secret) && !head_and_data.contains(secret), "{secret} is readable");
        }
    }
}

#[tokio::test]
async fn an_altered_entry_is_a_miss() {
    let server = Memcached::start();
    let cache = connect(encrypted(), &server).await;
    let acme = open(&cache, "acme");
    acme.set("k", SECRET.into(), None).await.expect("set");
    let key = storage_key(&acme, "k").await;
    let (flags, sealed) = server.item(&key).expect("the entry is there");

    for byte in [0, 3, 4, 27, 28, sealed.len() / 2, sealed.len() - 1] {
        let mut altered = sealed.clone();
        altered[byte] ^= 1;
        server.put(&key, flags, &altered);
        assert_eq!(acme.get("k").await.expect("get"), None, "byte {byte}");
    }
    for bit in 0..32 {
        server.put(&key, flags ^ (1 << bit), &sealed);
        assert_eq!(acme.get("k").await.expect("get"), None, "flag bit {bit}");
    }
    server.put(&key, flags, &sealed[..sealed.len() - 1]);
    assert_eq!(acme.get("k").await.expect("get"), None, "cut short");
    server.put(&key, flags, b"");
    assert_eq!(acme.get("k").await.expect("get"), None, "emptied");
    server.put(&key, flags, &sealed);
    assert_eq!(acme.get("k").await.expect("get"), Some(SECRET.into()), "put back as it was");
    assert!(reasons(&cache).contains(&"not_authentic"));
}

#[tokio::test]
async fn a_moved_entry_is_a_miss() {
    let server = Memcached::start();
    let cache = connect(encrypted(), &server).await;
    let (acme, globex) = (open(&cache, "acme"), open(&cache, "globex"));
    acme.set("k", SECRET.into(), None).await.expect("set");
    let (flags, sealed) = server.item(&storage_key(&acme, "k").await).expect("the entry is there");
    server.put(&storage_key(&globex, "k").await, flags, &sealed);
    server.put(&storage_key(&acme, "other").await, flags, &sealed);
    assert_eq!(globex.get("k").await.expect("get"), None, "to another stack");
    assert_eq!(acme.get("other").await.expect("get"), None, "to another key");
    assert_eq!(reasons(&cache), ["not_authentic"]);
}

#[tokio::test]
async fn an_entry_in_plain_is_refused_where_encryption_is_on() {
    let server = Memcached::start();
    let plain = connect(Config::new().prefix("bank").expect("valid"), &server).await;
    let sealed = connect(encrypted(), &server).await;
    open(&plain, "acme").set("k", "planted".into(), None).await.expect("set");
    let sealed_acme = open(&sealed, "acme");
    assert_eq!(sealed_acme.get("k").await.expect("get"), None);
    assert_eq!(reasons(&sealed), ["not_encrypted"]);

    // It does not stand in the way of an `add` or a counter either.
    assert!(sealed_acme.add("k", SECRET.into(), None).await.expect("add"));
    assert_eq!(sealed_acme.get("k").await.expect("get"), Some(SECRET.into()));
    assert_eq!(open(&plain, "acme").get("k").await.expect("get"), None, "and the other way round");
    assert_eq!(open(&plain, "acme").increment("k", 1, 5, None).await.expect("increment"), 5);
}

/// What somebody who can write on the server, and has no key, can put in an entry's place: flags and data.
fn plants(sealed: &[u8]) -> Vec<(&'static str, Flags, Vec<u8>)> {
    let (text, integer) = (Flags::entry(Kind::Text, 0), Flags::entry(Kind::Integer, 0));
    vec![
        ("a text in plain", text, b"planted".to_vec()),
        ("a counter in plain", integer, b"5".to_vec()),
        ("a compressed text in plain", text.compressed(), vec![0; 8]),
        ("bytes that say they are encrypted", text.encrypted(), vec![7; 60]),
        ("an entry of another place", text.encrypted(), sealed.to_vec()),
        ("the same as a counter", integer.encrypted(), sealed.to_vec()),
        ("the same as of version 2", Flags(text.encrypted().0 ^ 0x300), sealed.to_vec()),
        ("nothing, as an entry", text.encrypted(), Vec::new()),
    ]
}

#[tokio::test]
async fn what_is_planted_is_a_miss_for_every_operation() {
    let server = Memcached::start();
    let cache = connect(encrypted(), &server).await;
    let (acme, globex) = (open(&cache, "acme"), open(&cache, "globex"));
    globex.set("k", SECRET.into(), None).await.expect("set");
    let (_, sealed) = server.item(&storage_key(&globex, "k").await).expect("the entry is there");
    let key = storage_key(&acme, "k").await;
    for (name, flags, data) in plants(&sealed) {
        let plant = || server.put(&key, flags.0, &data);
        let is_untouched = || server.item(&key) == Some((flags.0, data.clone()));
        let before = cache.stats().unopened.iter().map(|(_, count)| count).sum::<u64>();
        plant();
        assert_eq!(acme.get("k").await.expect("get"), None, "{name}");
        assert_eq!(acme.get_versioned("k").await.expect("get_versioned"), None, "{name}");
        assert_eq!(acme.get_many(&["k", "k"]).await.expect("get_many"), [None, None], "{name}");
        assert!(!acme.touch("k", Some(60)).await.expect("touch"), "{name}");
        assert!(!acme.replace("k", SECRET.into(), None).await.expect("replace"), "{name}");
        assert_ne!(
            acme.swap("k", SECRET.into(), 1, None).await.expect("swap"),
            SwapOutcome::Swapped,
            "{name}"
        );
        assert!(is_untouched(), "{name}: none of these may store anything");
        let after = cache.stats().unopened.iter().map(|(_, count)| count).sum::<u64>();
        assert!(after >= before + 5, "{name}: counted by reason");

        let Fetched::Vacant(fill) = acme.fetch("k", 60, Duration::ZERO).await.expect("fetch") else {
            panic!("{name}: fetched");
        };
        fill.abandon().await.expect("given back");
        assert_eq!(acme.increment("k", 1, 40, None).await.expect("increment"), 40, "{name}");
        plant();
        assert_eq!(acme.decrement("k", 1, 40, None).await.expect("decrement"), 40, "{name}");
        plant();
        assert!(acme.add("k", SECRET.into(), None).await.expect("add"), "{name}");
        assert_eq!(acme.get("k").await.expect("get"), Some(SECRET.into()), "{name}");

        // Within its grace, where a fetch would serve an entry of ours.
        let graced = Flags(flags.0 | 600 << 16);
        server.put_for(&key, graced.0, &data, 60);
        let fetched = acme.fetch("k", 600, Duration::ZERO).await.expect("fetch");
        assert!(matches!(fetched, Fetched::Vacant(_)), "{name}: {fetched:?}");
    }
    assert_eq!(cache.stats().unopened.len(), 4, "not_encrypted, not_authentic, unknown_key, unknown_format");
}

#[tokio::test]
async fn a_planted_generation_number_hides_entries_and_uncovers_none() {
    let server = Memcached::start();
    let config = encrypted().generation_ttl(Duration::ZERO).expect("allowed");
    let cache = connect(config, &server).await;
    let acme = open(&cache, "acme");
    acme.set("k", SECRET.into(), None).await.expect("set");
    let marks: Vec<_> = server.dump().into_iter().map(|(key, _)| key).collect();
    let is_mark = |key: &String| server.item(key).is_some_and(|(_, data)| data.len() == 8);
    let marks: Vec<_> = marks.into_iter().filter(is_mark).collect();
    assert!(marks.len() >= 3, "of the service, the stack and the cache itself");
    for (flags, data) in [(0x110, &b"12345678"[..]), (0x114, b"12345678"), (0x110, b""), (0x111, b"8 digits")]
    {
        for mark in &marks {
            server.put(mark, flags, data);
        }
        assert_eq!(acme.get("k").await.expect("a miss, no error"), None);
        acme.set("k", SECRET.into(), None).await.expect("set");
        assert_eq!(acme.get("k").await.expect("get"), Some(SECRET.into()));
    }
}

/// What encryption can't prevent, and the threat model says so: an entry carries no time of its own.
#[tokio::test]
async fn an_older_entry_of_the_same_place_can_be_put_back_until_the_cache_is_cleared() {
    let server = Memcached::start();
    let cache = connect(encrypted().generation_ttl(Duration::ZERO).expect("allowed"), &server).await;
    let acme = open(&cache, "acme");
    acme.set("k", "old".into(), Some(1)).await.expect("set");
    let key = storage_key(&acme, "k").await;
    let (flags, sealed) = server.item(&key).expect("the entry is there");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(acme.get("k").await.expect("get"), None, "its lifetime is over");
    server.put(&key, flags, &sealed);
    assert_eq!(acme.get("k").await.expect("get"), Some("old".into()));
    acme.clear().await.expect("cleared");
    server.put(&key, flags, &sealed);
    assert_eq!(acme.get("k").await.expect("get"), None);
}

#[tokio::test]
async fn after_a_rotation_old_entries_still_open() {
    let server = Memcached::start();
    let before = connect(encrypted(), &server).await;
    open(&before, "acme").set("k", SECRET.into(), None).await.expect("set");

    let rotated =
        Config::new().prefix("bank").and_then(|config| config.encryption_key(KEY_2)).expect("valid");
    let with_old = rotated.clone().previous_keys([KEY_1]).expect("valid");
    let after = connect(with_old, &server).await;
    assert_eq!(open(&after, "acme").get("k").await.expect("get"), Some(SECRET.into()));
    open(&after, "acme").set("new", SECRET.into(), None).await.expect("set");

    let without_old = connect(rotated, &server).await;
    assert_eq!(open(&without_old, "acme").get("k").await.expect("get"), None);
    assert_eq!(open(&without_old, "acme").get("new").await.expect("get"), Some(SECRET.into()));
    assert_eq!(reasons(&without_old), ["unknown_key"]);
}

#[tokio::test]
async fn compression_can_be_flipped_and_entries_still_open() {
    let server = Memcached::start();
    let compressing = connect(encrypted(), &server).await;
    let plain = connect(encrypted().compress_data(false), &server).await;
    let long: Value = SECRET.repeat(500).as_str().into();
    for (writer, reader) in [(&compressing, &plain), (&plain, &compressing)] {
        open(writer, "acme").set("k", long.clone(), None).await.expect("set");
        assert_eq!(open(reader, "acme").get("k").await.expect("get"), Some(long.clone()));
    }
    let (_, sealed) =
        server.item(&storage_key(&open(&plain, "acme"), "k").await).expect("the entry is there");
    assert!(sealed.len() > SECRET.len() * 500, "stored without compression");
}

#[tokio::test]
async fn a_key_secret_changes_every_storage_key() {
    let server = Memcached::start();
    let public = connect(Config::new(), &server).await;
    let secret = connect(Config::new().key_secret(KEY_1).expect("valid"), &server).await;
    open(&public, "acme").set("k", "v".into(), None).await.expect("set");
    assert_eq!(open(&secret, "acme").get("k").await.expect("get"), None);
}
