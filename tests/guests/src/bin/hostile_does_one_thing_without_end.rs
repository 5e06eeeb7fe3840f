//! Asks the host for one thing again and again, until it is stopped: the one that its first argument names. A
//! second one is how often, so that it ends by itself, and a third one where names begin.

use std::time::Duration;
use strongroom::{FetchOptions, Ttl, session_cache, stack_cache};

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).map(|text| text.parse::<u64>().expect("a number"));
    let times = number(1).unwrap_or(u64::MAX);
    let first = number(2).unwrap_or(0);
    let cache = stack_cache().expect("a stack");
    let large = vec![7; 1024 * 1024];
    for number in first..first.saturating_add(times) {
        match arguments[0].as_str() {
            "get" => drop(cache.get::<i64>("k").expect("get")),
            "set" => cache.set_bytes("large", &large, Ttl::minutes(1)).expect("set"),
            "count" => drop(cache.counter("count").increment(1).expect("increment")),
            "clear" => cache.namespace("cleared").and_then(|named| named.clear()).expect("clear"),
            "open" => drop(session_cache().expect("a session")),
            "fetch" => {
                drop(cache.fetch::<i64>("fetched", FetchOptions::new().wait(Duration::ZERO)).expect("fetch"))
            }
            "name" => drop(cache.namespace(&format!("name {number}")).expect("it opens")),
            "name and get" => {
                let named = cache.namespace(&format!("name {number}")).expect("it opens");
                assert_eq!(named.get::<i64>("k"), Ok(None));
            }
            other => panic!("nothing that is called {other}"),
        }
    }
    println!("done");
}
