//! The contract of `Backend`, run against each: what the trait's documentation says in MUST.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use strongroom_host::backend::{
    Backend, Begun, Condition, Error, MemcachedOptions, Memory, Protocol, Server, Step, StoreOutcome, Tls,
    over,
};
use strongroom_host::{Clock, Flags, Kind, Lifetime, StorageKey, Stored};
use tempfile::TempDir;

use crate::certificates::Authority;
use crate::memcached::Memcached;

const VALUE_BYTES_MAX: usize = 2 * 1024 * 1024;
const DAY: u32 = 24 * 60 * 60;
const LEASE: Duration = Duration::from_secs(5);

/// A backend, and how time passes for it: memory's clock is moved, a server's has to be waited for.
struct Place {
    backend: Arc<dyn Backend>,
    clock: Option<Clock>,
    _server: Option<Memcached>,
    /// What the server needs while it runs.
    _folder: Option<TempDir>,
}

impl Place {
    fn memory() -> Self {
        let clock = Clock::manual();
        let backend = Arc::new(Memory::new(256 << 20, clock.clone()));
        Self { backend, clock: Some(clock), _server: None, _folder: None }
    }

    fn memcached(protocol: Protocol) -> Self {
        Self::on(Memcached::start(), MemcachedOptions::default(), protocol, None)
    }

    fn unix() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let server = Memcached::start_unix(folder.path().join("socket"), &["-I", "3m"]);
        Self::on(server, MemcachedOptions::default(), Protocol::Meta, Some(folder))
    }

    fn tls() -> Self {
        let authority = Authority::new();
        let server = authority.server(&["127.0.0.1"], &["-I", "3m"], "");
        let tls = Some(Tls::new(&authority.files()).expect("files of ours"));
        let options = MemcachedOptions { tls, ..MemcachedOptions::default() };
        Self::on(server, options, Protocol::Meta, Some(authority.folder))
    }

    fn on(server: Memcached, options: MemcachedOptions, protocol: Protocol, folder: Option<TempDir>) -> Self {
        let options = MemcachedOptions {
            servers: Server::parse(&server.text()).into_iter().collect(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
            item_bytes_max: VALUE_BYTES_MAX,
            ..options
        };
        Self { backend: over(options, protocol), clock: None, _server: Some(server), _folder: folder }
    }

    async fn pass(&self, time: Duration) {
        match &self.clock {
            Some(clock) => clock.advance(time),
            None => tokio::time::sleep(time).await,
        }
    }
}

