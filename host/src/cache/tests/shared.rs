//! What stacks share in the scope of their service: one that floods it and its server holds up no other for
//! long. In virtual time, on a backend that takes its time.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::slow::{Slow, WAY, config};
use crate::cache::{Cache, Fetched, ScopedCache};
use crate::config::Config;
use crate::ctx::CacheCtx;
use crate::limits::{QUIET_OPERATIONS_MAX, REFRESHES_MAX, SERVER_SLOTS};
use crate::scope::{Grants, Scope};

const KEY: &str = "base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// What one operation may take.
const TIME: Duration = Duration::from_secs(60);

/// What an operation of a quiet stack takes at most: the patience with others, and its own exchanges.
const PROMPT: Duration = TIME.checked_div(8).expect("not zero");

/// More than a server serves at once, many times.
const FLOOD: usize = 8 * SERVER_SLOTS;

fn sealed() -> Config {
    config().encryption_key(KEY).expect("a key")
}

/// A service's cache, as a guest of the stack opens it.
fn shared_by(host: &Cache, stack: &str, namespace: Option<&str>) -> ScopedCache {
    let grants = Grants::default().with(Scope::Service);
    let ctx = CacheCtx::builder(host).service("fx").stack(stack).grants(grants);
    ctx.build().and_then(|ctx| ctx.open(Scope::Service, namespace)).expect("it is granted")
}

/// Calls all at once, which are under way when this answers.
async fn flood<F>(call: impl Fn(usize) -> F) -> Vec<JoinHandle<F::Output>>
where
    F: Future<Output: Send> + Send + 'static,
{
    let crowd = (0..FLOOD).map(|number| tokio::spawn(call(number))).collect();
    tokio::task::yield_now().await;
    crowd
}

async fn prompt<T>(call: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let answer = call.await;
    assert!(begun.elapsed() < PROMPT, "it took {:?}", begun.elapsed());
    answer
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_floods_a_shared_counter_and_its_server_keeps_no_other_from_counting() {
    let slow = Slow::new(1);
    let host = slow.host_within(sealed(), TIME);
    let (noisy, quiet) = (shared_by(&host, "noisy", None), shared_by(&host, "quiet", None));
    assert_eq!(quiet.increment("n", 1, 1000, None).await.expect("reachable"), 1000);
    let crowd = flood(|number| {
        let noisy = noisy.clone();
        async move {
            match number % 2 {
                0 => noisy.increment("n", 1, 0, None).await.is_ok(),
                _ => {
                    drop(noisy.get(&number.to_string()).await);
                    false
                }
            }
        }
    })
    .await;
    // One after the other, and as many at once as a quiet stack has.
    for _ in 0..5 {
        prompt(quiet.increment("n", 1, 0, None)).await.expect("its turn comes");
    }
    let at_once = (0..QUIET_OPERATIONS_MAX).map(|_| prompt(quiet.increment("n", 1, 0, None)));
    assert!(join_all(at_once).await.iter().all(Result::is_ok), "their turn comes");
    let mut counted = 0;
    for call in crowd {
        counted += u64::from(call.await.expect("no panic"));
    }
    assert!(counted > 0, "the noisy one counts as well");
    let quiets = 1005 + QUIET_OPERATIONS_MAX as u64;
    let sum = quiet.increment("n", 0, 0, None).await.expect("reachable");
    assert!(sum >= quiets + counted, "{sum} after {counted} and {quiets}: some were lost");
}

#[tokio::test(start_paused = true)]
async fn four_hundred_stacks_count_with_one_counter_at_once_and_none_is_lost() {
    let slow = Slow::new(2);
    let host = slow.host_within(sealed(), TIME);
    let stacks: Vec<_> = (0..400).map(|number| shared_by(&host, &format!("stack {number}"), None)).collect();
    stacks[0].increment("n", 1, 0, None).await.expect("reachable");
    let counted = join_all(stacks.iter().map(|stack| stack.increment("n", 1, 0, None))).await;
    let failed = counted.iter().filter(|counted| counted.is_err()).count();
    assert_eq!(failed, 0, "of 400 gave up");
    assert_eq!(stacks[0].get("n").await.expect("reachable"), Some(400.into()));
}

#[tokio::test(start_paused = true)]
async fn a_stack_for_which_numbers_are_always_old_keeps_no_other_from_reading_them() {
    let slow = Slow::new(3);
    let host = slow.host_within(config().generation_ttl(Duration::from_nanos(1)).expect("allowed"), TIME);
    let (noisy, quiet) = (shared_by(&host, "noisy", None), shared_by(&host, "quiet", None));
    quiet.set("k", 1.into(), None).await.expect("reachable");
    let crowd = flood(|number| {
        let noisy = noisy.clone();
        async move { noisy.get(&number.to_string()).await.is_ok() }
    })
    .await;
    for _ in 0..5 {
        assert_eq!(prompt(quiet.get("k")).await.expect("reachable"), Some(1.into()));
    }
    crowd.iter().for_each(JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_namespaces_of_one_stack_is_not_sent_past_the_queue() {
    let slow = Slow::new(4);
    // So that the patience with others is over before most have had a slot.
    let host = slow.host_within(config(), TIME / 30);
    let quiet = shared_by(&host, "quiet", None);
    quiet.set("k", 1.into(), None).await.expect("reachable");
    let crowd = flood(|number| {
        let noisy = shared_by(&host, "noisy", Some(&number.to_string()));
        async move { noisy.get("k").await.is_ok() }
    })
    .await;
    let mut answered = 0;
    for call in crowd {
        answered += usize::from(call.await.expect("no panic"));
    }
    assert!(answered > 0);
    let most = slow.most_at_once();
    assert!((SERVER_SLOTS..=SERVER_SLOTS + REFRESHES_MAX).contains(&most), "{most} at once");
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_waits_for_a_value_and_floods_the_server_keeps_no_other_from_getting_it() {
    let slow = Slow::new(5);
    let [host, elsewhere] = [(); 2].map(|()| slow.host_within(config(), TIME));
    let (noisy, quiet) = (shared_by(&host, "noisy", None), shared_by(&host, "quiet", None));
    let Ok(Fetched::Vacant(mut fill)) = shared_by(&elsewhere, "other", None).fetch("k", 0, WAY).await else {
        panic!("there is none")
    };
    let wait = Duration::from_secs(30);
    let waits = noisy.clone();
    let waiter = tokio::spawn(async move { waits.fetch("k", 0, wait).await.is_ok() });
    tokio::time::sleep(WAY * 8).await;
    let crowd = flood(|number| {
        let noisy = noisy.clone();
        async move { noisy.get(&number.to_string()).await.is_ok() }
    })
    .await;
    let asked = tokio::spawn(async move { quiet.fetch("k", 0, wait).await });
    tokio::time::sleep(WAY * 8).await;
    assert!(fill.complete("v".into(), None).await.expect("reachable"));
    let fetched = prompt(asked).await.expect("no panic").expect("reachable");
    assert!(matches!(fetched, Fetched::Hit(value) if value == "v".into()));
    waiter.abort();
    crowd.iter().for_each(JoinHandle::abort);
}
