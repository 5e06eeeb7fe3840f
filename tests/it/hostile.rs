//! Guests of the suites `hostile` and `wat`: programs that were written to break out of their tenant's cache,
//! and what becomes of them.
//!
//! Each attack is a function that runs its guest on a host and checks how it ends: by the typed error or the
//! trap that is documented. Every one goes through [`aftermath`], and with its neighbours through [`memory`]:
//! other tenants are served rightly during it and as fast as before after it, and nothing of it is left.

// What is checked around every attack.
mod aftermath;
mod bystanders;
mod memory;

// The attacks, by what they abuse.
mod keys;
mod handles;
mod fills;
mod amounts;
mod floods;
mod answers;
mod imports;
mod exports;

use crate::harness::{Ended, Host, Invocation};

/// Named here, so that each has to exist.
use self::{
    amounts::tests::*, answers::tests::*, exports::tests::*, fills::tests::*, floods::tests::*,
    handles::tests::*, imports::tests::*, keys::tests::*,
};
use crate::kinds::has_test;

crate::guests::foreach_hostile!(has_test);
crate::guests::foreach_wat!(has_test);

/// Calls an attack that is written as text, and expects its last call to be stopped for one of the reasons.
async fn traps(host: &Host, text: &str, numbers: &[u32], reasons: &[&str]) {
    let called = host.call(text, Invocation::default(), numbers).await;
    assert_eq!(called.answers.len() + 1, numbers.len(), "{text} {numbers:?}: {:?}", called.failure);
    stopped(&format!("{text} {numbers:?}"), called.failure, reasons);
}

/// Calls an attack that is written as text, and expects its answers.
async fn answers(host: &Host, text: &str, numbers: &[u32], expected: &[u32]) {
    let called = host.call(text, Invocation::default(), numbers).await;
    assert!(called.failure.is_none(), "{text} {numbers:?}: {}", called.failure.unwrap_or_default());
    assert_eq!(called.answers, expected, "{text} {numbers:?}");
}

/// Expects a failure for one of the reasons.
fn stopped(what: &str, failure: Option<String>, reasons: &[&str]) {
    let failure = failure.unwrap_or_else(|| panic!("{what}: it was not stopped"));
    assert!(reasons.iter().any(|reason| failure.contains(reason)), "{what}: {failure}");
}

/// Runs a program with arguments.
async fn run(host: &Host, guest: &str, arguments: &[&str]) -> Ended {
    host.run(guest, Invocation { arguments: arguments.into(), ..Invocation::default() }).await
}

/// Runs a program, and expects it to end well; answers what it printed.
async fn passes(host: &Host, guest: &str, arguments: &[&str]) -> String {
    let ended = run(host, guest, arguments).await;
    assert!(ended.failure.is_none(), "{guest} {arguments:?}: {}", ended.failure.unwrap_or_default());
    ended.output
}
