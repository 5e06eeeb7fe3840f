//! Stale sessions: what a login leaves behind, and what the next one under its identifier sees.

use std::time::Duration;

use strongroom_host::{Cache, CacheCtx, Config, Partition, Scope, ScopedCache};

use crate::kinds::{Kind, Storage};

/// For how long other hosts may go on with what they know.
const GENERATION_TTL: Duration = Duration::from_millis(300);

fn session(stack: &str, session: &str) -> Partition {
    let stack = Partition::service("tests").and_then(|service| service.stack(stack)).expect("valid");
    stack.session(session).expect("valid")
}

/// What a guest of the login opens.
fn open(cache: &Cache, issue: Option<&str>, namespace: Option<&str>) -> ScopedCache {
    let mut ctx = CacheCtx::builder(cache).service("tests").stack("acme").session("9f2");
    if let Some(issue) = issue {
        ctx = ctx.session_issue(issue);
    }
    ctx.build().and_then(|ctx| ctx.open(Scope::Session, namespace)).expect("it is granted")
}

/// Two hosts at one storage.
async fn hosts(storage: &Storage) -> [Cache; 2] {
    let config = || Config::new().generation_ttl(GENERATION_TTL).expect("allowed");
    [storage.connect(config()).await, storage.connect(config()).await]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_has_ended_is_gone_everywhere_within_the_generation_time() {
    for kind in Kind::ALL {
        ends_everywhere(kind).await;
    }
}

async fn ends_everywhere(kind: Kind) {
    let storage = kind.storage();
    let hosts = hosts(&storage).await;
    let places = || {
        let of = |host: &Cache| [None, Some("day")].map(|namespace| open(host, None, namespace));
        hosts.iter().flat_map(of).collect::<Vec<_>>()
    };
    let other = hosts[1].open(&session("acme", "another"), None).expect("opens");
    let elsewhere = hosts[1].open(&session("globex", "9f2"), None).expect("opens");
    let stack = Partition::service("tests").and_then(|service| service.stack("acme")).expect("valid");
    let stack = hosts[1].open(&stack, None).expect("opens");
    let handles = places();
    for kept in handles.iter().chain([&other, &elsewhere, &stack]) {
        kept.set("key", "old".into(), None).await.expect("set");
    }

    hosts[0].end_session(&session("acme", "9f2")).await.expect("ended");
    assert_eq!(handles[0].get("key").await.expect("get"), None, "here it is gone at once");
    assert_eq!(handles[1].get("key").await.expect("get"), None, "in every namespace");
    tokio::time::sleep(GENERATION_TTL * 2).await;
    for stale in handles.iter().chain(&places()) {
        assert_eq!(stale.get("key").await.expect("get"), None);
        assert_eq!(stale.get_many(&["key"]).await.expect("get"), [None]);
        assert!(!stale.touch("key", None).await.expect("touch"), "nor can it be kept");
        assert!(!stale.replace("key", "x".into(), None).await.expect("replace"));
        assert!(!stale.delete("key").await.expect("delete"));
    }
    for kept in [&other, &elsewhere, &stack] {
        assert_eq!(kept.get("key").await.expect("get"), Some("old".into()), "nobody else's is gone");
    }
    // The next login under the identifier begins with nothing, and keeps what it stores.
    let next = &places()[3];
    next.set("key", "new".into(), None).await.expect("set");
    assert_eq!(places()[1].get("key").await.expect("get"), Some("new".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_sessions_entries_are_nothing_to_the_next_issue_of_its_identifier() {
    for kind in Kind::ALL {
        issues_are_told_apart(kind).await;
    }
}

async fn issues_are_told_apart(kind: Kind) {
    let storage = kind.storage();
    let hosts = hosts(&storage).await;
    let (old, new) = (open(&hosts[0], Some("login 1"), None), open(&hosts[1], Some("login 2"), None));
    let unissued = open(&hosts[1], None, None);
    old.set("key", "old".into(), None).await.expect("set");
    old.increment("counter", 5, 5, None).await.expect("increment");
    // Nobody has ended it.
    for other in [&new, &unissued] {
        assert_eq!(other.get("key").await.expect("get"), None);
        assert_eq!(other.increment("counter", 1, 1, None).await.expect("increment"), 1);
        assert!(other.add("key", "another's".into(), None).await.expect("add"));
        other.clear().await.expect("clear");
    }
    assert_eq!(old.get("key").await.expect("get"), Some("old".into()));
    assert_eq!(open(&hosts[1], Some("login 1"), None).get("key").await.expect("get"), Some("old".into()));

    // Ended by its identifier: all its issues, also where the embedder no longer knows which there were.
    hosts[1].end_session(&session("acme", "9f2")).await.expect("ended");
    tokio::time::sleep(GENERATION_TTL * 2).await;
    assert_eq!(old.get("key").await.expect("get"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_session_is_not_ended() {
    let cache = Cache::in_memory();
    let stack = Partition::service("tests").and_then(|service| service.stack("acme")).expect("valid");
    let scoped = cache.open(&stack, None).expect("opens");
    scoped.set("key", "kept".into(), None).await.expect("set");
    let error = cache.end_session(&stack).await.expect_err("it would end all of them");
    assert!(error.is_invalid_config(), "{error}");
    assert_eq!(scoped.get("key").await.expect("get"), Some("kept".into()));
    let unissued = CacheCtx::builder(&cache).service("tests").stack("acme").session_issue("1").build();
    assert!(unissued.is_err_and(|error| error.is_invalid_config()));
}
