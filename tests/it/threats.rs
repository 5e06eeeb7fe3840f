//! The threat model: one test for each threat, named after it. README's table has the same names.
//!
//! Each is a short attack of its kind, with what it ends in. The suites beside it try much more: `hostile`,
//! `faults`, `secrecy`, `fleet`, and the cross-tenant checker.

mod storage;

use std::time::Duration;

use strongroom_host::backend::Protocol;
use strongroom_host::{Cache, CacheCtx, Config, Fetched, Scope, ScopedCache, Value};

use crate::fault_proxy::{Fault, FaultProxy};
use crate::harness::connect;
use crate::kinds::{Kind, Storage};
use crate::memcached::Memcached;

/// What a guest of the stack opens.
fn open(cache: &Cache, stack: &str, namespace: Option<&str>) -> ScopedCache {
    let ctx = CacheCtx::builder(cache).service("tests").stack(stack).session("9f2").build();
    ctx.and_then(|ctx| ctx.open(Scope::Stack, namespace)).expect("it is granted")
}

fn config() -> Config {
    // Generations are asked for each time, so that what is cleared is gone at once.
    Config::new().prefix("bank").and_then(|config| config.generation_ttl(Duration::ZERO)).expect("valid")
}

/// For what does not depend on the protocol.
const PROTOCOLS: [Protocol; 2] = [Protocol::Meta, Protocol::Classic];

/// A cache of every kind, and the storage that is its own.
async fn caches() -> Vec<(Storage, Cache)> {
    let mut caches = Vec::new();
    for kind in Kind::ALL {
        let storage = kind.storage();
        let cache = storage.connect(config()).await;
        caches.push((storage, cache));
    }
    caches
}

/// Whatever is tried under a name: it reads nothing of the victim's, and changes nothing.
async fn tries(attacker: &ScopedCache, key: &str) {
    if key.len() > strongroom_host::limits::KEY_BYTES_MAX {
        assert!(attacker.get(key).await.expect_err("it is too long").is_invalid_key());
        return;
    }
    assert_eq!(attacker.get(key).await.expect("get"), None, "{key:?}");
    assert!(!attacker.delete(key).await.expect("delete"), "{key:?}");
    assert!(!attacker.replace(key, "mine".into(), None).await.expect("replace"), "{key:?}");
    assert!(!attacker.touch(key, Some(1)).await.expect("touch"), "{key:?}");
    assert!(attacker.add(key, "mine".into(), None).await.expect("add"), "{key:?}");
    attacker.delete(key).await.expect("delete");
}

