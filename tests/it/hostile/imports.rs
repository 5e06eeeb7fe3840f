//! Components that import more than they may, or lie about it: refused before anything of them runs, with a
//! message that names the import.

use strongroom_host::{Grants, Scope};

use super::aftermath::{BOTH, attacks};
use super::{passes, stopped};
use crate::harness::{Host, Invocation};

attacks! {
    the_service_without_a_grant_is_refused on BOTH;
    what_the_host_does_not_link_is_refused on BOTH;
    a_lie_about_a_signature_is_refused on BOTH;
    hostile_finds_no_network on BOTH;
}

/// Part of what `strongroom:cache/types` has.
const TYPES: &str = r#"(import "strongroom:cache/types@0.1.0" (instance $types
    (export "cache" (type $cache (sub resource)))
    (export "fill" (type $fill (sub resource)))))"#;

/// An `open` that says of itself what the real one does not.
const WRONG: &str = r#"(export "open" (func (param "namespace" string) (result u32)))"#;

/// A component with other imports, which traps when it is instantiated.
fn importing(before: &str, import: &str, items: &str) -> String {
    format!(
        r#"(component
            {before}
            (import "{import}" (instance {items}))
            (core module $main (func $traps (unreachable)) (start $traps))
            (core instance (instantiate $main)))"#
    )
}

/// Expects a component to be refused, by its import's name and not by its trap.
async fn refused(host: &Host, import: &str, text: &str) {
    let component = host.compile(&wat::parse_str(text).expect("a valid text")).expect("a valid component");
    let called = host.call_component(&component, Invocation::default(), &[]).await;
    let failure = called.failure.expect("it is refused");
    assert!(failure.contains(import) && !failure.contains("unreachable"), "{import}: {failure}");
}

async fn the_service_without_a_grant_is_refused(host: &Host) {
    let open = r#"(export "open" (func))"#;
    for import in ["strongroom:cache/service@0.1.0", "strongroom:cache/service@0.1.9"] {
        refused(host, "strongroom:cache/service", &importing("", import, open)).await;
        // The name alone is enough, whatever is expected behind it.
        refused(host, "strongroom:cache/service", &importing("", import, "")).await;
    }
    let text = importing("", "strongroom:cache/session@0.1.0", open);
    let component = host.compile(&wat::parse_str(text).expect("a valid text")).expect("a valid component");
    let invocation = Invocation { grants: Grants::NONE.with(Scope::Stack), ..Invocation::default() };
    let called = host.call_component(&component, invocation, &[]).await;
    stopped("no session", called.failure, &["strongroom:cache/session"]);
}

async fn what_the_host_does_not_link_is_refused(host: &Host) {
    for import in [
        "strongroom:cache/admin@0.1.0",
        "strongroom:cache/stack@9.9.9",
        "strongroom:cache/stack@0.2.0",
        "strongroom:cache/stack@0.1.0-rc.1",
        "strongroom:cache/stack",
        "strongroom:cache2/stack@0.1.0",
        "wasi:http/outgoing-handler@0.2.0",
        "wasi:sockets/tcp@0.3.0",
        "wasi:keyvalue/store@0.2.0-draft",
    ] {
        refused(host, import, &importing("", import, WRONG)).await;
    }
}

async fn a_lie_about_a_signature_is_refused(host: &Host) {
    let stack = "strongroom:cache/stack@0.1.0";
    for items in [
        WRONG,
        r#"(export "open" (func))"#,
        r#"(export "admin" (func))"#,
        r#"(export "open" (func (param "namespace" (option string)) (result (result u32 (error u32)))))"#,
    ] {
        refused(host, stack, &importing("", stack, items)).await;
    }
    // That a cache is a fill, and is opened as one.
    let swapped = r#"(alias outer 1 $fill (type $fill')) (export "cache" (type $cache (eq $fill')))
        (export "open" (func (param "namespace" (option string)) (result (own $cache))))"#;
    let types = format!("{TYPES} (alias export $types \"fill\" (type $fill))");
    refused(host, stack, &importing(&types, stack, swapped)).await;
    // A resource that a component makes up for itself is not the host's.
    let made_up = r#"(export "cache" (type $cache (sub resource)))
        (export "[method]cache.get" (func (param "self" (borrow $cache)) (param "key" u64)))"#;
    let types = "strongroom:cache/types@0.1.0";
    refused(host, types, &importing("", types, made_up)).await;
}

async fn hostile_finds_no_network(host: &Host) {
    let port = host.server.as_ref().map_or(11211, crate::memcached::Memcached::port).to_string();
    assert_eq!(passes(host, "hostile_finds_no_network", &[&port]).await, "alone\n");
}
