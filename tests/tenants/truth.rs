//! What is known of one deployment's entries: enough to tell what must not be read, and no history.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::population::{KEYS, Population, Spot};

/// A clear is kept by itself for so long; no call that was made before it is judged later.
const SETTLED_AFTER: Duration = Duration::from_secs(60);

/// After a fetch, a right to compute may be out for so long without anybody having it: the lease (2 s, which
/// a server may end 2 s late), and the longest that a request may be held back before it is carried out.
const LEASE_DOUBT: Duration = Duration::from_secs(4);

/// How many version numbers are remembered, for others to try, and how many entries that were there.
const VERSIONS: usize = 64;
const ENTRIES: usize = 64;

/// Counters begin so far from zero that they never get there.
const COUNTER_START: u64 = 1 << 44;

/// Each counter counts in steps of its own, which are a little larger than this.
const COUNTER_UNIT: u64 = 1_000_003;

pub(crate) struct Truth {
    /// The deployment's number.
    stage: usize,
    tickets: Mutex<Tickets>,
    /// For each node of the population, and for each place.
    nodes: Vec<Mutex<Floor>>,
    places: Vec<Mutex<Floor>>,
    counters: Vec<Counter>,
    leases: Vec<Mutex<Lease>>,
    lease_doubt: Duration,
    versions: Mutex<VecDeque<(Spot, u64)>>,
    entries: Mutex<VecDeque<Spot>>,
    /// What is done to each spot, place and node, but reading.
    spot_deeds: Vec<Deeds>,
    place_deeds: Vec<Deeds>,
    node_deeds: Vec<Deeds>,
}

/// How often something was begun that may change what lies there, and how much of that is under way.
#[derive(Default)]
struct Deeds {
    begun: AtomicU64,
    under_way: AtomicU64,
}

/// Something that may change what lies somewhere, while it is under way.
pub(crate) struct Deed<'a>(&'a Deeds);

impl<'a> Deed<'a> {
    fn begin(deeds: &'a Deeds) -> Self {
        deeds.under_way.fetch_add(1, SeqCst);
        deeds.begun.fetch_add(1, SeqCst);
        Self(deeds)
    }
}

impl Drop for Deed<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, SeqCst);
    }
}

/// The numbers of all values: what is written gets the next one.
#[derive(Default)]
struct Tickets {
    next: u64,
    /// Those of calls under way.
    flying: BTreeSet<u64>,
}

/// A number, for as long as the call lasts that writes a value under it.
pub(crate) struct Ticket<'a> {
    truth: &'a Truth,
    pub(crate) number: u64,
    _deed: Deed<'a>,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        lock(&self.truth.tickets).flying.remove(&self.number);
    }
}

/// Below which number values are gone, by the clears that were acknowledged.
#[derive(Default)]
struct Floor {
    settled: u64,
    /// From when on each holds.
    recent: Vec<(Instant, u64)>,
}

impl Floor {
    fn raise(&mut self, from: Instant, floor: u64) {
        let now = Instant::now();
        let Self { settled, recent } = self;
        recent.retain(|(since, floor)| {
            let is_settled = now.saturating_duration_since(*since) > SETTLED_AFTER;
            *settled = if is_settled { (*settled).max(*floor) } else { *settled };
            !is_settled
        });
        recent.push((from, floor));
    }

    fn at(&self, moment: Instant) -> u64 {
        let recent = self.recent.iter().filter(|(from, _)| *from <= moment).map(|(_, floor)| *floor);
        recent.max().unwrap_or(0).max(self.settled)
    }
}

/// How much was ever added to a counter, and taken from it, at most.
#[derive(Default)]
struct Counter {
    added: AtomicU64,
    taken: AtomicU64,
}

/// Who may have the right to compute the value of one key.
#[derive(Default)]
struct Lease {
    fetching: u32,
    fetches: u64,
    doubt_until: Option<Instant>,
}

/// A fetch under way, and whether anybody else could have had the right when it began.
#[derive(Clone, Copy)]
pub(crate) struct Fetch {
    is_alone: bool,
    number: u64,
}

