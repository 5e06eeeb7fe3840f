//! Noisy neighbours: what one stack does, and what another one notices of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use strongroom_host::limits::SERVER_SLOTS;
use strongroom_host::{Cache, CacheCtx, Config, Fetched, InvocationLimits, Quota, Scope, ScopedCache};
use tokio::task::JoinSet;

use crate::harness::connect;
use crate::limits::number;
use crate::memcached::Memcached;

const FLOOD: u32 = 10_000;

/// What is at the server when the first quiet call comes is not overtaken; others may be answered while it is
/// on its way.
const OVERTAKEN_MAX: u32 = 2 * SERVER_SLOTS as u32;

fn ctx(cache: &Cache, stack: &str) -> CacheCtx {
    CacheCtx::builder(cache).service("tests").stack(stack).build().expect("valid")
}

fn open(cache: &Cache, stack: &str) -> ScopedCache {
    ctx(cache, stack).open(Scope::Stack, None).expect("it is granted")
}

/// Calls all at once, and counts the answers.
fn flood(scoped: &ScopedCache, answered: &Arc<AtomicU32>) -> JoinSet<()> {
    let mut calls = JoinSet::new();
    for key in 0..FLOOD {
        let (scoped, answered) = (scoped.clone(), Arc::clone(answered));
        calls.spawn(async move {
            scoped.get(&key.to_string()).await.expect("the server is there");
            answered.fetch_add(1, Ordering::SeqCst);
        });
    }
    calls
}

#[tokio::test]
async fn a_noisy_neighbours_queue_is_not_in_front_of_anothers_operation() {
    let server = Memcached::start();
    let cache = connect(Config::new(), &server).await;
    let (noisy, quiet) = (open(&cache, "noisy"), open(&cache, "quiet"));
    noisy.set("0", "noisy's".into(), None).await.expect("set");
    quiet.set("key", "quiet's".into(), None).await.expect("set");

    let answered = Arc::new(AtomicU32::new(0));
    let mut calls = flood(&noisy, &answered);
    let mut asked = 0;
    // One thread runs all of them, some dozens before it comes back to this.
    while answered.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    while answered.load(Ordering::SeqCst) + OVERTAKEN_MAX < FLOOD {
        let before = answered.load(Ordering::SeqCst);
        assert_eq!(quiet.get("key").await.expect("get"), Some("quiet's".into()));
        let overtaken = answered.load(Ordering::SeqCst) - before;
        assert!(overtaken <= OVERTAKEN_MAX, "{overtaken} of {FLOOD} operations were in front");
        asked += 1;
    }
    assert!(asked >= 5, "{asked}");
    while let Some(call) = calls.join_next().await {
        call.expect("it does not panic");
    }
    assert_eq!(answered.load(Ordering::SeqCst), FLOOD, "and the noisy one loses nothing");
}

#[tokio::test]
async fn a_neighbour_at_its_quota_is_refused_and_the_others_are_not() {
    let server = Memcached::start();
    let quota = Quota::UNLIMITED.operations_per_second(number(100));
    let config = Config::new().quota(quota);
    let slow = Quota::UNLIMITED.bytes_written_per_second(number(1));
    let cache = connect(config.stack_quota("slow", slow).expect("a stack"), &server).await;
    let (noisy, quiet) = (open(&cache, "noisy"), open(&cache, "quiet"));
    let mut calls = JoinSet::new();
    for key in 0..1000 {
        let noisy = noisy.clone();
        calls.spawn(async move { noisy.get(&key.to_string()).await });
    }
    quiet.set("key", "quiet's".into(), None).await.expect("its own quota is whole");
    let refused = calls.join_all().await.into_iter().filter_map(Result::err);
    let refused: Vec<_> = refused.inspect(|error| assert!(error.is_quota_exceeded(), "{error}")).collect();
    // All but a second's worth (of which one has opened the cache), and what came back meanwhile.
    assert!((1..=901).contains(&refused.len()), "{}", refused.len());
    assert!(refused.iter().all(|error| error.retry_after().is_some() && error.is_transient()));
    assert_eq!(cache.stats().refused, refused.len() as u64);
    assert_eq!(cache.stats().failures, 0, "nothing was wrong with the server");

    let large = || vec![7; 2 * 1024 * 1024].into();
    let slow = open(&cache, "slow");
    slow.set("first", large(), None).await.expect("one value can be written at any rate");
    assert!(slow.set("second", large(), None).await.expect_err("no more can").is_quota_exceeded());
    assert_eq!(slow.get("second").await.expect("get"), None, "nothing was changed");
    let other_scope = ctx(&cache, "slow").open(Scope::Stack, Some("namespace")).expect("opens");
    let batch = vec![("a".to_owned(), large())];
    assert!(other_scope.set_many(batch, None).await.expect_err("it is the same stack").is_quota_exceeded());
    let host =
        cache.open(&strongroom_host::Partition::service("tests").expect("valid"), None).expect("opens");
    for _ in 0..200 {
        host.get("key").await.expect("the host's own operations are not counted");
    }
}

#[tokio::test]
async fn who_waits_for_a_fill_counts_as_under_way() {
    let quota = Quota::UNLIMITED.concurrent_operations(number(1));
    let memory = strongroom_host::backend::Memory::new(1 << 20, strongroom_host::Clock::system());
    let cache = Cache::with_backend(Config::new().quota(quota), Arc::new(memory)).expect("they go together");
    let acme = open(&cache, "acme");
    let Ok(Fetched::Vacant(mut fill)) = acme.fetch("key", 0, Duration::ZERO).await else {
        panic!("it is vacant")
    };
    let waiting = tokio::spawn({
        let acme = acme.clone();
        async move { acme.fetch("key", 0, Duration::from_secs(20)).await }
    });
    tokio::task::yield_now().await;
    assert!(acme.get("key").await.expect_err("one is under way").is_quota_exceeded());
    assert!(fill.complete("x".into(), None).await.expect("those who wait for it don't keep it from that"));
    let Ok(Ok(Fetched::Hit(_))) = waiting.await else { panic!("it has come") };
    assert_eq!(acme.get("key").await.expect("get"), Some("x".into()));
}

#[tokio::test]
async fn fills_count_as_handles_while_they_are_held() {
    let cache = Cache::in_memory();
    let limits = InvocationLimits::UNLIMITED.handles(number(3)).time(Duration::from_secs(3600));
    let ctx = CacheCtx::builder(&cache).service("tests").stack("acme").limits(limits).build().expect("valid");
    let acme = ctx.open(Scope::Stack, None).expect("the first");
    let first = acme.fetch("first", 0, Duration::ZERO).await.expect("the second");
    let second = acme.fetch("second", 0, Duration::ZERO).await.expect("the third");
    let error = acme.fetch("third", 0, Duration::ZERO).await.expect_err("one too many");
    assert!(error.is_too_many_handles() && !error.is_transient(), "{error}");
    assert!(ctx.open(Scope::Session, None).is_err_and(|error| error.is_no_such_scope()));
    assert!(ctx.clone().open(Scope::Stack, None).is_err_and(|error| error.is_too_many_handles()));
    drop(first);
    let third = acme.fetch("third", 0, Duration::from_secs(20)).await.expect("there is room");
    assert!(matches!(third, Fetched::Vacant(_)), "what was one too many was given back");
    drop((second, third));
}
