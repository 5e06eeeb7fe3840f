//! Fetches and fills as their callers meet them, in virtual time on a backend that takes its time.

mod bounds;
mod interleavings;

use super::*;
use crate::cache::Cache;
use crate::cache::tests::slow::{Slow, WAY, config};
use crate::config::{Config, OnUnavailable};
use crate::scope::Partition;

/// What one look takes at most: three exchanges, beside the generation numbers.
const LOOK: Duration = WAY.saturating_mul(8);

const LEASE: Duration = Duration::from_secs(10);

/// Nobody here asks for less than this.
const WAIT: Duration = Duration::from_secs(5);

fn acme(cache: &Cache) -> ScopedCache {
    let partition = Partition::service("fx").and_then(|service| service.stack("acme"));
    cache.open(&partition.expect("valid"), None).expect("opens")
}

fn host() -> (Arc<Slow>, ScopedCache) {
    let slow = Slow::new(1);
    let cache = acme(&slow.host(config()));
    (slow, cache)
}

async fn vacant(cache: &ScopedCache) -> Fill {
    match cache.fetch("k", 60, Duration::ZERO).await.expect("reachable") {
        Fetched::Vacant(fill) => fill,
        other => panic!("{other:?}"),
    }
}

/// Stores a value for two seconds with a grace of a minute, and lets the two seconds pass.
async fn stale(cache: &ScopedCache) {
    assert!(vacant(cache).await.complete("old".into(), Some(2)).await.expect("reachable"));
    tokio::time::sleep(Duration::from_secs(3)).await;
}

fn is_stale(fetched: &Fetched) -> bool {
    matches!(fetched, Fetched::Stale(value) if *value == "old".into())
}

#[tokio::test(start_paused = true)]
async fn of_many_callers_one_computes_and_the_others_get_its_value() {
    let (slow, here) = host();
    let there = acme(&slow.host(config()));
    let callers: Vec<_> = (0..200)
        .map(|number| {
            let cache = if number % 2 == 0 { here.clone() } else { there.clone() };
            tokio::spawn(async move {
                match cache.fetch("k", 0, WAIT).await.expect("reachable") {
                    Fetched::Vacant(mut fill) => {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        assert!(fill.complete("v".into(), None).await.expect("reachable"));
                        1
                    }
                    Fetched::Hit(value) => {
                        assert_eq!(value, "v".into());
                        0
                    }
                    other => panic!("{other:?}"),
                }
            })
        })
        .collect();
    let mut computed = 0;
    for caller in callers {
        computed += caller.await.expect("no panic");
    }
    assert_eq!(computed, 1);
}