impl Truth {
    /// `held_back`: how long a server or the network may hold a request back before it is carried out.
    pub(crate) fn new(population: &Population, stage: usize, held_back: Duration) -> Self {
        let spots = population.places.len() * KEYS;
        Self {
            stage,
            tickets: Mutex::default(),
            nodes: population.nodes.iter().map(|_| Mutex::default()).collect(),
            places: population.places.iter().map(|_| Mutex::default()).collect(),
            counters: (0..spots).map(|_| Counter::default()).collect(),
            leases: (0..spots).map(|_| Mutex::default()).collect(),
            lease_doubt: LEASE_DOUBT + held_back,
            versions: Mutex::default(),
            entries: Mutex::default(),
            spot_deeds: (0..spots).map(|_| Deeds::default()).collect(),
            place_deeds: population.places.iter().map(|_| Deeds::default()).collect(),
            node_deeds: population.nodes.iter().map(|_| Deeds::default()).collect(),
        }
    }

    /// A number for a value that is about to be written there.
    pub(crate) fn ticket(&self, spot: Spot) -> Ticket<'_> {
        let deed = self.deed_at(spot);
        let mut tickets = lock(&self.tickets);
        tickets.next += 1;
        let number = tickets.next;
        tickets.flying.insert(number);
        Ticket { truth: self, number, _deed: deed }
    }

    /// An entry is about to be changed, or removed.
    pub(crate) fn deed_at(&self, spot: Spot) -> Deed<'_> {
        Deed::begin(&self.spot_deeds[spot.index()])
    }

    /// A place is about to be cleared.
    pub(crate) fn deed_on_place(&self, place: usize) -> Deed<'_> {
        Deed::begin(&self.place_deeds[place])
    }

    /// A node is about to be cleared.
    pub(crate) fn deed_on_node(&self, node: usize) -> Deed<'_> {
        Deed::begin(&self.node_deeds[node])
    }

    /// How much was ever done to an entry and to what contains it; `None` while something is.
    pub(crate) fn deeds(&self, population: &Population, spot: Spot) -> Option<u64> {
        let nodes = population.places[spot.place].nodes.iter().map(|node| &self.node_deeds[*node]);
        let all = nodes.chain([&self.place_deeds[spot.place], &self.spot_deeds[spot.index()]]);
        all.map(|deeds| {
            // What has begun is read first: what begins now is seen by one of the two.
            let begun = deeds.begun.load(SeqCst);
            (deeds.under_way.load(SeqCst) == 0).then_some(begun)
        })
        .sum()
    }

    /// Below this, every value was written by a call that is over.
    pub(crate) fn written_until_now(&self) -> u64 {
        let tickets = lock(&self.tickets);
        tickets.flying.first().copied().unwrap_or(tickets.next + 1)
    }

    pub(crate) fn was_given_out(&self, number: u64) -> bool {
        (1..=lock(&self.tickets).next).contains(&number)
    }

    /// A clear of one place was acknowledged: calls that begin after `from` find nothing below the number.
    pub(crate) fn cleared_place(&self, place: usize, from: Instant, floor: u64) {
        lock(&self.places[place]).raise(from, floor);
    }

    /// The same of a node with everything that lies below.
    pub(crate) fn cleared_node(&self, node: usize, from: Instant, floor: u64) {
        lock(&self.nodes[node]).raise(from, floor);
    }

    /// Below which number a call that began then must find nothing.
    pub(crate) fn floor(&self, population: &Population, place: usize, asked: Instant) -> u64 {
        let nodes = population.places[place].nodes.iter().map(|node| lock(&self.nodes[*node]).at(asked));
        nodes.max().unwrap_or(0).max(lock(&self.places[place]).at(asked))
    }

    /// What a counter begins with.
    pub(crate) fn counter_start(&self, spot: Spot) -> u64 {
        COUNTER_START + self.counter_number(spot)
    }

    fn counter_unit(&self, spot: Spot) -> u64 {
        COUNTER_UNIT + 2 * self.counter_number(spot)
    }

    /// Of all counters of all deployments.
    fn counter_number(&self, spot: Spot) -> u64 {
        (self.stage * self.counters.len() + spot.index()) as u64
    }

    /// Some steps of a counter's own, which count from now on.
    pub(crate) fn add(&self, spot: Spot, dice: &mut Dice) -> u64 {
        let delta = self.counter_unit(spot) * dice.between(1, 9);
        self.counters[spot.index()].added.fetch_add(delta, SeqCst);
        delta
    }

    pub(crate) fn take(&self, spot: Spot, dice: &mut Dice) -> u64 {
        let delta = self.counter_unit(spot) * dice.between(1, 9);
        self.counters[spot.index()].taken.fetch_add(delta, SeqCst);
        delta
    }

    /// Whether a counter can stand there: a whole number of its own steps away from its beginning, and no
    /// further than its owner has ever gone.
    pub(crate) fn check_counter(&self, spot: Spot, number: u64) -> Result<(), String> {
        let (start, unit) = (self.counter_start(spot), self.counter_unit(spot));
        let counter = &self.counters[spot.index()];
        let (added, taken) = (counter.added.load(SeqCst), counter.taken.load(SeqCst));
        let is_own = number.abs_diff(start).is_multiple_of(unit);
        if is_own && (start - taken..=start + added).contains(&number) {
            return Ok(());
        }
        Err(format!(
            "the counter is {number}; it began with {start} and counts by {unit}; at most {added} were added \
             and {taken} taken"
        ))
    }

    pub(crate) fn fetch_begins(&self, spot: Spot) -> Fetch {
        let mut lease = lock(&self.leases[spot.index()]);
        let is_alone = lease.fetching == 0 && lease.doubt_until.is_none_or(|doubt| doubt < Instant::now());
        lease.fetching += 1;
        lease.fetches += 1;
        Fetch { is_alone, number: lease.fetches }
    }

    /// Answers whether nobody else could have had the right meanwhile.
    pub(crate) fn fetch_ends(&self, spot: Spot, fetch: Fetch) -> bool {
        let mut lease = lock(&self.leases[spot.index()]);
        lease.fetching -= 1;
        lease.doubt_until = Some(Instant::now() + self.lease_doubt);
        fetch.is_alone && lease.fetches == fetch.number
    }

    /// Somebody has read an entry there.
    pub(crate) fn saw_entry(&self, spot: Spot) {
        let mut entries = lock(&self.entries);
        if entries.len() >= ENTRIES {
            entries.pop_front();
        }
        entries.push_back(spot);
    }

    /// Where an entry was read lately.
    pub(crate) fn some_entry(&self, dice: &mut Dice) -> Option<Spot> {
        lock(&self.entries).get(dice.below(ENTRIES)).copied()
    }

    pub(crate) fn saw_version(&self, spot: Spot, version: u64) {
        let mut versions = lock(&self.versions);
        if versions.len() >= VERSIONS {
            versions.pop_front();
        }
        versions.push_back((spot, version));
    }

    /// A version number of somebody else's.
    pub(crate) fn foreign_version(&self, spot: Spot, dice: &mut Dice) -> Option<(Spot, u64)> {
        let versions = lock(&self.versions);
        let (owner, version) = *versions.get(dice.below(VERSIONS))?;
        (owner != spot).then_some((owner, version))
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether what must not be would be noticed.
pub(crate) fn can_tell(population: &Population) -> bool {
    let [truth, elsewhere] = [0, 1].map(|stage| Truth::new(population, stage, Duration::ZERO));
    let mut dice = Dice::new(1, 1);
    let [first, second] = [Spot { place: 1, key: 0 }, Spot { place: 2, key: 0 }];

    let before = truth.ticket(first).number;
    let flying = truth.ticket(first);
    let (cleared, floor) = (Instant::now(), truth.written_until_now());
    truth.cleared_node(population.places[1].nodes[0], cleared, floor);
    let early = cleared.checked_sub(Duration::from_nanos(1)).expect("the machine runs for longer");
    let clears = before < truth.floor(population, 1, cleared)
        && flying.number >= truth.floor(population, 1, cleared)
        && truth.floor(population, 1, early) == 0
        && truth.was_given_out(before)
        && !truth.was_given_out(flying.number + 1);

    let start = truth.counter_start(first);
    let (ours, theirs) = (truth.add(first, &mut dice), truth.add(second, &mut dice));
    let counters = truth.check_counter(first, start).is_ok()
        && truth.check_counter(first, start + ours).is_ok()
        && truth.check_counter(first, start + theirs).is_err()
        && truth.check_counter(first, start + ours + truth.counter_unit(first)).is_err()
        && truth.check_counter(first, truth.counter_start(second)).is_err()
        && truth.check_counter(first, elsewhere.counter_start(first)).is_err()
        && truth.check_counter(first, start + elsewhere.counter_unit(first)).is_err();

    let alone = truth.fetch_begins(first);
    let is_alone = truth.fetch_ends(first, alone);
    let after = truth.fetch_begins(first);
    let leases = is_alone && !truth.fetch_ends(first, after);

    let deeds = |spot| truth.deeds(population, spot);
    let under_way = deeds(first).is_none();
    drop(flying);
    let (before, other) = (deeds(first), deeds(second));
    drop(truth.deed_at(first));
    let is_seen = before.is_some() && deeds(first) > before && deeds(second) == other;
    clears && counters && leases && under_way && is_seen
}
