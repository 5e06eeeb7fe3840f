//! Guests of the suite `limits`: what is too much is refused, or ends the guest.

use strongroom_host::Config;

use crate::harness::{Host, Invocation, has_test, passes};

crate::guests::foreach_limits!(has_test);

passes!(limits_a_value_of_two_mebibytes_and_no_more);
passes!(limits_keys_and_namespaces_have_a_length);
passes!(limits_batches_have_a_size);

#[tokio::test(flavor = "multi_thread")]
async fn limits_too_many_handles_trap() {
    // The host's table and wasmtime's own have the same size; which is met first is wasmtime's business.
    traps(
        "limits_too_many_handles_trap",
        &["store handle limit exceeded", "resource table has no free keys"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_one_call_hands_over_a_bounded_amount() {
    traps("limits_one_call_hands_over_a_bounded_amount", &["hostcalls has been exhausted"]).await;
}

/// Runs a guest that must be stopped, and then one that must not: the host goes on serving.
async fn traps(guest: &str, reasons: &[&str]) {
    for host in [Host::on_memory(Config::new()), Host::on_memcached(Config::new()).await] {
        let ended = host.run(guest, Invocation::default()).await;
        let failure = ended.failure.expect("the guest is stopped");
        assert!(reasons.iter().any(|reason| failure.contains(reason)), "{failure}");
        assert_eq!(ended.output, "", "it was stopped in the call");
        let next = host.run("cache_add_replace_and_delete", Invocation::default()).await;
        assert!(next.failure.is_none(), "{:?}", next.failure);
    }
}
