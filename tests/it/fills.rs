//! Guests of the suite `fills`: what becomes of the right to compute a value.

use std::time::Duration;

use crate::harness::{Host, Invocation, has_test, hosts, passes};

crate::guests::foreach_fills!(has_test);

passes!(fills_within_its_grace_a_value_is_stale);
passes!(fills_are_lost_to_a_delete_and_the_result_is_not);

async fn is_given_the_fill(host: &Host, name: &str) {
    let next = host.run("fills_end_with_their_instance", Invocation::default()).await;
    assert!(next.failure.is_none(), "{name}: {}", next.failure.unwrap_or_default());
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
