//! Guests of the suite `limits`: what is too much is refused, or ends the guest.

use std::num::NonZeroU32;
use std::time::Duration;

use strongroom_host::{Config, InvocationLimits, Quota};

use crate::harness::{Host, Invocation};
use crate::kinds::{has_test, passes};

crate::guests::foreach_limits!(has_test);

passes!(limits_a_value_of_two_mebibytes_and_no_more);
passes!(limits_keys_and_namespaces_have_a_length);
passes!(limits_batches_have_a_size);

/// How a guest is stopped whose table of handles is full: the host's and wasmtime's own have the same size,
/// and which is met first is wasmtime's business.
pub(crate) const TABLE_IS_FULL: [&str; 2] =
    ["store handle limit exceeded", "resource table has no free keys"];

#[tokio::test(flavor = "multi_thread")]
async fn limits_too_many_handles_trap() {
    traps("limits_too_many_handles_trap", &TABLE_IS_FULL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_one_call_hands_over_a_bounded_amount() {
    traps("limits_one_call_hands_over_a_bounded_amount", &["hostcalls has been exhausted"]).await;
}

pub(crate) fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not zero")
}

/// Hosts of both backends with these settings.
async fn both(config: Config) -> [Host; 2] {
    [Host::on_memory(config.clone()), Host::on_memcached(config).await]
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_a_quota_says_when_to_try_again() {
    let quota = Quota::UNLIMITED.operations_per_second(number(50));
    let config = Config::new().quota(quota).stack_quota("globex", Quota::UNLIMITED).expect("a stack");
    for host in both(config).await {
        let guest = "limits_a_quota_says_when_to_try_again";
        let ended = host.run(guest, Invocation::default()).await;
        assert!(ended.failure.is_none(), "{:?}", ended.failure);
        assert!(host.cache.stats().refused >= 4, "{:?}", host.cache.stats());
        let globex = Invocation { stack: Some("globex"), ..Invocation::default() };
        let other = host.run("limits_batches_have_a_size", globex).await;
        assert!(other.failure.is_none(), "it has no quota: {:?}", other.failure);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_an_invocation_has_an_end() {
    let guest = "limits_an_invocation_has_an_end";
    for (limits, written) in [
        // One of them opens the cache.
        (InvocationLimits::UNLIMITED.operations(51), Some(50)),
        (InvocationLimits::UNLIMITED.bytes(64 * 1024), Some(64)),
        (InvocationLimits::UNLIMITED.time(Duration::from_secs(2)), None),
    ] {
        for host in both(Config::new().invocation_limits(limits)).await {
            for _ in 0..2 {
                let ended = host.run(guest, Invocation::default()).await;
                assert!(ended.failure.is_none(), "{limits:?}: {:?}", ended.failure);
                let said: u64 = ended.output.trim().parse().expect("a number");
                assert!(written.map_or(said > 0, |written| said == written), "{limits:?}: {said}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_has_as_many_handles_as_it_may() {
    for host in both(Config::new().invocation_limits(InvocationLimits::UNLIMITED.handles(number(3)))).await {
        let ended = host.run("limits_too_many_handles_trap", Invocation::default()).await;
        let failure = ended.failure.expect("the guest is stopped");
        assert!(failure.contains("the invocation has 3 caches and fills"), "{failure}");
        let next = host.run("cache_add_replace_and_delete", Invocation::default()).await;
        assert!(next.failure.is_none(), "{:?}", next.failure);
    }
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
