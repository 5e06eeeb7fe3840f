//! What must hold around every attack, whatever it does: other tenants' entries stay, are served and can be
//! written meanwhile; afterwards a read takes no longer than before, as far as a noisy machine can tell (up
//! to three times), and no task is left behind.

use std::pin::Pin;
use std::time::{Duration, Instant};

use strongroom_host::{Config, ScopedCache};
use tokio::runtime::Handle;

use super::bystanders::Bystanders;
use crate::harness::Host;
use crate::kinds::Kind;

/// A guest that is run against a host, with what is checked of its end.
pub(super) struct Attack {
    pub(super) name: &'static str,
    pub(super) kinds: &'static [Kind],
    pub(super) config: fn() -> Config,
    pub(super) run: for<'a> fn(&'a Host) -> Running<'a>,
}

pub(super) type Running<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Where most attacks are run; all others on [`Kind::ALL`].
pub(super) const BOTH: &[Kind] = &[Kind::Memory, Kind::Memcached];

/// How much longer an operation may take afterwards, as a factor. Machines are noisy, and what an attack
/// would leave behind on its host (a queue, a lock that is held) costs far more. A loop that goes on is a
/// task that is left.
const SLOWER_MAX: u32 = 3;

/// How often a host that seems to be slower is measured again.
const MEASURED_MAX: u32 = 5;

/// How long what an attack leaves in the background may take.
pub(super) const SETTLED: Duration = Duration::from_secs(20);

/// A test of each attack, and one of what they leave in memory: `name on kinds, with settings;`.
macro_rules! attacks {
    ($($name:ident on $kinds:expr $(, with $config:expr)?;)*) => {
        const ATTACKS: &[$crate::hostile::aftermath::Attack] = &[$($crate::hostile::aftermath::Attack {
            name: stringify!($name),
            kinds: $kinds,
            config: $crate::hostile::aftermath::attacks!(@config $($config)?),
            run: |host| Box::pin($name(host)),
        }),*];

        pub(super) mod tests {
            $(
                #[tokio::test(flavor = "multi_thread")]
                pub(crate) async fn $name() {
                    $crate::hostile::aftermath::withstands(super::ATTACKS, stringify!($name)).await;
                }
            )*

            #[test]
            fn memory_is_back_after_each_of_them() {
                $crate::hostile::memory::is_back(module_path!(), super::ATTACKS);
            }
        }
    };
    (@config) => { strongroom_host::Config::new };
    (@config $config:expr) => { $config };
}

pub(super) use attacks;

/// Runs the attack of a name on hosts of its kinds.
pub(super) async fn withstands(attacks: &[Attack], name: &str) {
    let attack = attacks.iter().find(|attack| attack.name == name).expect("the list names it");
    for kind in attack.kinds {
        withstands_on(*kind, attack.config, attack.run).await;
    }
}

async fn withstands_on(kind: Kind, config: fn() -> Config, run: for<'a> fn(&'a Host) -> Running<'a>) {
    let host = kind.host(config()).await;
    let bystanders = Bystanders::settle(&host.cache).await;
    let before = latency(bystanders.one()).await;
    let (tasks, failures) = (tasks(), host.cache.stats().failures);

    let watched = bystanders.watch().await;
    run(&host).await;
    watched.end().await;

    bystanders.check().await;
    is_quick(kind, config, bystanders.one(), before).await;
    no_task_is_left(kind, tasks, SETTLED).await;
    assert_eq!(host.cache.stats().failures, failures, "{}: an operation failed", kind.name());
}

/// What a read takes: the least of several medians, as everything that disturbs a measurement adds to it.
async fn latency(cache: &ScopedCache) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..5 {
        let mut taken = Vec::new();
        for _ in 0..25 {
            let begun = Instant::now();
            cache.get("key").await.expect("reachable");
            taken.push(begun.elapsed());
        }
        taken.sort_unstable();
        least = least.min(taken[taken.len() / 2]);
    }
    least
}

/// A read takes no longer than before. Where it seems to, the machine may have become busy meanwhile, and a
/// new host of the same kind, measured beside it, tells.
async fn is_quick(kind: Kind, config: fn() -> Config, cache: &ScopedCache, before: Duration) {
    let mut after = latency(cache).await;
    for attempt in 1..=MEASURED_MAX {
        if after <= before * SLOWER_MAX {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50) * attempt).await;
        after = latency(cache).await;
    }
    let new = kind.host(config()).await;
    let beside = Bystanders::settle(&new.cache).await;
    let beside = latency(beside.one()).await;
    after = after.min(latency(cache).await);
    assert!(
        after <= beside.max(before) * SLOWER_MAX,
        "{}: a read takes {after:?}; before it took {before:?}, and on a new host {beside:?}",
        kind.name()
    );
}

/// The tasks of this test's runtime, among them those that own a connection.
pub(super) fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Waits until no more tasks run than before.
pub(super) async fn no_task_is_left(kind: Kind, before: usize, patience: Duration) {
    let begun = Instant::now();
    while tasks() > before {
        let left = tasks() - before;
        assert!(begun.elapsed() < patience, "{}: {left} tasks are left behind", kind.name());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What the checks are worth: attacks that succeed are noticed.
mod can_fail {
    use super::super::bystanders::partition;
    use super::*;

    async fn notices(kind: Kind, run: for<'a> fn(&'a Host) -> Running<'a>, expected: &str) {
        let check = tokio::task::LocalSet::new();
        let checked = async { tokio::task::spawn_local(withstands_on(kind, Config::new, run)).await };
        let panic = check.run_until(checked).await.expect_err("it was not noticed").into_panic();
        let message = panic.downcast_ref::<String>().expect("a formatted message");
        assert!(message.contains(expected), "{message}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_entry_that_another_tenant_changed_is_noticed() {
        let attack: for<'a> fn(&'a Host) -> Running<'a> = |host| {
            Box::pin(async {
                let other = host.cache.open(&partition(&["tests", "globex"]), None).expect("opens");
                other.set("key", "mine".into(), None).await.expect("reachable");
            })
        };
        notices(Kind::Memory, attack, "has lost something").await;
        notices(Kind::Memcached, attack, "has lost something").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[should_panic = "a read takes"]
    async fn a_host_that_has_become_slower_is_noticed() {
        let slow = Kind::Memcached.host(Config::new()).await;
        let slow = Bystanders::settle(&slow.cache).await;
        is_quick(Kind::Memory, Config::new, slow.one(), Duration::from_micros(1)).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[should_panic = "1 tasks are left behind"]
    async fn a_task_that_is_left_behind_is_noticed() {
        let before = tasks();
        tokio::spawn(std::future::pending::<()>());
        no_task_is_left(Kind::Memory, before, Duration::from_millis(100)).await;
    }
}
