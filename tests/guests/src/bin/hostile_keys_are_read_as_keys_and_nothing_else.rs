//! Keys that are memcached's commands, control characters and every length: each works as a key, in every
//! operation, or is refused for its length.

use std::time::Duration;
use strongroom::{Cache, Error, FetchOptions, Fetched, Ttl, session_cache, stack_cache};

const TTL: Ttl = Ttl::minutes(5);

const COMMANDS: [&str; 14] = [
    "\r\nflush_all\r\n",
    "mg x v\r\n",
    "k\r\nmg k v\r\nmd k\r\n",
    "set k 0 0 1\r\nx\r\n",
    "\r\nset k 0 0 1\r\nx\r\nget k",
    "ms k 1\r\nx\r\n",
    "\r\nmn\r\n",
    "\r\nquit\r\n",
    "\r\nverbosity 2\r\n",
    "\r\nshutdown\r\n",
    "END\r\n",
    "VALUE k 0 1\r\nx\r\nEND\r\n",
    "VA 1 f1 O0\r\nx\r\n",
    "\r\ncache_memlimit 1\r\n",
];

fn keys() -> Vec<String> {
    let mut keys: Vec<String> = COMMANDS.map(str::to_owned).into();
    for control in (0..0x20u8).chain([0x7f]).map(char::from).chain('\u{80}'..='\u{9f}') {
        keys.extend([control.to_string(), format!("a{control}b"), format!("{control}\r\n{control}")]);
    }
    // As long as memcached's own limit, one more, and as long as ours.
    keys.extend([249, 250, 251, 1023, 1024].map(|length| "\0".repeat(length)));
    keys.extend([250, 251, 1024].map(|length| "k".repeat(length)));
    keys.extend(["\u{202e}", "\u{feff}", "\u{fffd}", "\u{10ffff}", "e\u{301}", "é"].map(str::to_owned));
    keys
}

fn all_operations(cache: &Cache, keys: &[String]) {
    let entries = || keys.iter().map(|key| (key.as_str(), key));
    for (key, value) in entries() {
        assert_eq!(cache.get::<String>(key), Ok(None), "nothing was set");
        assert_eq!(cache.replace(key, value, TTL), Ok(false));
        assert_eq!(cache.add(key, value, TTL), Ok(true));
        assert_eq!(cache.touch(key, TTL), Ok(true));
    }
    let found = cache.get_many::<String>(keys).expect("get_many");
    assert!(found.iter().flatten().eq(keys), "each has its own value");
    assert_eq!(cache.delete_many(keys), Ok(keys.len() as u32));
    let stored = cache.set_many(entries(), TTL).expect("set_many");
    assert!(stored.iter().all(Result::is_ok));
    for (key, value) in entries() {
        assert_eq!(cache.get::<String>(key).as_ref(), Ok(&Some(value.clone())));
        assert_eq!(cache.counter(key).increment(1), Err(Error::NotAnInteger));
        assert_eq!(cache.delete(key), Ok(true));
        let options = FetchOptions::new().wait(Duration::ZERO);
        let Fetched::Vacant(fill) = cache.fetch::<String>(key, options).expect("fetch") else {
            panic!("it was deleted")
        };
        assert_eq!(fill.complete(value, TTL), Ok(true));
    }
    assert!(cache.get_many::<String>(keys).expect("get_many").iter().flatten().eq(keys));
}

fn main() {
    let cache = stack_cache().expect("a stack");
    let keys = keys();
    cache.delete_many(&keys).expect("delete_many");
    all_operations(&cache, &keys);

    // Namespaces are names as well.
    for name in keys.iter().filter(|key| key.len() <= 256).step_by(7) {
        let named = session_cache().and_then(|session| session.namespace(name)).expect("up to 256 bytes");
        assert_eq!(named.add("key", name, TTL), Ok(true), "nobody else has this name");
        assert_eq!(named.get::<String>("key").as_ref(), Ok(&Some(name.clone())));
        assert_eq!(named.delete("key"), Ok(true));
    }

    for length in [0, 1025, 1024 * 1024] {
        let key = "\n".repeat(length);
        assert_eq!(cache.set(&key, "x", TTL), Err(Error::InvalidKey));
        assert_eq!(cache.get::<String>(&key), Err(Error::InvalidKey));
        assert_eq!(cache.namespace(&key).err(), Some(Error::InvalidKey));
    }
    println!("{}", keys.len());
}
