//! A `clear` on one host, seen from another that had read the old generation; and records that are lost or
//! spoilt.

use std::time::Duration;

use strongroom_host::backend::Memory;
use strongroom_host::limits::GENERATIONS_MAX;
use strongroom_host::{Cache, Clock, Config, Flags, Kind, Partition, ScopedCache, SwapOutcome};

use crate::harness::connect;
use crate::memcached::Memcached;

/// Short, so that the tests are; far longer than one operation takes.
const GENERATION_TTL: Duration = Duration::from_millis(400);

async fn host(server: &Memcached) -> Cache {
    connect(Config::new().generation_ttl(GENERATION_TTL).expect("valid"), server).await
}

fn stack() -> Partition {
    Partition::service("tests").and_then(|service| service.stack("acme")).expect("valid")
}

fn open(cache: &Cache) -> ScopedCache {
    cache.open(&stack(), None).expect("opens")
}

async fn generation_passes() {
    tokio::time::sleep(GENERATION_TTL + Duration::from_millis(50)).await;
}

/// The keys of all generation numbers on the server.
fn records(server: &Memcached) -> Vec<String> {
    let keys = server.dump().into_iter().map(|(key, _)| key);
    let is_record = |key: &String| {
        let (flags, data) = server.item(key).expect("it is there");
        flags == Flags::entry(Kind::Bytes, 0).0 && data.len() == 8
    };
    keys.filter(is_record).collect()
}

#[tokio::test]
async fn every_operation_follows_another_hosts_clear() {
    let server = Memcached::start();
    let (here, there) = (host(&server).await, host(&server).await);
    let warm = open(&here);
    let expected = warm.get_versioned("none").await.expect("reachable");
    assert_eq!(expected, None);
    for key in ["read", "many", "added", "replaced", "deleted", "touched", "swapped", "fetched"] {
        warm.set(key, "old".into(), None).await.expect("set");
    }
    warm.increment("counted", 1, 41, None).await.expect("increment");
    let (_, version) = warm.get_versioned("swapped").await.expect("reachable").expect("set");

    there.clear(&stack()).await.expect("clear");
    // Each of these is the first that this host asks after the time is over; all run at once, so that none is
    // served by what another one has read.
    generation_passes().await;
    let (read, many, added, replaced, deleted, touched, swapped, counted) = tokio::join!(
        warm.get("read"),
        warm.get_many(&["many", "many"]),
        warm.add("added", "new".into(), None),
        warm.replace("replaced", "new".into(), None),
        warm.delete("deleted"),
        warm.touch("touched", Some(60)),
        warm.swap("swapped", "new".into(), version, None),
        warm.increment("counted", 1, 7, None),
    );
    assert_eq!(read.expect("reachable"), None);
    assert_eq!(many.expect("reachable"), [None, None]);
    assert!(added.expect("reachable"));
    assert!(!replaced.expect("reachable"));
    assert!(!deleted.expect("reachable"));
    assert!(!touched.expect("reachable"));
    assert_eq!(swapped.expect("reachable"), SwapOutcome::Missing);
    assert_eq!(counted.expect("reachable"), 7);
    assert_eq!(open(&there).get("added").await.expect("reachable"), Some("new".into()), "under the new one");
}

#[tokio::test]
async fn this_hosts_own_clear_is_seen_at_once() {
    let server = Memcached::start();
    let here = host(&server).await;
    let (first, second) = (open(&here), open(&here));
    for _ in 0..20 {
        first.set("k", "old".into(), None).await.expect("set");
        assert_eq!(second.get("k").await.expect("get"), Some("old".into()));
        first.clear().await.expect("clear");
        assert_eq!(first.get("k").await.expect("get"), None);
        assert_eq!(second.get("k").await.expect("get"), None);
    }
}

#[tokio::test]
async fn entries_whose_generation_was_lost_never_come_back() {
    let server = Memcached::start();
    let (here, there) = (host(&server).await, host(&server).await);
    let (warm, other) = (open(&here), open(&there));
    warm.set("k", "old".into(), None).await.expect("set");
    assert_eq!(other.get("k").await.expect("get"), Some("old".into()));
    for key in records(&server) {
        server.delete(&key);
    }
    generation_passes().await;
    assert_eq!(warm.get("k").await.expect("get"), None);
    assert_eq!(other.get("k").await.expect("get"), None);
    warm.set("k", "new".into(), None).await.expect("set");
    assert_eq!(other.get("k").await.expect("get"), Some("new".into()), "both follow the same new number");
}

