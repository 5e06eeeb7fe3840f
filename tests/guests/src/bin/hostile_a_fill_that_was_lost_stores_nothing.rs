//! Completes fills that it has no more right to: each answers `false`, and what is there stays.

use std::time::Duration;
use strongroom::{Cache, FetchOptions, Fetched, Fill, Ttl, stack_cache};

const TTL: Ttl = Ttl::minutes(5);
const LATE: usize = 50;

fn vacant(cache: &Cache, key: &str) -> Fill<String> {
    match cache.fetch(key, FetchOptions::new().wait(Duration::from_secs(10))).expect("fetch") {
        Fetched::Vacant(fill) => fill,
        found => panic!("{key}: {found:?}"),
    }
}

fn main() {
    let cache = stack_cache().expect("a stack").namespace("lost").expect("a name");
    cache.clear().expect("clear");
    let mine = "of a fill that was lost".to_owned();

    // Past its lease, which the host has set to two seconds, a fill is somebody else's.
    let late: Vec<_> = (0..LATE).map(|number| (number, vacant(&cache, &format!("late-{number}")))).collect();
    std::thread::sleep(Duration::from_millis(2500));
    let others: Vec<_> = (0..LATE / 2).map(|number| vacant(&cache, &format!("late-{number}"))).collect();
    for (number, fill) in late {
        assert_eq!(fill.complete(&mine, TTL), Ok(false), "{number}");
    }
    for fill in others {
        assert_eq!(fill.complete(&"of the next".to_owned(), TTL), Ok(true));
    }
    assert_eq!(cache.get::<String>("late-0"), Ok(Some("of the next".to_owned())));
    assert_eq!(cache.get::<String>("late-49"), Ok(None));

    let fill = vacant(&cache, "deleted");
    assert_eq!(cache.delete("deleted"), Ok(false), "a fill is no entry");
    assert_eq!(fill.complete(&mine, TTL), Ok(false));

    let fill = vacant(&cache, "written");
    cache.set("written", "newer", TTL).expect("set");
    assert_eq!(fill.complete(&mine, TTL), Ok(false));
    assert_eq!(cache.get::<String>("written"), Ok(Some("newer".to_owned())));

    let fill = vacant(&cache, "cleared");
    cache.clear().expect("clear");
    assert_eq!(fill.complete(&mine, TTL), Ok(false));
    assert_eq!(cache.get_many::<String>(["deleted", "cleared"]), Ok(vec![None, None]));
}
