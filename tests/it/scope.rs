//! Guests of the suite `scope`: whose entries an invocation reaches, and whose it does not.

use strongroom_host::{Config, Grants, Partition, Scope};

use crate::harness::{Host, Invocation};
use crate::kinds::has_test;

crate::guests::foreach_scope!(has_test);

/// Runs the guest that does as it is told; answers what it printed.
async fn tell(host: &Host, whom: &Invocation<'_>, words: &str) -> String {
    let invocation = Invocation { arguments: words.split(' ').collect(), ..whom.clone() };
    let ended = host.run("scope_writes_and_reads_what_it_is_told", invocation).await;
    assert!(ended.failure.is_none(), "{words}: {:?}", ended.failure);
    ended.output.trim_end().to_owned()
}

async fn hosts() -> [Host; 2] {
    // Generations are asked for each time, so that what one test clears is gone at once.
    let config = || Config::new().generation_ttl(std::time::Duration::ZERO).expect("zero is allowed");
    [Host::on_memory(config()), Host::on_memcached(config()).await]
}

fn whom<'a>(stack: Option<&'a str>, session: Option<&'a str>) -> Invocation<'a> {
    Invocation { stack, session, ..Invocation::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn scope_writes_and_reads_what_it_is_told() {
    let acme = whom(Some("acme"), Some("s1"));
    let acme_2 = whom(Some("acme"), Some("s2"));
    let globex = whom(Some("globex"), Some("s1"));
    let elsewhere = Invocation { service: "other", ..acme.clone() };
    for host in hosts().await {
        assert_eq!(tell(&host, &acme, "stack set acme's").await, "stored");
        assert_eq!(tell(&host, &acme, "session set first's").await, "stored");
        assert_eq!(tell(&host, &acme, "stack/ns set named").await, "stored");

        assert_eq!(tell(&host, &acme, "stack get").await, "acme's");
        assert_eq!(tell(&host, &acme_2, "stack get").await, "acme's", "a stack is shared by its sessions");
        assert_eq!(tell(&host, &acme, "default get").await, "acme's", "the default is the stack's");
        assert_eq!(tell(&host, &acme, "session get").await, "first's");
        assert_eq!(tell(&host, &acme, "stack/ns get").await, "named");
        assert_eq!(tell(&host, &acme, "session/ns get").await, "miss");

        assert_eq!(tell(&host, &acme_2, "session get").await, "miss", "no session sees another's");
        assert_eq!(tell(&host, &globex, "stack get").await, "miss", "no stack sees another's");
        assert_eq!(tell(&host, &globex, "session get").await, "miss", "a session is its stack's");
        assert_eq!(tell(&host, &elsewhere, "stack get").await, "miss", "no service sees another's");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_the_invocation_does_not_have_cannot_be_opened() {
    for host in hosts().await {
        let stack_only = whom(Some("acme"), None);
        assert_eq!(tell(&host, &stack_only, "session get").await, "NoSuchScope");
        assert_eq!(tell(&host, &stack_only, "stack get").await, "miss");
        let nobody = whom(None, None);
        assert_eq!(tell(&host, &nobody, "stack get").await, "NoSuchScope");
        assert_eq!(tell(&host, &nobody, "session get").await, "NoSuchScope");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_stack_the_default_is_the_services_if_that_is_granted() {
    for host in hosts().await {
        let service = host.cache.open(&Partition::service("tests").expect("valid"), None).expect("opens");
        let nobody = whom(None, None);
        assert_eq!(tell(&host, &nobody, "default set shared").await, "AccessDenied");
        let granted = Invocation { grants: Grants::default().with(Scope::Service), ..nobody };
        assert_eq!(tell(&host, &granted, "default set shared").await, "stored");
        assert_eq!(service.get("key").await.expect("get"), Some("shared".into()));
        assert_eq!(tell(&host, &whom(Some("acme"), None), "default get").await, "miss");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scope_opens_the_service() {
    for host in hosts().await {
        let refused = host.run("scope_opens_the_service", Invocation::default()).await;
        let failure = refused.failure.expect("it has no grant");
        assert!(
            failure.contains("strongroom:cache/service") && failure.contains("--allow service"),
            "{failure}"
        );

        let grants = Grants::default().with(Scope::Service);
        let granted = |stack| Invocation { grants, stack: Some(stack), ..Invocation::default() };
        assert_eq!(host.run("scope_opens_the_service", granted("acme")).await.output, "miss\n");
        assert_eq!(host.run("scope_opens_the_service", granted("globex")).await.output, "shared\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_without_a_grant_is_refused_before_anything_runs() {
    for host in hosts().await {
        let grants = Grants::default().without(Scope::Session);
        let invocation = Invocation { grants, arguments: vec!["stack", "get"], ..Invocation::default() };
        let ended = host.run("scope_writes_and_reads_what_it_is_told", invocation).await;
        assert!(ended.failure.expect("it imports the session").contains("strongroom:cache/session"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_clear_takes_its_own_cache_and_nothing_else() {
    let acme = whom(Some("acme"), Some("s1"));
    let globex = whom(Some("globex"), Some("s1"));
    for host in hosts().await {
        for place in ["stack", "stack/ns", "stack/other", "session"] {
            tell(&host, &acme, &format!("{place} set kept")).await;
        }
        tell(&host, &globex, "stack/ns set kept").await;
        assert_eq!(tell(&host, &acme, "stack/ns clear").await, "cleared");
        assert_eq!(tell(&host, &acme, "stack/ns get").await, "miss");
        for place in ["stack", "stack/other", "session"] {
            assert_eq!(tell(&host, &acme, &format!("{place} get")).await, "kept", "{place}");
        }
        assert_eq!(tell(&host, &globex, "stack/ns get").await, "kept");

        assert_eq!(tell(&host, &acme, "stack clear").await, "cleared");
        assert_eq!(tell(&host, &acme, "stack get").await, "miss");
        assert_eq!(tell(&host, &acme, "stack/other get").await, "kept");
        assert_eq!(tell(&host, &acme, "session get").await, "kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_clear_takes_what_lies_below_as_well() {
    let service = Partition::service("tests").expect("valid");
    for host in hosts().await {
        let (s1, s2) = (whom(Some("acme"), Some("s1")), whom(Some("acme"), Some("s2")));
        let globex = whom(Some("globex"), Some("s1"));
        for whom in [&s1, &s2, &globex] {
            for place in ["stack", "stack/ns", "session", "session/ns"] {
                tell(&host, whom, &format!("{place} set kept")).await;
            }
        }
        let acme = service.stack("acme").expect("valid");
        host.cache.clear(&acme.session("s1").expect("valid")).await.expect("clear");
        assert_eq!(tell(&host, &s1, "session get").await, "miss");
        assert_eq!(tell(&host, &s1, "session/ns get").await, "miss");
        assert_eq!(tell(&host, &s2, "session get").await, "kept");
        assert_eq!(tell(&host, &s1, "stack get").await, "kept");

        host.cache.clear(&acme).await.expect("clear");
        for place in ["stack", "stack/ns", "session", "session/ns"] {
            assert_eq!(tell(&host, &s2, &format!("{place} get")).await, "miss", "{place}");
            assert_eq!(tell(&host, &globex, &format!("{place} get")).await, "kept", "{place}");
        }

        host.cache.clear(&service).await.expect("clear");
        assert_eq!(tell(&host, &globex, "stack/ns get").await, "miss");
        assert_eq!(tell(&host, &globex, "session get").await, "miss");
    }
}
