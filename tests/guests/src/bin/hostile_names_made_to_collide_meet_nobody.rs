//! Reads, counts, deletes, fills, writes and clears under every key and namespace of its arguments, which are
//! made to be somebody else's. It panics where it finds what is not its own.
//!
//! ```text
//! <mark of its stack> <mark of its session> <name>...      names in hexadecimal
//! ```

use std::time::Duration;
use strongroom::{Cache, FetchOptions, Fetched, Ttl, session_cache, stack_cache};

const TTL: Ttl = Ttl::minutes(5);

/// The first few names are used as namespaces, too.
const NAMESPACES: usize = 8;

fn text(hexadecimal: &str) -> String {
    let byte = |at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).expect("two digits");
    String::from_utf8((0..hexadecimal.len()).step_by(2).map(byte).collect()).expect("UTF-8")
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut mark = || arguments.next().expect("a mark");
    let caches = [(mark(), stack_cache()), (mark(), session_cache())];
    let names: Vec<_> = arguments.map(|argument| text(&argument)).collect();
    for (own, cache) in caches {
        let cache = cache.expect("it has both");
        attack(&cache, &names, &own);
        for name in &names[..NAMESPACES] {
            attack(&cache.namespace(name).expect("a name"), &names, &format!("{own} {name}"));
        }
    }
}

/// Leaves its own mark under every name, having found nothing else.
fn attack(cache: &Cache, names: &[String], own: &str) {
    let found = cache.get_many::<String>(names).expect("get_many");
    assert!(found.iter().flatten().all(|found| found == own), "{own}: {found:?}");
    cache.clear().expect("clear");
    assert!(cache.get_many::<String>(names).expect("get_many").iter().all(Option::is_none), "{own}");
    assert_eq!(cache.delete_many(names), Ok(0), "{own}");
    let [first, second, third, ..] = names else { panic!("three names") };
    assert_eq!(cache.touch(first, TTL), Ok(false), "{own}");
    assert_eq!(cache.replace(first, "taken", TTL), Ok(false), "{own}");
    assert_eq!(cache.counter(second).increment(1), Ok(1), "{own}");
    match cache.fetch::<String>(third, FetchOptions::new().wait(Duration::ZERO)).expect("fetch") {
        Fetched::Vacant(fill) => assert_eq!(fill.complete(&own.to_owned(), TTL), Ok(true)),
        found => panic!("{own}: {found:?}"),
    }
    let stored = cache.set_many(names.iter().map(|name| (name, own)), TTL).expect("set_many");
    assert!(stored.iter().all(Result::is_ok));
}
