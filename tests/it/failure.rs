//! A server that dies, hangs or comes back: typed answers within the time-out, and no restart of the host.

use std::time::{Duration, Instant};

use strongroom_host::{Cache, Config, OnUnavailable, Partition, ScopedCache};

use crate::harness::connect_as_configured;
use crate::memcached::Memcached;

const TIMEOUT: Duration = Duration::from_millis(300);

/// Far more than the time-out, so that only a call that hangs fails a test, and a slow machine does not.
const PATIENCE: Duration = Duration::from_secs(20);

fn config() -> Config {
    Config::new().timeout(TIMEOUT).and_then(|config| config.connect_timeout(TIMEOUT)).expect("valid")
}

fn acme(cache: &Cache) -> ScopedCache {
    let partition = Partition::service("tests").and_then(|service| service.stack("acme"));
    cache.open(&partition.expect("valid"), None).expect("opens")
}

/// Every write fails, in time.
async fn writes_fail(cache: &ScopedCache, writes_may_be_unknown: bool) {
    let begun = Instant::now();
    let failed = |error: &strongroom_host::Error| {
        error.is_unavailable() || (writes_may_be_unknown && error.is_timed_out())
    };
    assert!(failed(&cache.set("k", "v".into(), None).await.expect_err("set")));
    assert!(failed(&cache.add("k", "v".into(), None).await.expect_err("add")));
    assert!(failed(&cache.replace("k", "v".into(), None).await.expect_err("replace")));
    assert!(failed(&cache.swap("k", "v".into(), 1, None).await.expect_err("swap")));
    assert!(failed(&cache.delete("k").await.expect_err("delete")));
    assert!(failed(&cache.touch("k", None).await.expect_err("touch")));
    assert!(failed(&cache.increment("k", 1, 1, None).await.expect_err("increment")));
    assert!(failed(&cache.decrement("k", 1, 1, None).await.expect_err("decrement")));
    assert!(failed(&cache.delete_many(&["k", "l"]).await.expect_err("delete_many")));
    assert!(failed(&cache.clear().await.expect_err("clear")));
    let many = cache.set_many(vec![("k".into(), "v".into())], None).await;
    assert!(failed(&many.and_then(|mut outcomes| outcomes.remove(0)).expect_err("set_many")));
    assert!(begun.elapsed() < PATIENCE);
}

async fn reads_are_unavailable(cache: &ScopedCache) {
    assert!(cache.get("k").await.expect_err("get").is_unavailable());
    assert!(cache.get_many(&["k", "l"]).await.expect_err("get_many").is_unavailable());
    assert!(cache.get_versioned("k").await.expect_err("get_versioned").is_unavailable());
    assert!(cache.fetch("k", 0, Duration::ZERO).await.expect_err("fetch").is_unavailable());
}

/// Tries until the server is reached again.
async fn recovers(cache: &ScopedCache) {
    let begun = Instant::now();
    while let Err(error) = cache.set("k", "again".into(), None).await {
        assert!(error.is_transient() && begun.elapsed() < PATIENCE, "{error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(cache.get("k").await.expect("get"), Some("again".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_server_makes_everything_unavailable_until_it_is_back() {
    let mut server = Memcached::start();
    let cache = connect_as_configured(config(), &server).await;
    let acme = acme(&cache);
    acme.set("k", "v".into(), None).await.expect("set");
    for _ in 0..2 {
        server.kill();
        reads_are_unavailable(&acme).await;
        writes_fail(&acme, false).await;
        server.restart();
        recovers(&acme).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_given_up_in_time() {
    let server = Memcached::start();
    let cache = connect_as_configured(config(), &server).await;
    let acme = acme(&cache);
    acme.set("k", "v".into(), None).await.expect("set");
    server.signal("STOP");
    let begun = Instant::now();
    assert!(acme.get("k").await.expect_err("get").is_unavailable());
    assert!(begun.elapsed() < PATIENCE);
    writes_fail(&acme, true).await;
    server.signal("CONT");
    recovers(&acme).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_can_be_misses_while_writes_stay_errors() {
    let mut server = Memcached::start();
    let cache = connect_as_configured(config().on_unavailable(OnUnavailable::Miss), &server).await;
    let acme = acme(&cache);
    acme.set("k", "v".into(), None).await.expect("set");
    server.kill();
    assert_eq!(acme.get("k").await.expect("a miss"), None);
    assert_eq!(acme.get_many(&["k", "l"]).await.expect("misses"), [None, None]);
    assert_eq!(acme.get_versioned("k").await.expect("a miss"), None);
    let fetched = acme.fetch("k", 0, Duration::ZERO).await.expect("an answer");
    assert!(matches!(fetched, strongroom_host::Fetched::Busy), "compute, and don't store");
    writes_fail(&acme, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_starts_before_its_server_works_once_there_is_one() {
    let mut server = Memcached::start();
    server.kill();
    let cache = connect_as_configured(config(), &server).await;
    let acme = acme(&cache);
    reads_are_unavailable(&acme).await;
    server.restart();
    recovers(&acme).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_the_server_cannot_take_leaves_the_old_one() {
    // memcached's own default: items of 1 MiB, less than a value may have.
    let server = Memcached::start_with(&["-I", "1m"]);
    let cache = connect_as_configured(config(), &server).await;
    let acme = acme(&cache);
    acme.set("k", "old".into(), None).await.expect("set");
    let noise = crate::harness::noise(1024 * 1024);
    let error = acme.set("k", noise.clone().into(), None).await.expect_err("too large for the server");
    let limit = error.limit_bytes().expect("it says the limit");
    assert!(error.is_value_too_large() && limit < 1024 * 1024, "{error}");
    assert_eq!(acme.get("k").await.expect("get"), Some("old".into()));
    acme.set("k", noise[..limit].to_vec().into(), None).await.expect("the limit is one that can be kept to");
}
