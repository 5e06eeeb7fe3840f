//! Guests of the suite `fills`: what becomes of the right to compute a value.

use std::time::Duration;

use strongroom_host::backend::Protocol;
use strongroom_host::{Config, Fetched, Partition};

use crate::harness::{Host, Invocation, connect, noise};
use crate::kinds::{has_test, hosts, passes};
use crate::memcached::Memcached;

crate::guests::foreach_fills!(has_test);

passes!(fills_within_its_grace_a_value_is_stale);
passes!(fills_are_lost_to_a_delete_and_the_result_is_not);

async fn is_given_the_fill(host: &Host, name: &str) {
    let next = host.run("fills_end_with_their_instance", Invocation::default()).await;
    assert!(next.failure.is_none(), "{name}: {}", next.failure.unwrap_or_default());
}

/// A host that takes less than another has stored can't read it, and computes it once.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_too_large_to_be_read_is_computed_anew() {
    for protocol in [Protocol::Meta, Protocol::Classic] {
        let server = Memcached::start();
        let partition = Partition::service("tests").and_then(|service| service.stack("acme")).expect("valid");
        let config = || Config::new().protocol(protocol);
        let generous = connect(config(), &server).await.open(&partition, None).expect("opens");
        generous.set("k", noise(100_000).into(), None).await.expect("reachable");

        let small = config().value_bytes_max(2000).expect("allowed");
        let small = connect(small, &server).await.open(&partition, None).expect("opens");
        let fetched = small.fetch("k", 0, Duration::ZERO).await.expect("reachable");
        let Fetched::Vacant(mut fill) = fetched else { panic!("{protocol:?}: {fetched:?}") };
        let other = small.fetch("k", 0, Duration::ZERO).await.expect("reachable");
        assert!(matches!(other, Fetched::Busy), "{protocol:?}: {other:?}");
        assert!(fill.complete("small".into(), None).await.expect("reachable"), "{protocol:?}");
        assert_eq!(small.get("k").await.expect("reachable"), Some("small".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fills_end_with_their_instance() {
    for (name, host) in hosts().await {
        let invocation = Invocation { arguments: vec!["trap"], ..Invocation::default() };
        let ended = host.run("fills_end_with_their_instance", invocation).await;
        assert!(ended.failure.is_some() && ended.output.contains("computing"), "{name}");
        is_given_the_fill(&host, name).await;

        // A runner that has had enough drops the store, while the guest is in the middle of something.
        let invocation = Invocation { arguments: vec!["hang"], ..Invocation::default() };
        let hangs = host.run("fills_end_with_their_instance", invocation);
        tokio::time::timeout(Duration::from_secs(1), hangs).await.map(drop).expect_err("it hangs");
        is_given_the_fill(&host, name).await;
    }
}