#[tokio::test(start_paused = true)]
async fn waiters_are_told_when_the_value_is_there_and_not_later() {
    let (_slow, cache) = host();
    let mut fill = vacant(&cache).await;
    let waiter = cache.clone();
    let waiter = tokio::spawn(async move {
        let fetched = waiter.fetch("k", 0, WAIT).await.expect("reachable");
        assert!(matches!(fetched, Fetched::Hit(_)));
        Instant::now()
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(fill.complete("v".into(), None).await.expect("reachable"));
    assert_eq!(waiter.await.expect("no panic"), Instant::now());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_it_said() {
    let (_slow, cache) = host();
    let _fill = vacant(&cache).await;
    for wait in [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(700)] {
        let begun = Instant::now();
        assert!(matches!(cache.fetch("k", 0, wait).await.expect("reachable"), Fetched::Busy));
        assert!(begun.elapsed() >= wait && begun.elapsed() <= wait + LOOK, "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_fill_of_one_tenant_is_nothing_to_another() {
    let slow = Slow::new(1);
    let host = slow.host(config());
    let mine = acme(&host);
    let service = Partition::service("fx").expect("valid");
    let globex = host.open(&service.stack("globex").expect("valid"), None).expect("opens");
    let namespace = host.open(&service.stack("acme").expect("valid"), Some("k")).expect("opens");
    let mut fill = vacant(&mine).await;
    for other in [&globex, &namespace] {
        let begun = Instant::now();
        let Ok(Fetched::Vacant(theirs)) = other.fetch("k", 0, WAIT).await else {
            panic!("nobody computes it")
        };
        assert!(begun.elapsed() <= LOOK, "it waited for another tenant");
        theirs.abandon().await.expect("reachable");
        other.delete("k").await.expect("reachable");
        other.clear().await.expect("reachable");
    }
    assert!(fill.complete("mine".into(), None).await.expect("reachable"), "it was ended by another tenant");
    assert!(matches!(globex.fetch("k", 0, Duration::ZERO).await.expect("reachable"), Fetched::Vacant(_)));
}

#[tokio::test(start_paused = true)]
async fn a_value_is_not_kept_for_those_who_do_not_wait() {
    let cache = acme(&Cache::in_memory());
    let _lost = vacant(&cache).await;
    cache.delete("k").await.expect("reachable");
    let bytes = bytes::Bytes::from(vec![7; 1 << 20]);
    let mut fill = vacant(&cache).await;
    assert!(fill.complete(Value::Bytes(bytes.clone()), None).await.expect("reachable"));
    drop(fill);
    cache.delete("k").await.expect("reachable");
    assert!(bytes.is_unique(), "a lost fill keeps it");
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_is_lost_keeps_nobody_from_the_value() {
    let (slow, here) = host();
    let there = acme(&slow.host(config()));
    let _lost = vacant(&here).await;
    there.delete("k").await.expect("reachable");
    let mut fill = vacant(&there).await;
    let waiter = here.clone();
    let waiter = tokio::spawn(async move { waiter.fetch("k", 0, WAIT).await.expect("reachable") });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(fill.complete("v".into(), None).await.expect("reachable"));
    let begun = Instant::now();
    let fetched = waiter.await.expect("no panic");
    assert!(matches!(fetched, Fetched::Hit(_)), "{fetched:?}");
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn failures_of_long_ago_let_nobody_go() {
    let (_slow, cache) = host();
    let _lost = vacant(&cache).await;
    cache.delete("k").await.expect("reachable");
    for _ in 0..12 {
        vacant(&cache).await.abandon().await.expect("reachable");
    }
    let _good = vacant(&cache).await;
    let begun = Instant::now();
    assert!(matches!(cache.fetch("k", 0, WAIT).await, Ok(Fetched::Busy)));
    assert!(begun.elapsed() >= WAIT, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_dropped_goes_to_whoever_waits() {
    let (_slow, cache) = host();
    let fill = vacant(&cache).await;
    let waiter = cache.clone();
    let waiter = tokio::spawn(async move { waiter.fetch("k", 0, WAIT).await.expect("reachable") });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    drop(fill);
    assert!(matches!(waiter.await.expect("no panic"), Fetched::Vacant(_)));
    assert!(begun.elapsed() <= LOOK);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_while_it_asks_leaves_nothing_behind() {
    let (_slow, cache) = host();
    for milliseconds in 0..100 {
        let fetch = cache.fetch("k", 0, Duration::ZERO);
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), fetch).await;
        // Long before a lease would be over.
        tokio::time::sleep(LOOK).await;
        let fill = vacant(&cache).await;
        fill.abandon().await.expect("reachable");
    }
}

#[tokio::test(start_paused = true)]
async fn a_winner_that_is_never_heard_of_again_blocks_nobody_for_longer_than_its_lease() {
    let (slow, cache) = host();
    std::mem::forget(vacant(&cache).await);
    let begun = Instant::now();
    let elsewhere = acme(&slow.host(config()));
    let (here, there) = tokio::join!(
        cache.fetch("k", 0, Duration::from_secs(15)),
        elsewhere.fetch("k", 0, Duration::from_secs(15))
    );
    let both = [here.expect("reachable"), there.expect("reachable")];
    assert!(begun.elapsed() >= LEASE - LOOK);
    let fills = both.iter().filter(|fetched| matches!(fetched, Fetched::Vacant(_))).count();
    assert_eq!(fills, 1, "{both:?}");
}

#[tokio::test(start_paused = true)]
async fn a_right_whose_lease_is_over_stores_nothing() {
    let (_slow, cache) = host();
    let mut late = vacant(&cache).await;
    tokio::time::sleep(LEASE).await;
    assert!(!late.complete("late".into(), None).await.expect("reachable"));
    assert_eq!(cache.get("k").await.expect("reachable"), None);
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_or_written_or_cleared_meanwhile_is_not_overwritten() {
    let (_slow, cache) = host();
    let mut fill = vacant(&cache).await;
    cache.delete("k").await.expect("reachable");
    assert!(!fill.complete("late".into(), None).await.expect("reachable"));
    assert_eq!(cache.get("k").await.expect("reachable"), None);

    let mut fill = vacant(&cache).await;
    cache.set("k", "set".into(), None).await.expect("reachable");
    assert!(!fill.complete("late".into(), None).await.expect("reachable"));
    assert_eq!(cache.get("k").await.expect("reachable"), Some("set".into()));

    cache.delete("k").await.expect("reachable");
    let mut fill = vacant(&cache).await;
    cache.clear().await.expect("reachable");
    assert!(!fill.complete("late".into(), None).await.expect("reachable"));
    assert_eq!(cache.get("k").await.expect("reachable"), None);
}

#[tokio::test(start_paused = true)]
async fn a_fill_completes_once_and_may_try_again_after_a_failure() {
    let (slow, cache) = host();
    let mut fill = vacant(&cache).await;
    slow.fail(true);
    assert!(fill.complete("v".into(), None).await.expect_err("down").is_transient());
    slow.fail(false);
    assert!(fill.complete("v".into(), Some(0)).await.expect_err("no lifetime").is_invalid_ttl());
    assert!(fill.complete("v".into(), None).await.expect("reachable"));
    assert!(!fill.complete("w".into(), None).await.expect("reachable"));
    assert_eq!(cache.get("k").await.expect("reachable"), Some("v".into()));
}

#[tokio::test(start_paused = true)]
async fn within_its_grace_a_value_is_served_to_all_while_one_refreshes_it() {
    let (slow, here) = host();
    let there = acme(&slow.host(config()));
    stale(&here).await;
    assert_eq!(here.get("k").await.expect("reachable"), None, "a plain read has no grace");
    let first = here.fetch("k", 60, Duration::ZERO).await.expect("reachable");
    let Fetched::Refresh(value, mut fill) = first else { panic!("{first:?}") };
    assert_eq!(value, "old".into());
    for cache in [&here, &there] {
        assert!(is_stale(&cache.fetch("k", 60, WAIT).await.expect("reachable")));
    }
    assert!(fill.complete("new".into(), None).await.expect("reachable"));
    for cache in [&here, &there] {
        let fetched = cache.fetch("k", 60, WAIT).await.expect("reachable");
        assert!(matches!(&fetched, Fetched::Hit(value) if *value == "new".into()), "{fetched:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_is_given_back_goes_to_the_next_and_one_that_dies_ends_with_its_lease() {
    let (slow, here) = host();
    let there = acme(&slow.host(config()));
    stale(&here).await;
    let refresh = async |cache: &ScopedCache| cache.fetch("k", 60, Duration::ZERO).await.expect("reachable");
    let Fetched::Refresh(_, fill) = refresh(&here).await else { panic!("the first") };
    fill.abandon().await.expect("reachable");
    let Fetched::Refresh(_, fill) = refresh(&there).await else { panic!("given back") };
    std::mem::forget(fill);
    assert!(is_stale(&refresh(&here).await));
    tokio::time::sleep(LEASE).await;
    assert!(matches!(refresh(&here).await, Fetched::Refresh(..)));
}

/// As where the lock is on another server than the entry.
#[tokio::test(start_paused = true)]
async fn where_the_lock_can_not_be_reached_each_host_refreshes_for_itself_and_one_stores() {
    let (slow, here) = host();
    let there = acme(&slow.host(config()));
    stale(&here).await;
    slow.fail_all_but(here.storage_key("k").await.expect("reachable"));
    let mut fills = Vec::new();
    for cache in [&here, &there] {
        let fetched = cache.fetch("k", 60, Duration::ZERO).await.expect("reachable");
        let Fetched::Refresh(_, fill) = fetched else { panic!("{fetched:?}") };
        assert!(is_stale(&cache.fetch("k", 60, Duration::ZERO).await.expect("reachable")));
        fills.push(fill);
    }
    let mut stored = 0;
    for mut fill in fills {
        stored += u32::from(fill.complete("new".into(), None).await.expect("reachable"));
    }
    assert_eq!(stored, 1);
}

#[tokio::test(start_paused = true)]
async fn a_value_past_its_grace_is_computed_anew() {
    let (_slow, cache) = host();
    stale(&cache).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    vacant(&cache).await.abandon().await.expect("reachable");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_over_an_entry_that_is_deleted_meanwhile_is_lost() {
    let (_slow, cache) = host();
    stale(&cache).await;
    let fetched = cache.fetch("k", 60, Duration::ZERO).await.expect("reachable");
    let Fetched::Refresh(_, mut fill) = fetched else { panic!("{fetched:?}") };
    cache.delete("k").await.expect("reachable");
    assert!(!fill.complete("late".into(), None).await.expect("reachable"));
    vacant(&cache).await.abandon().await.expect("reachable");
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_can_not_be_opened_is_computed_once() {
    let slow = Slow::new(1);
    let keyed = |byte: &str| config().encryption_key(&format!("base64:{}=", byte.repeat(43))).expect("a key");
    let ours = slow.host(keyed("A"));
    let (mine, theirs) = (acme(&ours), acme(&slow.host(keyed("E"))));
    theirs.set("k", "sealed".into(), None).await.expect("reachable");
    let mut fill = vacant(&mine).await;
    let unopened: u64 = ours.stats().unopened.iter().map(|(_, count)| count).sum();
    assert_eq!(unopened, 1, "counted once");
    assert!(matches!(mine.fetch("k", 0, Duration::ZERO).await.expect("reachable"), Fetched::Busy));
    assert!(fill.complete("v".into(), None).await.expect("reachable"));
    assert_eq!(mine.get("k").await.expect("reachable"), Some("v".into()));
}

#[tokio::test(start_paused = true)]
async fn while_the_backend_is_down_a_fetch_fails_or_is_busy_as_configured() {
    let slow = Slow::new(1);
    let strict = acme(&slow.host(config()));
    let lenient = acme(&slow.host(config().on_unavailable(OnUnavailable::Miss)));
    vacant(&strict).await.abandon().await.expect("reachable");
    slow.fail(true);
    assert!(strict.fetch("k", 0, WAIT).await.expect_err("down").is_unavailable());
    assert!(matches!(lenient.fetch("k", 0, WAIT).await.expect("a miss"), Fetched::Busy));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_dropped_outside_of_the_runtime_gives_its_fills_back() {
    let (_slow, cache) = host();
    let fill = vacant(&cache).await;
    std::thread::spawn(move || drop(fill)).join().expect("no panic");
    tokio::time::sleep(LOOK).await;
    vacant(&cache).await.abandon().await.expect("reachable");
}

#[tokio::test(start_paused = true)]
async fn lifetimes_of_what_is_filled_differ_by_chance() {
    let slow = Slow::new(1);
    let cache = acme(&slow.host(Config::new()));
    for number in 0..50 {
        let Ok(Fetched::Vacant(mut fill)) = cache.fetch(&number.to_string(), 0, Duration::ZERO).await else {
            panic!("vacant");
        };
        assert!(fill.complete("v".into(), Some(10_000)).await.expect("reachable"));
    }
    let count = async || {
        let keys: Vec<_> = (0..50).map(|number| number.to_string()).collect();
        cache.get_many(&keys).await.expect("reachable").iter().flatten().count()
    };
    tokio::time::sleep(Duration::from_secs(9_450)).await;
    assert_eq!(count().await, 50, "by 5 percent, unless configured");
    tokio::time::sleep(Duration::from_secs(300)).await;
    let half = count().await;
    assert!((5..45).contains(&half), "{half}");
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(count().await, 0);
}
