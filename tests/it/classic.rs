//! The classic protocol on a real memcached, beside the contract: hosts of both protocols, and the choice.

use std::sync::Arc;
use std::time::Duration;

use strongroom_host::backend::{Backend, Condition, MemcachedOptions, Protocol, Server, over};
use strongroom_host::{Config, Flags, Kind, Lifetime, Partition, StorageKey, Stored};

use crate::harness::{connect, noise};
use crate::memcached::Memcached;

fn backend(server: &Memcached, protocol: Protocol) -> Arc<dyn Backend> {
    let options = MemcachedOptions {
        servers: Server::parse(&format!("127.0.0.1:{}", server.port())).into_iter().collect(),
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        ..MemcachedOptions::default()
    };
    over(options, protocol)
}

fn key(number: u32) -> StorageKey {
    StorageKey::parse(&format!("classic:{number:032}")).expect("of the right form")
}

fn entry(data: impl Into<bytes::Bytes>) -> Stored {
    Stored { flags: Flags::entry(Kind::Bytes, 0), data: data.into() }
}

async fn set(backend: &Arc<dyn Backend>, number: u32, stored: Stored) {
    let stored = backend.store(&key(number), stored, Lifetime::UntilEvicted, Condition::Always).await;
    stored.expect("reachable");
}

async fn get(backend: &Arc<dyn Backend>, number: u32) -> Option<Stored> {
    backend.get(&key(number)).await.expect("reachable").map(|found| found.entry)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_the_other_protocol_is_a_miss_and_never_misread() {
    let server = Memcached::start();
    let (meta, classic) = (backend(&server, Protocol::Meta), backend(&server, Protocol::Classic));
    set(&classic, 1, entry("from classic")).await;
    assert_eq!(get(&meta, 1).await, None);
    // A guest chooses its bytes: these are what the classic backend has stored.
    let (_, forged) = server.item(key(1).as_str()).expect("stored");
    set(&meta, 2, entry(forged)).await;
    assert_eq!(get(&classic, 2).await, None);
    assert_eq!(classic.get_many(&[key(2), key(1)], usize::MAX).await.expect("reachable")[0], None);
    for (writer, reader) in [(&meta, &classic), (&classic, &meta)] {
        set(writer, 3, entry("the last one")).await;
        assert_eq!(get(reader, 3).await, None);
        assert_eq!(get(writer, 3).await, Some(entry("the last one")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_finds_out_what_the_server_speaks_once_it_can_be_reached() {
    let mut server = Memcached::start();
    let auto = backend(&server, Protocol::Auto);
    server.kill();
    assert!(auto.get(&key(1)).await.is_err(), "nothing is guessed");
    server.restart();
    set(&auto, 1, entry("here")).await;
    assert_eq!(get(&backend(&server, Protocol::Meta), 1).await, Some(entry("here")));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_classic_protocol_a_value_that_the_server_cannot_take_leaves_the_old_one() {
    // memcached's own default: items of 1 MiB, less than a value may have.
    let server = Memcached::start_with(&["-I", "1m"]);
    let cache = connect(Config::new().protocol(Protocol::Classic), &server).await;
    let partition = Partition::service("tests").and_then(|service| service.stack("acme")).expect("valid");
    let acme = cache.open(&partition, None).expect("opens");
    acme.set("k", "old".into(), None).await.expect("set");
    let refused = acme.set("k", noise(1024 * 1024).into(), None).await.expect_err("too large for the server");
    assert!(refused.is_value_too_large(), "{refused}");
    assert_eq!(acme.get("k").await.expect("get"), Some("old".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_classic_protocol_a_dead_server_is_unavailable_until_it_is_back() {
    let mut server = Memcached::start();
    let classic = backend(&server, Protocol::Classic);
    set(&classic, 1, entry("before")).await;
    server.kill();
    let stored = classic.store(&key(1), entry("x"), Lifetime::UntilEvicted, Condition::Always).await;
    let unavailable = stored.expect_err("there is no server");
    assert!(matches!(unavailable, strongroom_host::backend::Error::Unavailable { .. }), "{unavailable:?}");
    server.restart();
    set(&classic, 1, entry("after")).await;
    assert_eq!(get(&classic, 1).await, Some(entry("after")));
}
