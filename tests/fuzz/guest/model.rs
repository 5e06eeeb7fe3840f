//! What the contract in `wit/` says that each operation answers, on maps: one for each partition and
//! namespace, in which nothing of another can be.
//!
//! It is exact. Nothing is evicted, the clock is the fuzzer's, and guests take turns.

mod entries;

use std::collections::HashMap;
use std::time::Duration;

use self::entries::{check_key, check_keys, is_live};
use super::abi::{Answer, Operation, Refusal, Value};

/// The settings of the caches that are fuzzed.
pub(super) const VALUE_BYTES_MAX: usize = 2048;
pub(super) const FILL_LEASE: Duration = Duration::from_secs(10);
pub(super) const DEFAULT_TTL: u32 = 40;
pub(super) const MAX_TTL: u32 = 100;

/// A partition's name, and a namespace.
pub(super) type Place = (&'static str, Option<String>);

/// Which partitions a guest may open, or how it is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rights {
    /// Of `default`, `stack`, `session` and `service`.
    pub(super) scopes: [Result<&'static str, Refusal>; 4],
}

/// The number of a write: the model's own version.
type Write = u64;

#[derive(Clone, Debug)]
struct Item {
    /// `None`: a fill's placeholder.
    value: Option<Value>,
    write: Write,
    expires: Option<Duration>,
    grace: Duration,
}

#[derive(Default)]
struct Entries {
    items: HashMap<String, Item>,
    /// The locks of entries within their grace, by key and version: until when, and whose.
    locks: HashMap<(String, Write), (Duration, Write)>,
    /// The last fill of each key, and until when it holds.
    computing: HashMap<String, (usize, Duration)>,
    /// What the guests know as versions.
    versions: HashMap<u64, (String, Write)>,
    clears: u64,
}

struct Fill {
    place: Place,
    clears: u64,
    key: String,
    /// Of what it stores over.
    write: Write,
    /// Of the placeholder or lock that it holds.
    lease: Write,
    ends: Duration,
    grace: Duration,
    is_open: bool,
}

#[derive(Clone)]
enum Handle {
    Cache(Place),
    Fill(usize),
}

struct Guest {
    rights: Rights,
    handles: HashMap<u32, Handle>,
}

/// What is expected.
enum Expected {
    Trap,
    Is(Answer),
    /// A handle to this.
    Opened(Place),
    /// A fill, with a value or without.
    Fill(Option<Value>, Fill),
    Versioned(Value, Write),
}

pub(super) struct Model {
    is_encrypting: bool,
    has_ttls: bool,
    now: Duration,
    writes: Write,
    entries: HashMap<Place, Entries>,
    fills: Vec<Fill>,
    guests: Vec<Guest>,
}

impl Model {
    pub(super) fn new(is_encrypting: bool, has_ttls: bool, rights: &[Rights]) -> Self {
        let guest = |rights: &Rights| Guest { rights: *rights, handles: HashMap::new() };
        Self {
            is_encrypting,
            has_ttls,
            now: Duration::ZERO,
            writes: 0,
            entries: HashMap::new(),
            fills: Vec::new(),
            guests: rights.iter().map(guest).collect(),
        }
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.now += by;
    }

    /// A guest's handles, in an order that is always the same; fills or caches.
    pub(super) fn handles(&self, guest: usize, fills: bool) -> Vec<u32> {
        let handles = self.guests[guest].handles.iter();
        let wanted = handles.filter(|(_, handle)| matches!(handle, Handle::Fill(_)) == fills);
        let mut handles: Vec<_> = wanted.map(|(number, _)| *number).collect();
        handles.sort_unstable();
        handles
    }

    /// The versions that guests have seen of a place, in an order that is always the same.
    pub(super) fn version(&self, guest: usize, cache: u32, choice: usize) -> u64 {
        let Some(Handle::Cache(place)) = self.guests[guest].handles.get(&cache) else { return 0 };
        let Some(entries) = self.entries.get(place) else { return 0 };
        let mut versions: Vec<_> =
            entries.versions.iter().map(|(version, (_, write))| (*write, *version)).collect();
        versions.sort_unstable();
        versions.get(versions.len().wrapping_sub(1 + choice)).map_or(0, |(_, version)| *version)
    }

    /// What is live, of all that is known.
    pub(super) fn live(&self) -> impl Iterator<Item = (&Place, &str, &Value)> {
        self.entries.iter().flat_map(move |(place, entries)| {
            let live = entries.items.iter().filter(|(_, item)| is_live(item, self.now));
            live.filter_map(move |(key, item)| Some((place, key.as_str(), item.value.as_ref()?)))
        })
    }

    /// The partitions of a guest can be in any state from here on.
    pub(super) fn forget(&mut self, guest: usize) {
        let scopes = self.guests[guest].rights.scopes;
        self.entries.retain(|(partition, _), _| !scopes.contains(&Ok(partition)));
    }

    /// A guest has ended, and its fills are given back.
    pub(super) fn end(&mut self, guest: usize) {
        for handle in std::mem::take(&mut self.guests[guest].handles).into_values() {
            if let Handle::Fill(fill) = handle {
                self.give_back(fill);
            }
        }
    }

    /// Holds an answer against what is expected, and takes it in. `None`: a trap.
    pub(super) fn check(&mut self, guest: usize, operation: &Operation, answer: Option<Answer>) {
        let expected = self.expect(guest, operation);
        let Some(answer) = answer else {
            assert!(matches!(expected, Expected::Trap), "a trap");
            return self.end(guest);
        };
        match (expected, answer) {
            (Expected::Trap, answer) => panic!("{answer:?}, and no trap"),
            (Expected::Is(expected), answer) => assert_eq!(answer, expected),
            (Expected::Opened(place), Answer::Opened(number)) => {
                self.hold(guest, number, Handle::Cache(place));
            }
            (Expected::Fill(None, fill), Answer::Vacant(number)) => self.begin(guest, number, fill),
            (Expected::Fill(Some(value), fill), Answer::Refresh(answered, number)) => {
                assert_eq!(answered, value);
                self.begin(guest, number, fill);
            }
            (Expected::Versioned(value, write), Answer::Versioned(Some((answered, version)))) => {
                assert_eq!(answered, value);
                self.learn_version(guest, operation, version, write);
            }
            (_, answer) => panic!("{answer:?}"),
        }
    }

    fn hold(&mut self, guest: usize, number: u32, handle: Handle) {
        let known = self.guests[guest].handles.insert(number, handle);
        assert!(known.is_none(), "a handle that the guest holds already");
    }

    fn begin(&mut self, guest: usize, number: u32, fill: Fill) {
        self.fills.push(fill);
        self.hold(guest, number, Handle::Fill(self.fills.len() - 1));
    }

    /// One write has one version, and another one has another.
    fn learn_version(&mut self, guest: usize, operation: &Operation, version: u64, write: Write) {
        let Operation::GetVersioned(cache, key) = operation else { panic!("nobody else answers versions") };
        let Some(Handle::Cache(place)) = self.guests[guest].handles.get(cache).cloned() else {
            panic!("it was looked up before")
        };
        let versions = &mut self.at(&place).versions;
        let known = versions.entry(version).or_insert_with(|| (key.clone(), write));
        assert_eq!(*known, (key.clone(), write), "two writes have one version");
        let of_write = versions.values().filter(|known| **known == (key.clone(), write)).count();
        assert_eq!(of_write, 1, "one write has two versions");
    }

    fn expect(&mut self, guest: usize, operation: &Operation) -> Expected {
        use Operation::*;
        let place = match operation {
            Open(scope, namespace) => return self.open(guest, *scope, namespace.as_deref()),
            Complete(fill, value, ttl) => {
                let Some(Handle::Fill(fill)) = self.guests[guest].handles.get(fill) else {
                    return Expected::Trap;
                };
                return Expected::Is(
                    self.complete(*fill, value, *ttl).map_or_else(Answer::Refused, Answer::Flag),
                );
            }
            DropCache(handle) | DropFill(handle) => return self.drop(guest, *handle, operation),
            Get(cache, _)
            | GetVersioned(cache, _)
            | Delete(cache, _)
            | GetMany(cache, _)
            | DeleteMany(cache, _)
            | Set(cache, ..)
            | Add(cache, ..)
            | Replace(cache, ..)
            | SetMany(cache, ..)
            | Touch(cache, ..)
            | Increment(cache, ..)
            | Decrement(cache, ..)
            | Swap(cache, ..)
            | Fetch(cache, ..)
            | Clear(cache) => {
                let Some(Handle::Cache(place)) = self.guests[guest].handles.get(cache) else {
                    return Expected::Trap;
                };
                place.clone()
            }
        };
        self.answer(&place, operation).unwrap_or_else(|refusal| Expected::Is(Answer::Refused(refusal)))
    }

    fn open(&self, guest: usize, scope: usize, namespace: Option<&str>) -> Expected {
        match self.guests[guest].rights.scopes[scope] {
            Err(refusal) => Expected::Is(Answer::Refused(refusal)),
            Ok(_) if namespace.is_some_and(|name| !(1..=256).contains(&name.len())) => {
                Expected::Is(Answer::Refused(Refusal::InvalidKey))
            }
            Ok(partition) => Expected::Opened((partition, namespace.map(str::to_owned))),
        }
    }

    fn drop(&mut self, guest: usize, handle: u32, operation: &Operation) -> Expected {
        let wants_fill = matches!(operation, Operation::DropFill(_));
        let handles = &mut self.guests[guest].handles;
        match handles.get(&handle) {
            Some(Handle::Cache(_)) if !wants_fill => drop(handles.remove(&handle)),
            Some(Handle::Fill(fill)) if wants_fill => {
                let fill = *fill;
                handles.remove(&handle);
                self.give_back(fill);
            }
            _ => return Expected::Trap,
        }
        Expected::Is(Answer::Nothing)
    }

    /// What an operation on a cache answers.
    fn answer(&mut self, place: &Place, operation: &Operation) -> Result<Expected, Refusal> {
        use Operation::*;
        Ok(Expected::Is(match operation {
            Get(_, key) => {
                check_key(key)?;
                Answer::Value(self.get(place, key).and_then(|item| item.value))
            }
            GetVersioned(_, key) => {
                check_key(key)?;
                match self.get(place, key) {
                    Some(Item { value: Some(value), write, .. }) => {
                        return Ok(Expected::Versioned(value, write));
                    }
                    _ => Answer::Versioned(None),
                }
            }
            GetMany(_, keys) => {
                check_keys(keys)?;
                let value = |key: &String| self.get(place, key).and_then(|item| item.value);
                Answer::Values(keys.iter().map(value).collect())
            }
            Delete(_, key) => {
                check_key(key)?;
                Answer::Flag(self.delete(place, key))
            }
            DeleteMany(_, keys) => {
                check_keys(keys)?;
                Answer::Number(keys.iter().filter(|key| self.delete(place, key)).count() as u64)
            }
            Set(_, key, value, ttl) => {
                self.store(place, (key, value, *ttl), |_| true)?;
                Answer::Nothing
            }
            Add(_, key, value, ttl) => {
                Answer::Flag(self.store(place, (key, value, *ttl), |live| live.is_none())?)
            }
            Replace(_, key, value, ttl) => {
                Answer::Flag(self.store(place, (key, value, *ttl), |live| live.is_some())?)
            }
            SetMany(_, entries, ttl) => Answer::Outcomes(self.set_many(place, entries, *ttl)?),
            Touch(_, key, ttl) => Answer::Flag(self.touch(place, key, *ttl)?),
            Increment(_, key, delta, initial, ttl) => {
                let up = |number: u64| number.saturating_add(*delta).min(i64::MAX as u64);
                Answer::Number(self.count(place, key, up, *initial, *ttl)?)
            }
            Decrement(_, key, delta, initial, ttl) => {
                let down = |number: u64| number.saturating_sub(*delta);
                Answer::Number(self.count(place, key, down, *initial, *ttl)?)
            }
            Swap(_, key, value, expected, ttl) => self.swap(place, (key, value, *ttl), *expected)?,
            Fetch(_, key, grace, _) => return self.fetch(place, key, *grace),
            Clear(_) => {
                let entries = self.at(place);
                *entries = Entries { clears: entries.clears + 1, ..Entries::default() };
                Answer::Nothing
            }
            Open(..) | Complete(..) | DropCache(_) | DropFill(_) => panic!("it is no operation on a cache"),
        }))
    }
}
