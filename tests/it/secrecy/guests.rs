//! What guests are told, and what the embedder learns of a guest's end.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use strongroom_host::backend::{Backend, Begun, Condition, Error, Memory, Step, StoreOutcome, Versioned};
use strongroom_host::{Clock, Grants, Lifetime, Scope, StorageKey, Stored};

use super::{KEY, NAMESPACE, SERVICE, SESSION, STACK, VALUE, config, is_silent, item, log, open};
use crate::guests::{
    foreach_cache, foreach_fetch, foreach_fills, foreach_limits, foreach_macros, foreach_scope,
};
use crate::harness::{Host, Invocation};
use crate::memcached::Memcached;

fn invocation(arguments: &[&'static str]) -> Invocation<'static> {
    Invocation {
        service: SERVICE,
        stack: Some(STACK),
        session: Some(SESSION),
        arguments: arguments.to_vec(),
        ..Invocation::default()
    }
}

fn all_guests() -> Vec<&'static str> {
    let mut names = Vec::new();
    macro_rules! push {
        ($name:ident) => {
            names.push(stringify!($name));
        };
    }
    foreach_cache!(push);
    foreach_fetch!(push);
    foreach_fills!(push);
    foreach_limits!(push);
    foreach_macros!(push);
    foreach_scope!(push);
    names
}

/// Most of them fail then, each in its own way, by what the SDK told them.
#[tokio::test(flavor = "multi_thread")]
async fn no_guest_learns_or_leaves_behind_whom_it_ran_for_when_the_server_is_down() {
    log();
    let mut server = Memcached::start();
    let host = Host::at(&server, config()).await;
    let item = item(&open(&host.cache), KEY).await;
    server.kill();
    let mut failures = 0;
    for guest in all_guests() {
        let ended = host.run(guest, invocation(&[])).await;
        is_silent(&ended.output);
        failures += usize::from(ended.failure.is_some());
        let failure = ended.failure.unwrap_or_default();
        is_silent(&failure);
        assert!(!failure.contains(&item), "{guest}: {failure}");
    }
    assert!(failures > 20, "they mind that the server is down: {failures}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_tells_the_embedder_nothing_of_whom_the_guest_ran_for() {
    log();
    let server = Memcached::start();
    let host = Host::at(&server, config()).await;
    for (guest, expected) in [
        ("limits_too_many_handles_trap", "wasm"),
        ("limits_one_call_hands_over_a_bounded_amount", "wasm"),
        // It panics without its arguments.
        ("scope_writes_and_reads_what_it_is_told", "wasm"),
    ] {
        let ended = host.run(guest, invocation(&[])).await;
        let failure = ended.failure.expect("the guest is stopped");
        assert!(failure.contains(expected), "{guest}: {failure}");
        is_silent(&failure);
    }
    let refused = Invocation { grants: Grants::NONE.with(Scope::Stack), ..invocation(&[]) };
    let ended = host.run("scope_writes_and_reads_what_it_is_told", refused).await;
    is_silent(&ended.failure.expect("it imports more than it is granted"));
}

/// A backend with a bug: it panics, and says all that it was given.
struct Panicking(Memory);

macro_rules! tell {
    ($($what:expr),*) => {
        panic!("a bug: {:?}", ($($what),*))
    };
}

#[async_trait]
impl Backend for Panicking {
    async fn get_many(&self, keys: &[StorageKey], _: usize) -> Result<Vec<Option<Versioned>>, Error> {
        tell!(keys)
    }

    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned>, Error> {
        tell!(key)
    }

    async fn store(
        &self,
        key: &StorageKey,
        entry: Stored,
        lifetime: Lifetime,
        condition: Condition,
    ) -> Result<StoreOutcome, Error> {
        tell!(key, entry, lifetime, condition)
    }

    async fn store_many(
        &self,
        entries: Vec<(StorageKey, Stored)>,
        lifetime: Lifetime,
    ) -> Vec<Result<(), Error>> {
        tell!(entries, lifetime)
    }

    async fn delete_many(&self, keys: &[StorageKey]) -> Result<Vec<bool>, Error> {
        tell!(keys)
    }

    async fn touch(&self, key: &StorageKey, lifetime: Lifetime) -> Result<bool, Error> {
        tell!(key, lifetime)
    }

    async fn count(&self, key: &StorageKey, step: Step) -> Result<Option<u64>, Error> {
        tell!(key, step)
    }

    async fn begin_fill(&self, key: &StorageKey, lease: Duration) -> Result<Begun, Error> {
        tell!(key, lease)
    }

    async fn abandon_fill(&self, key: &StorageKey, version: u64) -> Result<(), Error> {
        tell!(key, version)
    }

    // So that operations come as far as the others.
    async fn read_marks(&self, keys: &[StorageKey]) -> Result<Vec<Option<u64>>, Error> {
        self.0.read_marks(keys).await
    }

    async fn make_mark(&self, key: &StorageKey, number: u64) -> Result<u64, Error> {
        self.0.make_mark(key, number).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_below_a_guest_says_nothing_of_whom_it_ran_for() {
    log();
    let backend = Arc::new(Panicking(Memory::new(1 << 20, Clock::system())));
    let host = Arc::new(Host::over(config(), backend));
    let item = item(&open(&host.cache), KEY).await;
    let arguments = ["session/hush-namespace", "set", VALUE];
    assert!(arguments[0].ends_with(NAMESPACE));
    for arguments in [&arguments[..], &["session", "get"]] {
        let (host, invocation) = (Arc::clone(&host), invocation(arguments));
        let run = async move { host.run("scope_writes_and_reads_what_it_is_told", invocation).await.output };
        let panicked = tokio::spawn(run).await.expect_err("the panic comes through");
        let shown = format!("{panicked} {panicked:?}");
        let payload = panicked.into_panic();
        let message = payload.downcast_ref::<String>().map(String::as_str).unwrap_or_default();
        assert!(message.starts_with("a bug: ") && message.contains("[redacted]"), "{message}");
        for text in [message, &shown] {
            is_silent(text);
            assert!(!text.contains(&item), "{text}");
        }
    }
}