/// Names that would mean the victim's entry, if names were put together the simple way.
fn crafted(storage_key: &str) -> Vec<String> {
    let item = storage_key.rsplit(':').next().unwrap_or_default();
    let mut keys: Vec<_> = ["rates", "acme:rates", "acme/rates", "tests:acme:rates", "../acme/rates"]
        .iter()
        .map(|&key| key.to_owned())
        .collect();
    keys.extend([storage_key, item, "acmerates"].map(str::to_owned));
    keys.push("\u{1}\0\0\0\u{4}acme\0\0rates".to_owned());
    keys.push(format!("x\r\nget {storage_key}"));
    keys.push(format!("x\r\nmg {storage_key} v\r\n"));
    keys.push(format!("\0{storage_key}\0"));
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn cross_tenant_read_by_crafted_key() {
    for (_storage, cache) in &caches().await {
        let victim = open(cache, "acme", None);
        victim.set("rates", "acme's".into(), None).await.expect("set");
        let storage_key = victim.storage_key("rates").await.expect("a key");
        for key in crafted(storage_key.as_str()) {
            tries(&open(cache, "globex", None), &key).await;
        }
        assert_eq!(victim.get("rates").await.expect("get"), Some("acme's".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cross_tenant_read_by_namespace() {
    for (_storage, cache) in &caches().await {
        let victim = open(cache, "ab", Some("c"));
        victim.set("d", "ab's".into(), None).await.expect("set");
        let storage_key = victim.storage_key("d").await.expect("a key").as_str().to_owned();
        for (stack, namespace, key) in [
            ("a", Some("bc"), "d"),
            ("a", Some("b"), "cd"),
            ("abc", None, "d"),
            ("ab", None, "cd"),
            ("ab", Some("cd"), "d"),
            ("a", Some("b\u{1}\0\0\0\u{1}c"), "d"),
            ("a", Some(storage_key.as_str()), "d"),
            ("a", Some("../ab/c"), "d"),
            ("c", Some("ab"), "d"),
        ] {
            tries(&open(cache, stack, namespace), key).await;
        }
        assert_eq!(victim.get("d").await.expect("get"), Some("ab's".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reply_mix_up_after_cancel_or_timeout() {
    for protocol in PROTOCOLS {
        replies_stay_apart(protocol).await;
    }
}

async fn replies_stay_apart(protocol: Protocol) {
    let server = Memcached::start();
    let proxy = FaultProxy::start(server.port(), 11);
    let config =
        Config::new().protocol(protocol).host("127.0.0.1").and_then(|config| config.port(proxy.port()));
    let config = config.and_then(|config| config.timeout(Duration::from_secs(10))).expect("valid");
    let cache = Cache::connect(config).await.expect("settings that go together");
    let stacks = ["acme", "globex", "initech"].map(|stack| (stack, open(&cache, stack, None)));
    for (stack, scoped) in &stacks {
        for key in 0..50 {
            let value = format!("{stack}'s {key}");
            scoped.set(&key.to_string(), value.as_str().into(), None).await.expect("set");
        }
    }
    // Replies come late, so that whoever gave up is gone when they do.
    proxy.inject(Fault::Delay, 50);
    let mut answered = 0;
    for round in 0..20 {
        let calls = stacks.iter().flat_map(|(stack, scoped)| {
            (0..50).map(move |key: u64| async move {
                // From nearly nothing to more than a call can take.
                let patience = Duration::from_micros(200 << (key * 97 % 5 * 3 + round % 3));
                let key = key.to_string();
                match tokio::time::timeout(patience, scoped.get(&key)).await {
                    Ok(Ok(Some(value))) => {
                        assert_eq!(value, Value::from(format!("{stack}'s {key}").as_str()));
                        1
                    }
                    Ok(Ok(None)) => panic!("it is there"),
                    Ok(Err(_)) | Err(_) => 0,
                }
            })
        });
        answered += futures_util::future::join_all(calls).await.into_iter().sum::<u32>();
    }
    assert!(answered > 100 && answered < 3000, "{answered}: some were answered, and some gave up");
}

#[tokio::test(flavor = "multi_thread")]
async fn command_injection() {
    for protocol in PROTOCOLS {
        text_is_no_command(protocol).await;
    }
}

async fn text_is_no_command(protocol: Protocol) {
    let server = Memcached::start();
    let cache = connect(config().protocol(protocol), &server).await;
    server.put("canary", 0, b"alive");
    let acme = open(&cache, "acme", None);
    for text in
        ["\r\nflush_all\r\n", "x\r\nms canary 4\r\ndead\r\n", "\r\nmd canary\r\n", "a\nquit\n", "\0\r\n"]
    {
        for scoped in [open(&cache, "acme", Some(text)), open(&cache, text, None), acme.clone()] {
            scoped.set(text, text.into(), Some(60)).await.expect("any text is a key and a value");
            assert_eq!(scoped.get(text).await.expect("get"), Some(text.into()));
            scoped.increment(&format!("{text}#"), 1, 1, None).await.expect("increment");
        }
    }
    assert_eq!(server.item("canary"), Some((0, b"alive".to_vec())));
    let keys = server.dump().into_iter().map(|(key, _)| key).filter(|key| key != "canary");
    for key in keys {
        assert!(key.starts_with("bank:") && key.len() == 37, "what reaches the wire is always of one form");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stampede() {
    for (_storage, cache) in &caches().await {
        let acme = open(cache, "acme", None);
        let calls = (0..100).map(|_| acme.fetch("rates", 0, Duration::ZERO));
        let fetched = futures_util::future::join_all(calls).await;
        let are = |is: fn(&Fetched) -> bool| fetched.iter().flatten().filter(|fetched| is(fetched)).count();
        assert_eq!(are(|fetched| matches!(fetched, Fetched::Vacant(_))), 1, "one computes");
        assert_eq!(are(|fetched| matches!(fetched, Fetched::Busy)), 99, "the others are told that one does");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counter_and_lease_theft() {
    for (_storage, cache) in &caches().await {
        let (acme, globex) = (open(cache, "acme", None), open(cache, "globex", None));
        assert_eq!(acme.increment("visits", 1, 100, None).await.expect("increment"), 100);
        assert_eq!(globex.increment("visits", 1, 1, None).await.expect("increment"), 1);
        let (_, version) = acme.get_versioned("visits").await.expect("get").expect("there");
        let swapped = globex.swap("visits", Value::Integer(0), version, None).await.expect("swap");
        assert_eq!(swapped, strongroom_host::SwapOutcome::Changed, "a version is one's own");

        let Ok(Fetched::Vacant(mut fill)) = acme.fetch("rates", 0, Duration::ZERO).await else {
            panic!("vacant")
        };
        let Ok(Fetched::Vacant(mut other)) = globex.fetch("rates", 0, Duration::ZERO).await else {
            panic!("another tenant's computation is nothing to it")
        };
        globex.delete("rates").await.expect("delete");
        assert!(fill.complete("acme's".into(), None).await.expect("complete"), "nor can it end it");
        assert!(!other.complete("globex's".into(), None).await.expect("complete"));
        assert_eq!(acme.get("rates").await.expect("get"), Some("acme's".into()));
        assert_eq!(globex.get("rates").await.expect("get"), None);
        assert_eq!(acme.increment("visits", 1, 0, None).await.expect("increment"), 101);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clearing_someone_elses_partition() {
    for (_storage, cache) in &caches().await {
        let victims = [open(cache, "acme", None), open(cache, "acme", Some("day")), open(cache, "acm", None)];
        for victim in &victims {
            victim.set("rates", "kept".into(), None).await.expect("set");
        }
        for namespace in [None, Some("acme"), Some("day"), Some("acme/day"), Some("..")] {
            open(cache, "globex", namespace).clear().await.expect("clear");
            open(cache, "acme", Some("e")).clear().await.expect("clear");
        }
        for victim in &victims {
            assert_eq!(victim.get("rates").await.expect("get"), Some("kept".into()));
        }
    }
}
