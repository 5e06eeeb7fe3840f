//! Keys, namespaces, texts and numbers that are made to be something else.

use strongroom_host::Config;

use super::aftermath::{BOTH, attacks};
use super::bystanders::partition;
use super::{answers, passes, traps};
use crate::harness::{Host, Invocation};
use crate::kinds::Kind;

attacks! {
    hostile_keys_are_read_as_keys_and_nothing_else on &Kind::ALL, with in_the_bank;
    hostile_names_made_to_collide_meet_nobody on &Kind::ALL, with in_the_bank;
    hostile_numbers_at_their_ends_are_typed_errors_or_work on &Kind::ALL;
    text_that_is_no_utf8_traps on BOTH;
    utf16_is_the_same_text_or_a_trap on BOTH;
    pointers_beyond_memory_trap on BOTH;
}

const PREFIX: &str = "bank";

fn in_the_bank() -> Config {
    Config::new().prefix(PREFIX).expect("valid")
}

async fn hostile_keys_are_read_as_keys_and_nothing_else(host: &Host) {
    let keys = passes(host, "hostile_keys_are_read_as_keys_and_nothing_else", &[]).await;
    let keys: usize = keys.trim_end().parse().expect("how many it used");
    let Some(server) = &host.server else { return };
    // Whatever it said, the server has only storage keys.
    let stored = server.keys();
    assert!(stored.len() > keys, "{} of {keys}", stored.len());
    for key in stored {
        let item = key.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(':')).expect("the prefix");
        let is_item = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(item.len() == 32 && item.chars().all(is_item), "{key:?}");
    }
}

/// Services, stacks and sessions of which one is often the other's beginning, end or frame.
const TENANTS: [[&str; 3]; 8] = [
    ["tests", "a", "bc"],
    ["tests", "ab", "c"],
    ["tests", "a", "b"],
    ["test", "sa", "bc"],
    ["tests", "a\0", "bc"],
    ["tests", "a\u{1}\0\0\0\u{1}b", "c"],
    ["tests", "bank:", "v1/entry"],
    ["tests", "stack", "session"],
];

/// Names out of the same matter. The first ones are namespaces as well.
const NAMES: [&str; 20] = [
    "b",
    "bc",
    "a\0",
    "\u{1}\0\0\0\u{1}b",
    "\0",
    "session",
    "strongroom/v1/entry",
    "bank:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "c",
    "a",
    "ab",
    "abc",
    "v1/entry",
    "bank",
    "bank:",
    ":",
    "\0\0\0\u{1}",
    // A frame's end: no namespace, and generation numbers of eight bytes each.
    "\0\u{1}\0\0\0\u{8}\0\0\0\0\0\0\0\u{1}",
    "\u{1}\0\0\0\u{2}bc\u{1}\0\0\0\u{8}\0\0\0\0\0\0\0\0",
    "\u{10ffff}",
];

async fn hostile_names_made_to_collide_meet_nobody(host: &Host) {
    let mut names: Vec<String> = NAMES.map(str::to_owned).into();
    // Each has what the one before it may have wanted; then each knows the others' storage keys as well.
    for _ in 0..2 {
        for tenant in TENANTS {
            let [service, stack, session] = tenant;
            let marks = marks(tenant);
            let hexadecimal: Vec<_> = names.iter().map(|name| hexadecimal(name)).collect();
            let mut arguments: Vec<_> = marks.iter().map(String::as_str).collect();
            arguments.extend(hexadecimal.iter().map(String::as_str));
            let (stack, session) = (Some(stack), Some(session));
            let invocation = Invocation { service, stack, session, arguments, ..Invocation::default() };
            let ended = host.run("hostile_names_made_to_collide_meet_nobody", invocation).await;
            assert!(ended.failure.is_none(), "{tenant:?}: {}", ended.failure.unwrap_or_default());
        }
        have_their_own(host, &names).await;
        for [service, stack, _] in TENANTS {
            let own = host.cache.open(&partition(&[service, stack]), None).expect("opens");
            let key = own.storage_key("bc").await.expect("reachable");
            let key = key.as_str().to_owned();
            names.extend([key.rsplit(':').next().expect("an item").to_owned(), key]);
        }
    }
}

/// What a tenant writes into its stack's and into its session's cache.
fn marks([service, stack, session]: [&str; 3]) -> [String; 2] {
    [format!("{service:?} {stack:?}"), format!("{service:?} {stack:?} {session:?}")]
}

fn hexadecimal(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Every tenant has exactly what it wrote itself, under each name in each cache.
async fn have_their_own(host: &Host, names: &[String]) {
    for tenant in TENANTS {
        for (own, partition) in marks(tenant).into_iter().zip([partition(&tenant[..2]), partition(&tenant)]) {
            for namespace in std::iter::once(None).chain(NAMES[..8].iter().copied().map(Some)) {
                let cache = host.cache.open(&partition, namespace).expect("a valid namespace");
                let mark = namespace.map_or_else(|| own.clone(), |name| format!("{own} {name}"));
                let found = cache.get_many(names).await.expect("reachable");
                assert!(found.iter().all(|found| *found == Some(mark.as_str().into())), "{mark}: {found:?}");
            }
        }
    }
}

async fn hostile_numbers_at_their_ends_are_typed_errors_or_work(host: &Host) {
    passes(host, "hostile_numbers_at_their_ends_are_typed_errors_or_work", &[]).await;
}

async fn text_that_is_no_utf8_traps(host: &Host) {
    for number in 0..25 {
        traps(host, "text_that_is_no_utf8_traps", &[number], &["invalid utf-8", "incomplete utf-8"]).await;
    }
}

async fn utf16_is_the_same_text_or_a_trap(host: &Host) {
    answers(host, "utf16_is_the_same_text_or_a_trap", &[0], &[1]).await;
    traps(host, "utf16_is_the_same_text_or_a_trap", &[1], &["unpaired surrogate"]).await;
}

async fn pointers_beyond_memory_trap(host: &Host) {
    for number in 0..29 {
        traps(host, "pointers_beyond_memory_trap", &[number], &["out of bounds", "not aligned"]).await;
    }
}
