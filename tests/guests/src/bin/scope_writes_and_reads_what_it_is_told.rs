//! Does what its arguments say, so that the host can run it for one tenant after the other:
//! `<scope>[/namespace] set|get|clear [value]`, and prints what it found.

use strongroom::{Cache, Error, Ttl, cache, session_cache, stack_cache};

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(found) => println!("{found}"),
        Err(error) => println!("{error:?}"),
    }
}

fn open(place: &str) -> Result<Cache, Error> {
    let (scope, namespace) = place.split_once('/').map_or((place, None), |(scope, name)| (scope, Some(name)));
    let cache = match scope {
        "default" => cache(),
        "stack" => stack_cache(),
        "session" => session_cache(),
        other => panic!("no scope {other}"),
    }?;
    match namespace {
        Some(name) => cache.namespace(name),
        None => Ok(cache),
    }
}

fn run(arguments: &[&str]) -> Result<String, Error> {
    let cache = open(arguments[0])?;
    match arguments[1..] {
        ["set", value] => cache.set("key", value, Ttl::minutes(1)).map(|()| "stored".to_owned()),
        ["get"] => Ok(cache.get("key")?.unwrap_or_else(|| "miss".to_owned())),
        ["clear"] => cache.clear().map(|()| "cleared".to_owned()),
        _ => panic!("set <value>, get or clear"),
    }
}