/// A test of the contract, on each backend.
macro_rules! contract {
    ($name:ident($place:ident) $body:block) => {
        mod $name {
            use super::*;

            async fn check($place: &Place) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn memory() {
                check(&Place::memory()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn memcached() {
                check(&Place::memcached(Protocol::Meta)).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn memcached_classic() {
                check(&Place::memcached(Protocol::Classic)).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn memcached_on_a_unix_socket() {
                check(&Place::unix()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn memcached_over_tls() {
                check(&Place::tls()).await;
            }
        }
    };
}

fn key(number: u32) -> StorageKey {
    StorageKey::parse(&format!("contract:{number:032}")).expect("of the right form")
}

fn entry(kind: Kind, data: impl Into<Bytes>) -> Stored {
    Stored { flags: Flags::entry(kind, 0), data: data.into() }
}

fn text(data: &'static str) -> Stored {
    entry(Kind::Text, data)
}

fn lifetime(seconds: u32) -> Lifetime {
    Lifetime::seconds(seconds).expect("not zero")
}

const FOREVER: Lifetime = Lifetime::UntilEvicted;

async fn set(place: &Place, number: u32, stored: Stored, lifetime: Lifetime) {
    let outcome = place.backend.store(&key(number), stored, lifetime, Condition::Always).await;
    assert_eq!(outcome.expect("stored"), StoreOutcome::Stored);
}

async fn get(place: &Place, number: u32) -> Option<Stored> {
    place.backend.get(&key(number)).await.expect("reachable").map(|found| found.entry)
}

async fn begin(place: &Place, number: u32) -> u64 {
    match place.backend.begin_fill(&key(number), LEASE).await.expect("reachable") {
        Begun::Won(lease) => lease,
        other => panic!("{other:?}"),
    }
}

contract!(what_was_stored_is_answered_as_it_was(place) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let stored = [
        text("rates"),
        entry(Kind::Bytes, every_byte),
        entry(Kind::Bytes, &b"\r\nEND\r\nVA 3 f16\r\nEN\r\n"[..]),
        entry(Kind::Json, ""),
        entry(Kind::Integer, "-5"),
        Stored { flags: Flags(u32::MAX), data: Bytes::from_static(b"x") },
    ];
    for (number, stored) in (0..).zip(&stored) {
        set(place, number, stored.clone(), FOREVER).await;
    }
    for (number, stored) in (0..).zip(&stored) {
        assert_eq!(get(place, number).await.as_ref(), Some(stored));
    }
    assert_eq!(get(place, 99).await, None);
});

contract!(values_of_two_mebibytes_and_not_one_byte_more(place) {
    let noise = Bytes::from(crate::harness::noise(VALUE_BYTES_MAX));
    set(place, 1, entry(Kind::Bytes, noise.clone()), FOREVER).await;
    assert!(get(place, 1).await.expect("stored").data == noise);
    // Beyond the largest entry that was announced (memory takes any that a part of it can hold), the old one
    // stays.
    let more = vec![0; if place.clock.is_some() { 64 << 20 } else { VALUE_BYTES_MAX + 1 }];
    let refused = place.backend.store(&key(1), entry(Kind::Bytes, more), FOREVER, Condition::Always).await;
    assert!(matches!(refused, Err(Error::TooLarge { limit }) if limit >= VALUE_BYTES_MAX), "{refused:?}");
    assert!(get(place, 1).await.expect("untouched").data == noise);
});

contract!(lifetimes_of_every_length(place) {
    for (number, seconds) in (0..).zip([1, 2, 30 * DAY, 30 * DAY + 1, u32::MAX]) {
        set(place, number, text("x"), lifetime(seconds)).await;
        let found = place.backend.get(&key(number)).await.expect("reachable").expect("alive");
        let remaining = found.remaining.expect("it has a lifetime");
        // The longest is beyond what memcached can count to; it may be cut, and never comes to nothing.
        let least = Duration::from_secs(u64::from(seconds.min(10 * 365 * DAY)).saturating_sub(1));
        assert!(remaining >= least, "{seconds} seconds: {remaining:?} remain");
        assert!(place.backend.touch(&key(number), lifetime(seconds)).await.expect("reachable"));
        assert_eq!(get(place, number).await, Some(text("x")), "touched for {seconds} seconds");
    }
    set(place, 9, text("x"), FOREVER).await;
    assert_eq!(place.backend.get(&key(9)).await.expect("reachable").expect("alive").remaining, None);
});

contract!(what_has_expired_is_absent(place) {
    set(place, 1, text("short"), lifetime(1)).await;
    set(place, 2, text("kept"), lifetime(1)).await;
    assert!(place.backend.touch(&key(2), lifetime(60)).await.expect("reachable"));
    place.pass(Duration::from_millis(3100)).await;
    assert_eq!(get(place, 1).await, None);
    assert_eq!(get(place, 2).await, Some(text("kept")));
    assert!(!place.backend.touch(&key(1), lifetime(60)).await.expect("reachable"));
    let added = place.backend.store(&key(1), text("new"), FOREVER, Condition::Absent).await;
    assert_eq!(added.expect("reachable"), StoreOutcome::Stored);
});

contract!(conditions_decide(place) {
    let store = async |stored, condition| place.backend.store(&key(1), stored, FOREVER, condition).await.expect("reachable");
    assert_eq!(store(text("a"), Condition::Present).await, StoreOutcome::Missing);
    assert_eq!(store(text("a"), Condition::Version(1)).await, StoreOutcome::Missing);
    assert_eq!(get(place, 1).await, None);
    assert_eq!(store(text("b"), Condition::Absent).await, StoreOutcome::Stored);
    assert_eq!(store(text("c"), Condition::Absent).await, StoreOutcome::Exists);
    assert_eq!(get(place, 1).await, Some(text("b")));
    assert_eq!(store(text("d"), Condition::Present).await, StoreOutcome::Stored);
    let version = place.backend.get(&key(1)).await.expect("reachable").expect("stored").version;
    assert_eq!(store(text("e"), Condition::Version(version)).await, StoreOutcome::Stored);
    assert_eq!(store(text("f"), Condition::Version(version)).await, StoreOutcome::Exists);
    assert_eq!(get(place, 1).await, Some(text("e")));
});

contract!(of_many_who_add_or_swap_one_wins(place) {
    let race = async |number: u32, condition: Condition| {
        let racers = (0..32u32).map(|racer| {
            let backend = place.backend.clone();
            tokio::spawn(async move {
                let mine = entry(Kind::Text, racer.to_string());
                backend.store(&key(number), mine, FOREVER, condition).await.expect("reachable")
            })
        });
        let mut won = 0;
        for racer in racers.collect::<Vec<_>>() {
            won += u32::from(racer.await.expect("no panic") == StoreOutcome::Stored);
        }
        won
    };
    assert_eq!(race(1, Condition::Absent).await, 1);
    let version = place.backend.get(&key(1)).await.expect("reachable").expect("stored").version;
    assert_eq!(race(1, Condition::Version(version)).await, 1);
    let _lease = begin(place, 2).await;
    assert_eq!(race(2, Condition::Absent).await, 1, "over a placeholder");
});

contract!(batches_keep_order_and_duplicates(place) {
    let entries = vec![(key(1), text("a")), (key(2), text("b")), (key(1), text("c"))];
    let outcomes = place.backend.store_many(entries, FOREVER).await;
    assert!(outcomes.len() == 3 && outcomes.iter().all(Result::is_ok));
    let keys = [key(2), key(9), key(1), key(2)];
    let found = place.backend.get_many(&keys, usize::MAX).await.expect("reachable");
    let found: Vec<_> = found.into_iter().map(|found| found.map(|found| found.entry)).collect();
    assert_eq!(found, [Some(text("b")), None, Some(text("c")), Some(text("b"))]);

    let deleted = place.backend.delete_many(&[key(1), key(9), key(1)]).await.expect("reachable");
    assert_eq!(deleted.iter().filter(|live| **live).count(), 1, "{deleted:?}");
    assert!(!deleted[1]);
    assert_eq!(get(place, 1).await, None);
    assert!(place.backend.get_many(&[], 0).await.expect("reachable").is_empty());
    assert!(place.backend.delete_many(&[]).await.expect("reachable").is_empty());
    assert!(place.backend.store_many(Vec::new(), FOREVER).await.is_empty());
});

contract!(a_batch_says_how_many_fit(place) {
    for number in 0..4 {
        set(place, number, entry(Kind::Bytes, vec![7; 1000]), FOREVER).await;
    }
    let keys: Vec<_> = (0..4).map(key).collect();
    assert_eq!(place.backend.get_many(&keys, 4000).await.expect("fits").len(), 4);
    let refused = place.backend.get_many(&keys, 3999).await;
    assert!(matches!(refused, Err(Error::BatchTooLarge { fit: 3 })), "{refused:?}");
    assert_eq!(get(place, 3).await.expect("the next call is in step").data.len(), 1000);
});

contract!(counters_count_to_their_ends(place) {
    let count = async |number, step| place.backend.count(&key(number), step).await;
    assert_eq!(count(1, Step::Up(1)).await.expect("reachable"), None);
    set(place, 1, entry(Kind::Integer, "10"), lifetime(100)).await;
    assert_eq!(count(1, Step::Down(1)).await.expect("a counter"), Some(9));
    assert_eq!(count(1, Step::Down(100)).await.expect("a counter"), Some(0));
    assert_eq!(count(1, Step::Up(i64::MAX as u64)).await.expect("a counter"), Some(i64::MAX as u64));
    assert_eq!(count(1, Step::Up(1)).await.expect("a counter"), Some(i64::MAX as u64));
    assert_eq!(count(1, Step::Up(u64::MAX)).await.expect("a counter"), Some(i64::MAX as u64));
    assert_eq!(count(1, Step::Down(i64::MAX as u64 - 5)).await.expect("a counter"), Some(5));
    assert_eq!(count(1, Step::Up(0)).await.expect("a counter"), Some(5));
    let remaining = place.backend.get(&key(1)).await.expect("reachable").expect("there").remaining;
    let remaining = remaining.expect("it keeps its lifetime");
    assert!(remaining > Duration::from_secs(80) && remaining <= Duration::from_secs(102), "{remaining:?}");

    let encrypted = Stored { flags: Flags::entry(Kind::Integer, 0).encrypted(), data: Bytes::from_static(b"12") };
    for stored in [text("123"), entry(Kind::Integer, "-1"), entry(Kind::Integer, ""), encrypted] {
        set(place, 2, stored.clone(), FOREVER).await;
        let refused = count(2, Step::Up(1)).await;
        assert!(matches!(refused, Err(Error::NotAnInteger)), "{stored:?}: {refused:?}");
        assert_eq!(get(place, 2).await, Some(stored), "nothing was changed");
    }
});

contract!(what_remains_of_a_lifetime_is_not_made_longer(place) {
    set(place, 1, text("x"), lifetime(3)).await;
    for _ in 0..12 {
        place.pass(Duration::from_millis(400)).await;
        let Some(found) = place.backend.get(&key(1)).await.expect("reachable") else { return };
        let kept = Lifetime::Remaining(found.remaining.expect("it has a lifetime"));
        let condition = Condition::Version(found.version);
        place.backend.store(&key(1), text("x"), kept, condition).await.expect("reachable");
    }
    panic!("it has lived for 4.8 seconds of 3");
});

contract!(of_many_who_begin_a_fill_one_wins(place) {
    let racers = (0..32).map(|_| {
        let backend = place.backend.clone();
        tokio::spawn(async move { backend.begin_fill(&key(1), LEASE).await.expect("reachable") })
    });
    let mut won = 0;
    for racer in racers.collect::<Vec<_>>() {
        won += u32::from(matches!(racer.await.expect("no panic"), Begun::Won(_)));
    }
    assert_eq!(won, 1);
});

contract!(a_touch_adds_the_grace_and_keeps_the_version(place) {
    let with_grace = Stored { flags: Flags::entry(Kind::Text, 600), data: Bytes::from_static(b"x") };
    set(place, 1, with_grace, lifetime(60)).await;
    let before = place.backend.get(&key(1)).await.expect("reachable").expect("live");
    assert!(place.backend.touch(&key(1), lifetime(120)).await.expect("reachable"));
    let after = place.backend.get(&key(1)).await.expect("reachable").expect("live");
    assert_eq!(after.version, before.version);
    let remaining = after.remaining.expect("it has a lifetime").as_secs();
    assert!((715..=721).contains(&remaining), "{remaining}");
});

contract!(in_a_batch_only_what_is_too_large_fails(place) {
    let large = vec![0; if place.clock.is_some() { 64 << 20 } else { VALUE_BYTES_MAX + 1 }];
    let entries = vec![(key(1), text("a")), (key(2), entry(Kind::Bytes, large)), (key(3), text("c"))];
    let outcomes = place.backend.store_many(entries, FOREVER).await;
    assert!(matches!(outcomes[..], [Ok(()), Err(Error::TooLarge { .. }), Ok(())]), "{outcomes:?}");
    assert_eq!(get(place, 3).await, Some(text("c")));
});

contract!(a_count_changes_only_a_counter(place) {
    set(place, 1, entry(Kind::Integer, "5"), FOREVER).await;
    let counting: Vec<_> = (0..8)
        .map(|_| {
            let backend = place.backend.clone();
            tokio::spawn(async move {
                for _ in 0..100 {
                    // It may meet a text, or lose every race; it must not change what it has not seen.
                    let _ = backend.count(&key(1), Step::Up(1)).await;
                }
            })
        })
        .collect();
    for _ in 0..100 {
        set(place, 1, text("12 monkeys"), FOREVER).await;
        for _ in 0..3 {
            assert_eq!(get(place, 1).await, Some(text("12 monkeys")));
            tokio::task::yield_now().await;
        }
        set(place, 1, entry(Kind::Integer, "5"), FOREVER).await;
    }
    for task in counting {
        task.await.expect("no panic");
    }
});

contract!(concurrent_counts_lose_nothing(place) {
    set(place, 1, entry(Kind::Integer, "0"), FOREVER).await;
    let counting = (0..16).map(|_| {
        let backend = place.backend.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                backend.count(&key(1), Step::Up(1)).await.expect("a counter");
            }
        })
    });
    for task in counting.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
    assert_eq!(place.backend.count(&key(1), Step::Up(0)).await.expect("a counter"), Some(800));
});

contract!(an_outstanding_fill_is_absent_for_everything_else(place) {
    let lease = begin(place, 1).await;
    assert!(matches!(place.backend.begin_fill(&key(1), LEASE).await.expect("reachable"), Begun::Held));
    assert_eq!(get(place, 1).await, None);
    assert_eq!(place.backend.get_many(&[key(1)], 100).await.expect("reachable"), [None]);
    assert!(!place.backend.touch(&key(1), lifetime(60)).await.expect("reachable"));
    assert_eq!(place.backend.count(&key(1), Step::Up(1)).await.expect("reachable"), None);
    let store = async |number, condition| {
        place.backend.store(&key(number), text("x"), FOREVER, condition).await.expect("reachable")
    };
    assert_eq!(store(1, Condition::Present).await, StoreOutcome::Missing);
    assert_eq!(store(1, Condition::Version(lease + 1_000_000)).await, StoreOutcome::Missing);
    assert_eq!(store(1, Condition::Version(lease)).await, StoreOutcome::Stored, "none of them ended the fill");
    assert!(matches!(place.backend.begin_fill(&key(1), LEASE).await.expect("reachable"), Begun::Live(_)));

    let lease = begin(place, 2).await;
    assert_eq!(place.backend.delete_many(&[key(2)]).await.expect("reachable"), [false]);
    assert_eq!(store(2, Condition::Version(lease)).await, StoreOutcome::Missing, "deleted meanwhile");

    let lease = begin(place, 3).await;
    assert_eq!(store(3, Condition::Absent).await, StoreOutcome::Stored);
    assert_eq!(store(3, Condition::Version(lease)).await, StoreOutcome::Exists, "written meanwhile");

    let lease = begin(place, 4).await;
    place.backend.abandon_fill(&key(4), lease).await.expect("reachable");
    let second = begin(place, 4).await;
    place.backend.abandon_fill(&key(4), lease).await.expect("reachable");
    assert_eq!(store(4, Condition::Version(second)).await, StoreOutcome::Stored, "the old lease ends nothing");
    place.backend.abandon_fill(&key(4), second).await.expect("reachable");
    assert_eq!(get(place, 4).await, Some(text("x")), "what is completed is not given back");
});

contract!(a_fill_ends_with_its_lease(place) {
    let won = place.backend.begin_fill(&key(1), Duration::from_secs(2)).await.expect("reachable");
    let Begun::Won(lease) = won else { panic!("{won:?}") };
    place.pass(Duration::from_millis(1900)).await;
    assert!(matches!(place.backend.begin_fill(&key(1), LEASE).await.expect("reachable"), Begun::Held));
    place.pass(Duration::from_millis(2200)).await;
    let second = begin(place, 1).await;
    let late = place.backend.store(&key(1), text("late"), FOREVER, Condition::Version(lease)).await;
    assert_eq!(late.expect("reachable"), StoreOutcome::Missing);
    let timely = place.backend.store(&key(1), text("timely"), FOREVER, Condition::Version(second)).await;
    assert_eq!(timely.expect("reachable"), StoreOutcome::Stored);
});

contract!(within_its_grace_an_entry_is_absent(place) {
    let with_grace = Stored { flags: Flags::entry(Kind::Text, 60), data: Bytes::from_static(b"old") };
    set(place, 1, with_grace.clone(), lifetime(2)).await;
    assert_eq!(get(place, 1).await, Some(with_grace.clone()));
    place.pass(Duration::from_millis(3600)).await;
    assert_eq!(get(place, 1).await, None);
    assert!(!place.backend.touch(&key(1), lifetime(60)).await.expect("reachable"));
    assert_eq!(place.backend.delete_many(&[key(1)]).await.expect("reachable"), [false]);

    set(place, 2, with_grace.clone(), lifetime(2)).await;
    place.pass(Duration::from_millis(3600)).await;
    let stale = place.backend.begin_fill(&key(2), LEASE).await.expect("reachable");
    let Begun::Stale(stale) = stale else { panic!("{stale:?}") };
    assert_eq!(stale.entry, with_grace, "what a fill may serve meanwhile");
    place.backend.abandon_fill(&key(2), stale.version).await.expect("reachable");
    let again = place.backend.begin_fill(&key(2), LEASE).await.expect("reachable");
    assert!(matches!(&again, Begun::Stale(same) if same.version == stale.version), "{again:?}");
    let filled = place.backend.store(&key(2), text("new"), FOREVER, Condition::Version(stale.version)).await;
    assert_eq!(filled.expect("reachable"), StoreOutcome::Stored);
    assert_eq!(get(place, 2).await, Some(text("new")));
});

contract!(a_dropped_call_affects_no_other(place) {
    for number in 0..50 {
        set(place, number, entry(Kind::Text, number.to_string()), FOREVER).await;
    }
    let callers = (0..50).map(|number| {
        let backend = place.backend.clone();
        tokio::spawn(async move {
            for round in 0..40u32 {
                // Some calls are given up at once, some while they are under way.
                let patience = Duration::from_micros(u64::from((round * 37 + number * 11) % 300));
                let asked = (number + round) % 50;
                if let Ok(found) = tokio::time::timeout(patience, backend.get(&key(asked))).await {
                    let found = found.expect("reachable").expect("stored").entry;
                    assert_eq!(found, entry(Kind::Text, asked.to_string()));
                }
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("no wrong reply");
    }
});
