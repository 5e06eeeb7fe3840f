//! Sealed counters that more stacks share, in virtual time on a backend that takes its time.

use std::time::Duration;

use tokio::time::Instant;

use crate::cache::tests::slow::{Slow, config};
use crate::cache::{Cache, ScopedCache};
use crate::ctx::CacheCtx;
use crate::limits::SERVER_SLOTS;
use crate::scope::{Grants, Scope};

const KEY: &str = "base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// What one operation may take.
const TIME: Duration = Duration::from_secs(10);

/// The service's cache, as a guest of the stack opens it.
fn shared_by(host: &Cache, stack: &str) -> ScopedCache {
    let grants = Grants::default().with(Scope::Service);
    let ctx = CacheCtx::builder(host).service("fx").stack(stack).grants(grants);
    ctx.build().and_then(|ctx| ctx.open(Scope::Service, None)).expect("it is granted")
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_floods_a_shared_counter_and_its_server_keeps_no_other_from_counting() {
    let slow = Slow::new(1);
    let host = slow.host_within(config().encryption_key(KEY).expect("a key"), TIME);
    let (noisy, quiet) = (shared_by(&host, "noisy"), shared_by(&host, "quiet"));
    assert_eq!(quiet.increment("n", 1, 1000, None).await.expect("reachable"), 1000);
    let crowd = (0..8 * SERVER_SLOTS).map(|number| {
        let noisy = noisy.clone();
        tokio::spawn(async move {
            match number % 2 {
                0 => noisy.increment("n", 1, 0, None).await.is_ok(),
                _ => noisy.get(&number.to_string()).await.is_ok(),
            }
        })
    });
    let crowd: Vec<_> = crowd.collect();
    tokio::task::yield_now().await;
    for _ in 0..10 {
        let begun = Instant::now();
        quiet.increment("n", 1, 0, None).await.expect("its turn comes");
        assert!(begun.elapsed() < TIME / 8, "it took {:?}", begun.elapsed());
    }
    let mut counted = 0;
    for (number, call) in crowd.into_iter().enumerate() {
        counted += u64::from(call.await.expect("no panic") && number % 2 == 0);
    }
    assert!(counted > 0, "the noisy one counts as well");
    let sum = quiet.increment("n", 0, 0, None).await.expect("reachable");
    assert!(sum >= 1010 + counted, "{sum} after {counted} and ten counts: some were lost");
}
