//! Threats from whoever has got at memcached, or is it.

use std::time::Duration;

use miniz_oxide::deflate::compress_to_vec_zlib;
use strongroom_host::backend::Protocol;
use strongroom_host::{Cache, Config, Error, Fetched, Value};

use super::{PROTOCOLS, config, open};
use crate::fault_proxy::{Fault, FaultProxy};
use crate::harness::connect;
use crate::memcached::Memcached;
use crate::own_process::{allocated_bytes, in_a_process_of_its_own, runtime};

const KEY: &str = "base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn encrypted() -> Config {
    config().encryption_key(KEY).expect("a key")
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
