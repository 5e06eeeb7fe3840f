//! The threat model: one test for each threat, named after it. README's table has the same names.
//!
//! Each is a short attack of its kind, with what it ends in. The suites beside it try much more: `hostile`,
//! `faults`, `secrecy`, `fleet`, and the cross-tenant checker.

use std::time::Duration;

use miniz_oxide::deflate::compress_to_vec_zlib;
use strongroom_host::backend::Protocol;
use strongroom_host::{Cache, CacheCtx, Config, Error, Fetched, Scope, ScopedCache, Value};

use crate::fault_proxy::{Fault, FaultProxy};
use crate::harness::connect;
use crate::kinds::{Kind, Storage};
use crate::memcached::Memcached;
use crate::own_process::{allocated_bytes, in_a_process_of_its_own, runtime};

const KEY: &str = "base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

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

fn encrypted() -> Config {
    config().encryption_key(KEY).expect("a key")
}

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

/// Calls until it is answered: a server that was away is back within seconds.
async fn until_done<T, F: Future<Output = Result<T, Error>>>(call: impl Fn() -> F) -> T {
    for _ in 0..500 {
        match call().await {
            Ok(answer) => return answer,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    panic!("it does not come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_or_restarted_server() {
    let server = Memcached::start();
    let proxy = FaultProxy::start(server.port(), 12);
    let config = config().host("127.0.0.1").and_then(|config| config.port(proxy.port()));
    let config = config.and_then(|config| config.timeout(Duration::from_millis(300))).expect("valid");
    let cache = Cache::connect(config).await.expect("settings that go together");
    let (acme, globex) = (open(&cache, "acme", None), open(&cache, "globex", None));
    for lie in [Fault::WrongOpaque, Fault::Reorder, Fault::Duplicate, Fault::Garbage, Fault::HugeLength] {
        for (scoped, own) in [(&acme, "acme's"), (&globex, "globex's")] {
            // The connection may still be that of the last lie.
            until_done(|| scoped.set("rates", own.into(), None)).await;
        }
        let mut right = 0;
        proxy.inject(lie, 2);
        for _ in 0..30 {
            for (scoped, own) in [(&acme, "acme's"), (&globex, "globex's")] {
                // Right, or an error, or (if a write of generations was hit) a miss; never the other's.
                let found = scoped.get("rates").await.unwrap_or_default();
                assert!(found.is_none() || found == Some(own.into()), "{lie:?}: {found:?}");
                right += u32::from(found.is_some());
            }
        }
        proxy.pass();
        for (scoped, own) in [(&acme, "acme's"), (&globex, "globex's")] {
            let found = until_done(|| scoped.get("rates")).await;
            assert!(found.is_none() || found == Some(own.into()), "after {lie:?}: {found:?}");
            right += u32::from(found.is_some());
        }
        assert!(right > 0, "{lie:?}: somebody was told something");
    }
    for protocol in PROTOCOLS {
        restarted_servers_have_nothing(protocol).await;
    }
}

async fn restarted_servers_have_nothing(protocol: Protocol) {
    let mut server = Memcached::start();
    let cache = connect(config().protocol(protocol), &server).await;
    let stacks = ["acme", "globex"].map(|stack| open(&cache, stack, None));
    for scoped in &stacks {
        scoped.set("rates", "lost".into(), None).await.expect("set");
    }
    server.kill();
    server.restart();
    for scoped in &stacks {
        let found = until_done(|| scoped.get("rates")).await;
        assert_eq!(found, None, "what it has lost is a miss, and not somebody else's");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn moved_entries_in_memcached() {
    for protocol in PROTOCOLS {
        entries_open_at_home_only(protocol).await;
    }
}

async fn entries_open_at_home_only(protocol: Protocol) {
    let server = Memcached::start();
    let cache = connect(encrypted().protocol(protocol), &server).await;
    let (acme, globex) = (open(&cache, "acme", None), open(&cache, "globex", None));
    for (scoped, key) in [(&acme, "rates"), (&acme, "other"), (&globex, "rates")] {
        scoped.set(key, format!("of {key}").as_str().into(), None).await.expect("set");
    }
    let from = globex.storage_key("rates").await.expect("a key");
    let (flags, stolen) = server.item(from.as_str()).expect("stored");
    for (scoped, key) in [(&acme, "rates"), (&acme, "other"), (&globex, "other")] {
        let to = scoped.storage_key(key).await.expect("a key");
        server.put(to.as_str(), flags, &stolen);
        assert_eq!(scoped.get(key).await.expect("get"), None, "it opens where it was stored only");
    }
    globex.delete("rates").await.expect("delete");
    assert_eq!(globex.get("rates").await.expect("get"), None);
    server.put(from.as_str(), flags, &stolen);
    assert_eq!(globex.get("rates").await.expect("get"), Some("of rates".into()));
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

/// The largest value, unless configured otherwise.
const VALUE_BYTES_MAX: u32 = 2 << 20;

/// What a read may allocate besides the value and what it was told.
const READ_BYTES: usize = 256 << 10;

#[test]
fn zlib_bomb() {
    in_a_process_of_its_own(module_path!(), "zlib_bomb", || runtime().block_on(bombs_do_not_go_off()));
}

async fn bombs_do_not_go_off() {
    let server = Memcached::start();
    let cache = connect(config(), &server).await;
    let acme = open(&cache, "acme", None);
    let key = acme.storage_key("rates").await.expect("a key");
    acme.set("rates", "x".repeat(VALUE_BYTES_MAX as usize).as_str().into(), None).await.expect("set");
    let (flags, largest) = server.item(key.as_str()).expect("stored");
    assert!(largest.len() < 20_000, "it is compressed");
    let (two_mebibytes, bomb) = (&largest[4..], &compress_to_vec_zlib(&vec![0; 64 << 20], 9)[..]);
    // Said to be small, to be the largest value, and to be 4 GiB; with what may be allocated for that.
    for (length, stream, bytes) in [
        (16, two_mebibytes, 16),
        (u32::MAX, two_mebibytes, 0),
        (16, bomb, 16),
        (VALUE_BYTES_MAX, bomb, VALUE_BYTES_MAX as usize),
        (u32::MAX, bomb, 0),
    ] {
        let lie = [&length.to_be_bytes()[..], stream].concat();
        server.put(key.as_str(), flags, &lie);
        let before = allocated_bytes();
        assert_eq!(acme.get("rates").await.expect("a miss"), None);
        let allocated = allocated_bytes() - before;
        let most = bytes + 2 * lie.len() + READ_BYTES;
        assert!(allocated <= most, "{allocated} bytes, for {} that claim to be {length}", lie.len());
    }
    server.put(key.as_str(), flags, &largest);
    assert!(acme.get("rates").await.expect("get").is_some(), "as it was, it is read");
    let unopened: u64 = cache.stats().unopened.iter().map(|(_, count)| count).sum();
    assert_eq!(unopened, 5, "{:?}", cache.stats());
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

#[tokio::test(flavor = "multi_thread")]
async fn downgrade_to_an_entry_in_plain() {
    for protocol in PROTOCOLS {
        plain_entries_are_nothing(protocol).await;
    }
}

async fn plain_entries_are_nothing(protocol: Protocol) {
    let server = Memcached::start();
    let cache = connect(encrypted().protocol(protocol), &server).await;
    let acme = open(&cache, "acme", None);
    // A host of the same deployment, but for the encryption: what it stores lies in the same place.
    let planter = connect(config().protocol(protocol), &server).await;
    let planter = open(&planter, "acme", None);
    let key = acme.storage_key("rates").await.expect("a key");
    assert_eq!(planter.storage_key("rates").await.expect("a key"), key);
    for planted in [Value::from("planted"), Value::Bytes("planted".into()), Value::Integer(41)] {
        let plant = || async {
            planter.set("rates", planted.clone(), None).await.expect("set");
            assert!(server.item(key.as_str()).is_some(), "it is there");
        };
        plant().await;
        assert_eq!(acme.get("rates").await.expect("get"), None);
        assert_eq!(acme.get_many(&["rates"]).await.expect("get"), [None]);
        assert!(acme.get_versioned("rates").await.expect("get").is_none());
        assert!(matches!(acme.fetch("rates", 0, Duration::ZERO).await, Ok(Fetched::Vacant(_))));
        plant().await;
        assert_eq!(acme.increment("rates", 1, 7, None).await.expect("increment"), 7, "it is not counted on");
        plant().await;
        assert!(acme.add("rates", "own".into(), None).await.expect("add"), "nor does it stand in the way");
        assert_eq!(acme.get("rates").await.expect("get"), Some("own".into()));
    }
}
