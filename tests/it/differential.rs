//! Random operations on three backends at once, whose outcomes must be the same: memory, and one real
//! memcached over both of its protocols, by two independent clients.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use strongroom_host::backend::{
    Backend, Begun, Condition, Error, MemcachedOptions, Memory, Protocol, Server, Step, StoreOutcome,
    Versioned, over,
};
use strongroom_host::{Clock, Flags, Kind, Lifetime, StorageKey, Stored};

use crate::memcached::Memcached;

/// Enough that each operation meets every other one in most states of a key, in a few seconds.
const CASES: u32 = 250;
const OPERATIONS_MAX: usize = 40;

/// So few that operations meet.
const KEYS: u8 = 3;

/// No lease and no lifetime ends while the test runs, but those that end at once. A hundred times as much is
/// more than the thirty days after which memcached wants a date.
const LONG: u32 = 100_000;

const LEASE: Duration = Duration::from_secs(3000);

/// What a write names as the version that it expects.
const NOBODYS: u64 = 0x7777_7777_7777;

#[derive(Clone, Debug)]
enum Operation {
    Get(u8),
    GetMany(Vec<u8>),
    Store(u8, Stored, Lifetime, When),
    StoreMany(Vec<(u8, Stored)>, Lifetime),
    DeleteMany(Vec<u8>),
    Touch(u8, Lifetime),
    Count(u8, Step),
    BeginFill(u8),
    AbandonFill(u8, usize),
}

#[derive(Clone, Debug)]
enum When {
    Always,
    Absent,
    Present,
    /// One of the versions seen so far, counted from the last.
    Version(usize),
}

/// What an operation answered, with each version replaced by the number of the write that it names.
#[derive(Clone, PartialEq, Debug)]
enum Outcome {
    Found(Vec<Option<(Stored, usize, Option<u64>)>>),
    Stored(StoreOutcome),
    Were(Vec<bool>),
    Number(Option<u64>),
    Won(usize),
    Stale((Stored, usize, Option<u64>)),
    Held,
    Done,
    Refused(&'static str),
}

fn stored() -> impl Strategy<Value = Stored> {
    let kinds = prop_oneof![
        Just((Kind::Text, "text")),
        Just((Kind::Bytes, "")),
        Just((Kind::Json, "\r\nEND\r\nVALUE x 0 1\r\n")),
        Just((Kind::Integer, "0")),
        Just((Kind::Integer, "10")),
        Just((Kind::Integer, "9223372036854775806")),
        Just((Kind::Integer, "-1")),
    ];
    let graces = prop_oneof![3 => Just(0u16), 2 => Just(6000u16)];
    (kinds, graces).prop_map(|((kind, data), grace)| Stored {
        flags: Flags::entry(kind, grace),
        data: Bytes::from_static(data.as_bytes()),
    })
}

fn lifetime() -> impl Strategy<Value = Lifetime> {
    prop_oneof![
        Just(Lifetime::UntilEvicted),
        Just(Lifetime::seconds(LONG).expect("not zero")),
        Just(Lifetime::seconds(LONG * 100).expect("not zero")),
        // Over at once, or within its grace.
        Just(Lifetime::Remaining(Duration::ZERO)),
    ]
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        Just(When::Always),
        Just(When::Absent),
        Just(When::Present),
        (0usize..4).prop_map(When::Version),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let amounts = prop_oneof![Just(0), Just(1), Just(7), Just(1 << 40), Just(u64::MAX)];
    (amounts, any::<bool>()).prop_map(|(amount, up)| if up { Step::Up(amount) } else { Step::Down(amount) })
}

fn operation() -> impl Strategy<Value = Operation> {
    let keys = || proptest::collection::vec(0..KEYS, 0..5);
    prop_oneof![
        4 => (0..KEYS).prop_map(Operation::Get),
        1 => keys().prop_map(Operation::GetMany),
        5 => (0..KEYS, stored(), lifetime(), when()).prop_map(|(key, stored, lifetime, when)| {
            Operation::Store(key, stored, lifetime, when)
        }),
        1 => (proptest::collection::vec((0..KEYS, stored()), 0..4), lifetime())
            .prop_map(|(entries, lifetime)| Operation::StoreMany(entries, lifetime)),
        1 => keys().prop_map(Operation::DeleteMany),
        2 => (0..KEYS, lifetime()).prop_map(|(key, lifetime)| Operation::Touch(key, lifetime)),
        3 => (0..KEYS, step()).prop_map(|(key, step)| Operation::Count(key, step)),
        3 => (0..KEYS).prop_map(Operation::BeginFill),
        2 => (0..KEYS, 0usize..4).prop_map(|(key, version)| Operation::AbandonFill(key, version)),
    ]
}

/// A backend, with the versions that it has answered so far.
struct Side {
    name: &'static str,
    backend: Arc<dyn Backend>,
    /// What this side's keys of this case begin with.
    prefix: String,
    versions: Vec<u64>,
}

impl Side {
    fn key(&self, number: u8) -> StorageKey {
        StorageKey::parse(&format!("{}:{number:032}", self.prefix)).expect("of the right form")
    }

