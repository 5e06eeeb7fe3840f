//! Guests of the suite `macros`: `#[cached]` functions, alone and many at once.

use std::sync::Arc;
use std::time::Duration;

use strongroom_host::Config;
use tokio::task::JoinSet;

use crate::harness::{Host, Invocation};
use crate::kinds::{has_test, hosts, passes};
use crate::memcached::Memcached;

crate::guests::foreach_macros!(has_test);

passes!(macros_a_function_is_called_once_for_the_same_arguments);
passes!(macros_a_key_of_ones_own);
passes!(macros_another_version_is_another_entry);
passes!(macros_async_functions);
passes!(macros_companions);
passes!(macros_different_arguments_share_nothing);
passes!(macros_err_and_none_are_not_cached_unless_asked);
passes!(macros_many_computations_at_once_hold_few_handles);
passes!(macros_methods_leave_self_out);
passes!(macros_scopes_and_namespaces);
passes!(macros_trouble_with_the_cache_never_fails_the_function);

/// Instances that each compute something of their own.
const COMPUTING: u64 = 100;

/// All have the right to compute, and are about to use it, when the server goes.
async fn an_outage_changes_nothing(goes: impl FnOnce(&mut Memcached)) {
    let mut server = Memcached::start();
    let host = Arc::new(Host::at(&server, Config::new()).await);
    let mut running = JoinSet::new();
    for number in 0..COMPUTING {
        let host = Arc::clone(&host);
        running.spawn(async move {
            let argument = number.to_string();
            let invocation = Invocation { arguments: vec![&argument], ..Invocation::default() };
            let ended = host.run("macros_an_outage_during_a_computation_changes_nothing", invocation).await;
            (ended, format!("{}\n", number * 2))
        });
    }
    let all_compute = async {
        while host.cache.stats().fills < COMPUTING {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all_compute).await.expect("all begin to compute");
    goes(&mut server);
    for (ended, expected) in running.join_all().await {
        assert_eq!((ended.failure, ended.output), (None, expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn macros_an_outage_during_a_computation_changes_nothing() {
    an_outage_changes_nothing(Memcached::kill).await;
    // It takes what it is sent, and answers nothing.
    an_outage_changes_nothing(|server| server.signal("STOP")).await;
}

/// Instances that call the same function at the same time.
const CALLERS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn macros_a_stampede_computes_once() {
    for (name, host) in hosts().await {
        let host = Arc::new(host);
        let mut running = JoinSet::new();
        for _ in 0..CALLERS {
            let host = Arc::clone(&host);
            running.spawn(
                async move { host.run("macros_a_stampede_computes_once", Invocation::default()).await },
            );
        }
        let ended = running.join_all().await;

        let failures: Vec<_> = ended.iter().filter_map(|ended| ended.failure.as_deref()).collect();
        assert!(failures.is_empty(), "{name}: {failures:?}");
        let computed = ended.iter().filter(|ended| ended.output.contains("computed")).count();
        assert_eq!(computed, 1, "{name}");
        let values = ended.iter().map(|ended| ended.output.lines().last());
        let first = ended[0].output.lines().last();
        assert!(first.is_some() && values.into_iter().all(|value| value == first), "{name}");
    }
}
