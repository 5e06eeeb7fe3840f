//! Fills that are kept, lost, hoarded and left behind.

use std::time::Duration;

use strongroom_host::{Config, Fetched, ScopedCache};

use super::aftermath::{BOTH, attacks};
use super::bystanders::partition;
use super::{answers, passes, run, stopped};
use crate::harness::{Host, Invocation, PAST_DEADLINE};
use crate::kinds::Kind;

attacks! {
    a_fill_may_be_kept_from_one_call_to_the_next on &Kind::ALL;
    hostile_a_fill_that_was_lost_stores_nothing on &Kind::ALL, with with_a_short_lease;
    hostile_holds_every_fill_and_ends on &Kind::ALL;
    a_fill_of_a_guest_that_never_ends_is_given_back on BOTH;
    hostile_waits_for_ever_and_is_stopped on BOTH;
}

/// Shorter than a lease: what is given within it was given back.
const WAIT: Duration = Duration::from_secs(5);

fn with_a_short_lease() -> Config {
    Config::new().fill_lease(Duration::from_secs(2)).expect("allowed")
}

/// The cache of the attacker's stack.
fn own(host: &Host) -> ScopedCache {
    host.cache.open(&partition(&["tests", "acme"]), None).expect("opens")
}

async fn a_fill_may_be_kept_from_one_call_to_the_next(host: &Host) {
    let own = own(host);
    own.delete("key").await.expect("reachable");
    // Taken; completed; and no more to complete.
    answers(host, "a_fill_may_be_kept_from_one_call_to_the_next", &[0; 4], &[7, 1, 0, 0]).await;
    assert_eq!(own.get("key").await.expect("reachable"), Some("key of 16 bytes!".into()));
}

async fn hostile_a_fill_that_was_lost_stores_nothing(host: &Host) {
    passes(host, "hostile_a_fill_that_was_lost_stores_nothing", &[]).await;
}

async fn hostile_holds_every_fill_and_ends(host: &Host) {
    for (end, reason) in [("trap", "unreachable"), ("exit", "exit status 1")] {
        let ended = run(host, "hostile_holds_every_fill_and_ends", &[end, "900"]).await;
        assert_eq!(ended.output, "900 held\n", "{:?}", ended.failure);
        stopped(end, ended.failure, &[reason]);
        are_given_back(host, 900).await;
    }
}

/// Somebody else is given each of the fills, without waiting for a lease to end.
async fn are_given_back(host: &Host, fills: usize) {
    let own = own(host);
    for number in 0..fills {
        let fetched = own.fetch(&format!("held-{number}"), 0, WAIT).await.expect("reachable");
        let Fetched::Vacant(fill) = fetched else { panic!("{number}: {fetched:?}") };
        fill.abandon().await.expect("reachable");
    }
}

async fn a_fill_of_a_guest_that_never_ends_is_given_back(host: &Host) {
    // Where the machine is so busy that it does not come to it, it is given more time.
    for deadline in [200, 1000, 5000].map(Duration::from_millis) {
        let arguments = vec!["loop", "20"];
        let invocation = Invocation { arguments, deadline: Some(deadline), ..Invocation::default() };
        let ended = host.run("hostile_holds_every_fill_and_ends", invocation).await;
        stopped("loop", ended.failure, &[PAST_DEADLINE]);
        are_given_back(host, 20).await;
        if ended.output == "20 held\n" {
            return;
        }
    }
    panic!("it never held its fills");
}

async fn hostile_waits_for_ever_and_is_stopped(host: &Host) {
    let invocation = Invocation { deadline: Some(Duration::from_millis(300)), ..Invocation::default() };
    let ended = host.run("hostile_waits_for_ever_and_is_stopped", invocation).await;
    stopped("a wait", ended.failure, &[PAST_DEADLINE]);
    assert!(["", "waiting\n"].contains(&ended.output.as_str()), "it was answered: {}", ended.output);
}