#[tokio::test]
async fn a_spoilt_record_is_replaced() {
    let server = Memcached::start();
    let here = host(&server).await;
    let warm = open(&here);
    for spoil in [&b""[..], &[0; 8], &[1; 7], &[1; 9], &[1; 5000]] {
        warm.set("k", "old".into(), None).await.expect("set");
        for key in records(&server) {
            server.put(&key, Flags::entry(Kind::Bytes, 0).0, spoil);
        }
        generation_passes().await;
        assert_eq!(warm.get("k").await.expect("get"), None, "{} bytes", spoil.len());
        warm.set("k", "new".into(), None).await.expect("set");
        assert_eq!(warm.get("k").await.expect("get"), Some("new".into()));
    }
}

/// The last number that there is has no next one. Whoever puts it there must not have made the cache useless
/// for ever.
#[tokio::test]
async fn a_planted_number_at_the_end_of_all_numbers_is_replaced() {
    let server = Memcached::start();
    let (here, there) = (host(&server).await, host(&server).await);
    let (warm, other) = (open(&here), open(&there));
    for planted in [(1 << 63) - 1, 1 << 63, u64::MAX, (1 << 63) - (1 << 20)] {
        warm.set("k", "old".into(), None).await.expect("set");
        for key in records(&server) {
            server.put(&key, Flags::entry(Kind::Bytes, 0).0, &planted.to_be_bytes());
        }
        generation_passes().await;
        for round in 0..3 {
            assert_eq!(warm.get("k").await.expect("get"), None, "{planted}, {round}");
            warm.set("k", "new".into(), None).await.expect("set");
            assert_eq!(other.get("k").await.expect("get"), Some("new".into()), "{planted}, {round}");
            here.clear(&stack()).await.expect("clear");
            generation_passes().await;
            assert_eq!(other.get("k").await.expect("get"), None, "{planted}, {round}");
        }
    }
}

/// A caller who goes away leaves a clear that may have happened. Its host must not go on as if it had not.
#[tokio::test]
async fn a_clear_that_is_given_up_in_its_middle_is_seen_by_its_host_where_it_happened() {
    let server = Memcached::start();
    let never = Config::new().generation_ttl(Duration::from_secs(60)).expect("valid");
    let warm = open(&connect(never, &server).await);
    let mut halves = 0;
    for polls in (0..4).cycle().take(24) {
        warm.set("k", "v".into(), None).await.expect("set");
        let mut clear = Box::pin(warm.clear());
        let mut is_done = false;
        for _ in 0..polls {
            is_done = is_done || futures_util::poll!(&mut clear).is_ready();
            // So that what was asked is answered.
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        drop(clear);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let found = open(&host(&server).await).get("k").await.expect("get");
        assert_eq!(warm.get("k").await.expect("get"), found, "after {polls} polls");
        halves += u32::from(found.is_none() && !is_done);
    }
    assert_ne!(halves, 0, "some happened, and nobody was told");
}

/// More namespaces are opened than a host remembers, between a handle's last read and a `clear` by another
/// one.
#[tokio::test]
async fn a_clear_reaches_handles_of_its_host_that_were_open_before_a_flood_of_names() {
    let cache = Cache::with_backend(
        Config::new().generation_ttl(Duration::from_secs(60)).expect("valid"),
        std::sync::Arc::new(Memory::new(64 << 20, Clock::system())),
    );
    let cache = cache.expect("settings that go together");
    let before = open(&cache);
    before.set("key", "old".into(), None).await.expect("reachable");
    let flood = Partition::service("tests").and_then(|service| service.stack("globex")).expect("valid");
    // What is asked for twice pushes out what was asked for once.
    for number in 0..GENERATIONS_MAX * 2 {
        for _ in 0..2 {
            cache.open(&flood, Some(&number.to_string())).expect("opens");
        }
    }
    open(&cache).clear().await.expect("reachable");
    assert_eq!(before.get("key").await.expect("reachable"), None);

    before.set("key", "old".into(), None).await.expect("reachable");
    cache.clear(&stack()).await.expect("reachable");
    assert_eq!(before.get("key").await.expect("reachable"), None);
}