    fn keys(&self, numbers: &[u8]) -> Vec<StorageKey> {
        numbers.iter().map(|number| self.key(*number)).collect()
    }

    /// The number of a version: those that name the same write have the same.
    fn number(&mut self, version: u64) -> usize {
        self.versions.iter().position(|known| *known == version).unwrap_or_else(|| {
            self.versions.push(version);
            self.versions.len() - 1
        })
    }

    fn version(&self, back: usize) -> u64 {
        self.versions.iter().rev().nth(back).copied().unwrap_or(NOBODYS)
    }

    fn found(&mut self, found: Versioned) -> (Stored, usize, Option<u64>) {
        let Stored { flags, mut data } = found.entry;
        if flags.kind() == Kind::Integer {
            // memcached leaves spaces where a number gets shorter.
            data.truncate(data.trim_ascii_end().len());
        }
        // To the nearest thousand seconds: the sides read at different moments.
        let remaining = found.remaining.map(|remaining| (remaining.as_secs() + 500) / 1000);
        (Stored { flags, data }, self.number(found.version), remaining)
    }

    async fn apply(&mut self, operation: &Operation) -> Outcome {
        self.try_apply(operation).await.unwrap_or_else(|error| match error {
            Error::NotAnInteger => Outcome::Refused("not an integer"),
            error => panic!("{}: {error}", self.name),
        })
    }

    async fn try_apply(&mut self, operation: &Operation) -> Result<Outcome, Error> {
        let backend = Arc::clone(&self.backend);
        Ok(match operation {
            Operation::Get(key) => {
                let found = backend.get(&self.key(*key)).await?;
                Outcome::Found(vec![found.map(|found| self.found(found))])
            }
            Operation::GetMany(keys) => {
                let found = backend.get_many(&self.keys(keys), usize::MAX).await?;
                Outcome::Found(found.into_iter().map(|found| found.map(|found| self.found(found))).collect())
            }
            Operation::Store(key, stored, lifetime, when) => {
                let condition = match when {
                    When::Always => Condition::Always,
                    When::Absent => Condition::Absent,
                    When::Present => Condition::Present,
                    When::Version(back) => Condition::Version(self.version(*back)),
                };
                Outcome::Stored(backend.store(&self.key(*key), stored.clone(), *lifetime, condition).await?)
            }
            Operation::StoreMany(entries, lifetime) => {
                let entries = entries.iter().map(|(key, stored)| (self.key(*key), stored.clone())).collect();
                for outcome in backend.store_many(entries, *lifetime).await {
                    outcome?;
                }
                Outcome::Done
            }
            Operation::DeleteMany(keys) => Outcome::Were(backend.delete_many(&self.keys(keys)).await?),
            Operation::Touch(key, lifetime) => {
                Outcome::Were(vec![backend.touch(&self.key(*key), *lifetime).await?])
            }
            Operation::Count(key, step) => Outcome::Number(backend.count(&self.key(*key), *step).await?),
            Operation::BeginFill(key) => match backend.begin_fill(&self.key(*key), LEASE).await? {
                Begun::Live(found) => Outcome::Found(vec![Some(self.found(found))]),
                Begun::Stale(found) => Outcome::Stale(self.found(found)),
                Begun::Unreadable(version) => panic!("nothing here is too large: {version}"),
                Begun::Won(version) => Outcome::Won(self.number(version)),
                Begun::Held => Outcome::Held,
            },
            Operation::AbandonFill(key, back) => {
                backend.abandon_fill(&self.key(*key), self.version(*back)).await?;
                Outcome::Done
            }
        })
    }
}

#[test]
fn memory_and_both_protocols_answer_the_same() {
    let server = Memcached::start();
    let options = MemcachedOptions {
        servers: Server::parse(&format!("127.0.0.1:{}", server.port())).into_iter().collect(),
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        ..MemcachedOptions::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let meta = over(options.clone(), Protocol::Meta);
    let classic = over(options, Protocol::Classic);
    let case = std::cell::Cell::new(0u32);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let operations = proptest::collection::vec(operation(), 1..OPERATIONS_MAX);
    let checked = TestRunner::new(config).run(&operations, |operations| {
        case.set(case.get() + 1);
        let side = |name, backend| {
            let prefix = format!("{name}{}", case.get());
            Side { name, backend, prefix, versions: Vec::new() }
        };
        let memory: Arc<dyn Backend> = Arc::new(Memory::new(1 << 20, Clock::system()));
        let mut sides =
            [side("memory", memory), side("meta", meta.clone()), side("classic", classic.clone())];
        runtime.block_on(async {
            for (at, operation) in operations.iter().enumerate() {
                let expected = sides[0].apply(operation).await;
                for side in &mut sides[1..] {
                    let outcome = side.apply(operation).await;
                    let name = side.name;
                    prop_assert_eq!(&outcome, &expected, "{} differs at {}: {:?}", name, at, operation);
                }
            }
            Ok(())
        })
    });
    // The message has the shortest operations that show it.
    checked.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(case.get() >= CASES);
}
