//! What lies on the server: nothing readable, and nothing that opens anywhere but in its place.

use strongroom_host::{Cache, Config, Partition, ScopedCache, Value};

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
