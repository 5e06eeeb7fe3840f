//! Guests that interfere while the host hands them an answer.

use super::aftermath::{BOTH, attacks};
use super::{answers, traps};
use crate::harness::Host;

attacks! {
    a_realloc_that_answers_nonsense_traps on BOTH;
    a_realloc_that_answers_one_place_harms_only_itself on BOTH;
    a_realloc_that_calls_the_cache_traps on BOTH;
    a_realloc_that_grows_memory_is_served on BOTH;
    a_post_return_that_calls_the_cache_traps on BOTH;
}

const REENTRANT: &[&str] = &["cannot leave component instance"];

async fn a_realloc_that_answers_nonsense_traps(host: &Host) {
    let reasons = ["beyond end of memory", "beyond end of memory", "not aligned", "unreachable"];
    for (number, reason) in (0..).zip(reasons) {
        traps(host, "a_realloc_that_answers_nonsense_traps", &[number], &[reason]).await;
    }
}

async fn a_realloc_that_answers_one_place_harms_only_itself(host: &Host) {
    answers(host, "a_realloc_that_answers_one_place_harms_only_itself", &[0], &[1]).await;
}

async fn a_realloc_that_calls_the_cache_traps(host: &Host) {
    // Reading, storing, deleting, clearing and dropping.
    for operation in [0, 2, 3, 5, 6] {
        traps(host, "a_realloc_that_calls_the_cache_traps", &[operation], REENTRANT).await;
    }
}

async fn a_realloc_that_grows_memory_is_served(host: &Host) {
    answers(host, "a_realloc_that_grows_memory_is_served", &[0], &[1]).await;
}

async fn a_post_return_that_calls_the_cache_traps(host: &Host) {
    traps(host, "a_post_return_that_calls_the_cache_traps", &[0], REENTRANT).await;
}
