//! How long an operation takes at most, on a backend that has fallen silent.

use super::*;
use crate::limits::SERVER_SLOTS;

/// Behind more operations than there are slots, so that the turn comes when the first of them are given up.
#[tokio::test(start_paused = true)]
async fn no_operation_takes_longer_than_one_may_whatever_it_waits_for() {
    const TIME: Duration = Duration::from_secs(1);
    for name in ["abandon", "complete", "clear", "an operator's clear", "get", "fetch", "increment"] {
        let slow = Slow::new(1);
        let host = slow.host_within(config(), TIME);
        let cache = acme(&host);
        let mut fill = vacant(&cache).await;
        slow.fall_silent();
        let crowd = (0..2 * SERVER_SLOTS).map(|number| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.get(&number.to_string()).await.expect_err("silence") })
        });
        let crowd: Vec<_> = crowd.collect();
        tokio::task::yield_now().await;
        let begun = Instant::now();
        let failed = match name {
            "abandon" => fill.abandon().await.expect_err("silence"),
            "complete" => fill.complete("v".into(), None).await.expect_err("silence"),
            "clear" => cache.clear().await.expect_err("silence"),
            "an operator's clear" => {
                host.clear(&Partition::service("fx").expect("valid")).await.expect_err("silence")
            }
            "get" => cache.get("k").await.expect_err("silence"),
            "fetch" => cache.fetch("k", 0, Duration::ZERO).await.expect_err("silence"),
            _ => cache.increment("n", 1, 0, None).await.expect_err("silence"),
        };
        assert!(failed.is_transient(), "{name}: {failed:?}");
        let took = begun.elapsed();
        assert!((TIME..=TIME + TIME / 20 + WAY).contains(&took), "{name} took {took:?}");
        for caller in crowd {
            caller.await.expect("no panic");
        }
    }
}
