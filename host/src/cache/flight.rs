//! Waiting for a value that somebody computes: one caller of this host asks for all who wait, and all are
//! woken when there is an answer.
//!
//! A *flight* is one key that callers of this host wait for or hold a fill of. While a fill of this host is
//! open nobody asks the backend: its end wakes them. While another host computes, whoever has the turn looks
//! again from time to time, and what is found is handed to all. Flights are kept by storage key, so nobody
//! waits for, or is handed, what belongs to another tenant.
//!
//! A value is handed only to those who waited already when it was asked for or sent to be stored. For anybody
//! else it may be older than something that happened before the call.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::random;
use crate::stored::StorageKey;
use crate::value::Value;

/// Locks for the flights: more than there are cores, so that they rarely meet.
const STRIPES: usize = 64;

/// How long to wait before looking again whether another host has computed a value: the first time, and the
/// longest, as it doubles each time. Half of it to one and a half, by chance, so a value is at most 75 ms
/// late.
const POLL_FIRST: Duration = Duration::from_millis(10);
const POLL_MAX: Duration = Duration::from_millis(50);

/// The same while a fill of this host is open, whose end wakes everybody: in case it was lost, and somebody
/// else has stored a value or is about to.
const POLL_HELD: Duration = Duration::from_millis(250);

/// All flights of a host.
pub(super) struct Flights([Mutex<HashMap<StorageKey, Flight>>; STRIPES]);

/// One key.
struct Flight {
    seats: usize,
    shared: Arc<Shared>,
}

struct Shared {
    /// Held by the one who asks the backend for all.
    turn: tokio::sync::Mutex<()>,
    state: watch::Sender<State>,
}

/// Times in a flight: each seat has one, and each landing.
type Moment = u64;

struct State {
    now: Moment,
    /// How many seats are those of callers who wait.
    waiting: u32,
    /// The caller of this host who computes the value: the moment at which it sat down, and until when its
    /// right holds at the latest.
    computing: Option<(Moment, Instant)>,
    /// When it is worth asking the backend, while nobody here computes.
    look_at: Instant,
    /// How long to wait after the next look.
    poll: Duration,
    /// How many callers in a row have given the right back, since there was a value.
    given_back: u32,
    /// How many of those who wait may go and compute without the right.
    passes: u32,
    landing: Option<Landing>,
}

impl State {
    /// Whoever begins a flight has just looked.
    fn new() -> Self {
        let look_at = Instant::now() + random::jittered(POLL_FIRST);
        let poll = POLL_FIRST * 2;
        Self { now: 0, waiting: 0, computing: None, look_at, poll, given_back: 0, passes: 0, landing: None }
    }

    /// The right was given back. Once, that is a failure, and the next one has it. What comes to nothing
    /// again and again is no value to wait for: each time twice as many as before are let go.
    fn give_back(&mut self) {
        self.given_back += 1;
        self.passes = (1_u32.checked_shl(self.given_back).unwrap_or(u32::MAX) - 2).min(self.waiting);
    }

    /// Nobody waits any more: nothing is kept for those who come later.
    fn empty(&mut self) {
        (self.given_back, self.passes, self.landing) = (0, 0, None);
    }

    fn is_held(&self) -> bool {
        self.computing.is_some_and(|(_, until)| Instant::now() < until)
    }

    /// When to look, as things are.
    fn next_look(&self) -> Instant {
        self.computing.map_or(self.look_at, |(_, until)| self.look_at.min(until))
    }
}

/// What is handed to all who sat before it was asked for.
#[derive(Clone)]
struct Landing {
    before: Moment,
    news: News,
}

/// What there is to know for those who wait.
#[derive(Clone, Debug)]
pub(super) enum News {
    /// The value.
    Value(Value),
    /// The one who asked got no answer: each may try on its own.
    NoAnswer,
}

/// A place in a flight. Dropping it leaves.
pub(super) struct Seat {
    flights: Arc<Flights>,
    key: StorageKey,
    shared: Arc<Shared>,
    taken: Moment,
    waits: bool,
}

/// Why a wait has ended.
pub(super) enum Waited<'a> {
    /// There is news.
    News(News),
    /// The caller is to ask, for all.
    Turn(Turn<'a>),
    /// The time is over, or there is nothing to wait for.
    Over,
}

/// The right to ask for all, until it is dropped.
pub(super) struct Turn<'a> {
    seat: &'a Seat,
    asked: Moment,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl Flights {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    /// Takes the seat of somebody who has the right to compute.
    pub(super) fn join(self: &Arc<Self>, key: &StorageKey) -> Seat {
        self.sit(key, false)
    }

    /// Takes the seat of somebody who waits.
    pub(super) fn queue(self: &Arc<Self>, key: &StorageKey) -> Seat {
        self.sit(key, true)
    }

    fn sit(self: &Arc<Self>, key: &StorageKey, waits: bool) -> Seat {
        let mut flights = self.lock(key);
        let flight = flights.entry(*key).or_insert_with(|| {
            let shared =
                Shared { turn: tokio::sync::Mutex::new(()), state: watch::Sender::new(State::new()) };
            Flight { seats: 0, shared: Arc::new(shared) }
        });
        flight.seats += 1;
        let shared = Arc::clone(&flight.shared);
        drop(flights);
        let taken = shared.tick(u32::from(waits));
        Seat { flights: Arc::clone(self), key: *key, shared, taken, waits }
    }

    /// Whether a fill of this host is open.
    pub(super) fn is_computing(&self, key: &StorageKey) -> bool {
        let flight = self.lock(key).get(key).map(|flight| Arc::clone(&flight.shared));
        flight.is_some_and(|shared| shared.state.borrow().is_held())
    }

    fn lock(&self, key: &StorageKey) -> MutexGuard<'_, HashMap<StorageKey, Flight>> {
        // A storage key ends in a keyed hash: its last character alone is evenly spread.
        let last = key.as_bytes().last().copied().unwrap_or_default();
        // What a panicking caller leaves behind is whole: a seat is counted in one step.
        self.0[usize::from(last) % STRIPES].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// A new moment, after all that were, with so many more who wait.
    fn tick(&self, more: u32) -> Moment {
        let mut now = 0;
        self.state.send_if_modified(|state| {
            state.now += 1;
            state.waiting += more;
            now = state.now;
            false
        });
        now
    }
}

impl Seat {
    /// What the seat is for.
    pub(super) fn key(&self) -> &StorageKey {
        &self.key
    }

    /// Whether anybody waits.
    pub(super) fn is_awaited(&self) -> bool {
        self.shared.state.borrow().waiting > 0
    }

    /// Says that the seat's owner computes the value, until then at the latest.
    pub(super) fn compute(&self, until: Instant) {
        self.shared.state.send_modify(|state| self.take_over(state, until));
    }

    /// The same, unless somebody else of this host does already.
    pub(super) fn compute_alone(&self, until: Instant) -> bool {
        self.shared.state.send_if_modified(|state| {
            let is_free = !state.is_held();
            if is_free {
                self.take_over(state, until);
            }
            is_free
        })
    }

    fn take_over(&self, state: &mut State, until: Instant) {
        state.computing = Some((self.taken, until));
        state.look_at = Instant::now() + random::jittered(POLL_HELD);
    }

    /// Says that the seat's owner computes no longer, and has not given its right back.
    pub(super) fn done(&self) {
        self.end(|state| (state.given_back, state.passes) = (0, 0));
    }

    fn end(&self, how: impl FnOnce(&mut State)) {
        self.shared.state.send_if_modified(|state| {
            let was_computing = state.computing.is_some_and(|(seat, _)| seat == self.taken);
            if was_computing {
                // Whoever waits may look at once.
                (state.computing, state.look_at, state.poll) = (None, Instant::now(), POLL_FIRST);
                how(state);
            }
            was_computing
        });
    }

    /// The present moment: who sits down later is not handed what is asked for now.
    pub(super) fn now(&self) -> Moment {
        self.shared.tick(0)
    }

    /// Hands a value to all who wait since before that moment. It is kept for as long as any of them waits.
    pub(super) fn land(&self, before: Moment, news: News) {
        self.shared.state.send_if_modified(|state| {
            let is_awaited = state.waiting > 0;
            if is_awaited {
                state.landing = Some(Landing { before, news });
            }
            is_awaited
        });
    }

    /// Waits until there is news, or it is this caller's turn to ask.
    pub(super) async fn wait(&self, deadline: Instant) -> Waited<'_> {
        let mut watched = self.shared.state.subscribe();
        let turn = tokio::select! {
            biased;
            news = self.news(&mut watched) => return news.map_or(Waited::Over, Waited::News),
            turn = timeout_at(deadline, self.shared.turn.lock()) => turn,
        };
        let Ok(turn) = turn else { return Waited::Over };
        let look_at = loop {
            let (news, look_at) = {
                let state = watched.borrow_and_update();
                (self.news_in(&state), state.next_look())
            };
            if let Some(news) = news {
                return Waited::News(news);
            }
            tokio::select! {
                biased;
                _ = watched.changed() => {}
                () = sleep_until(look_at.min(deadline)) => break look_at,
            }
        };
        if deadline < look_at {
            return Waited::Over;
        }
        Waited::Turn(Turn { seat: self, asked: self.now(), _turn: turn })
    }

    /// What there is to know; `None` where this caller is let go.
    async fn news(&self, watched: &mut watch::Receiver<State>) -> Option<News> {
        loop {
            let of_use = |state: &State| state.passes > 0 || self.is_for_us(state.landing.as_ref());
            // There is a sender for as long as there is a seat.
            let news = watched.wait_for(of_use).await.ok().map(|state| self.news_in(&state))?;
            if news.is_some() || self.takes_a_pass() {
                return news;
            }
        }
    }

    fn takes_a_pass(&self) -> bool {
        let mut is_taken = false;
        self.shared.state.send_if_modified(|state| {
            is_taken = state.passes > 0;
            state.passes = state.passes.saturating_sub(1);
            false
        });
        is_taken
    }

    fn news_in(&self, state: &State) -> Option<News> {
        let landing = state.landing.as_ref().filter(|landing| self.is_for_us(Some(landing)));
        landing.map(|landing| landing.news.clone())
    }

    fn is_for_us(&self, landing: Option<&Landing>) -> bool {
        landing.is_some_and(|landing| self.taken < landing.before)
    }
}

impl Turn<'_> {
    /// Whether it is a turn to look there.
    pub(super) fn is_for(&self, key: &StorageKey) -> bool {
        *key == self.seat.key
    }

    /// Hands what was learnt to all who sat when it was asked for.
    pub(super) fn land(&self, news: News) {
        self.seat.land(self.asked, news);
    }

    /// Leaves the next look to another time, as the value is not there yet.
    pub(super) fn put_off(&self) {
        self.seat.shared.state.send_if_modified(|state| {
            if !state.is_held() {
                // The lease of whoever computed here is over, and another host has the right: the end of that
                // lease is nothing to look for any more.
                state.computing = None;
            }
            let poll = if state.is_held() { POLL_HELD } else { state.poll };
            state.look_at = Instant::now() + random::jittered(poll);
            state.poll = (state.poll * 2).min(POLL_MAX);
            false
        });
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut flights = self.flights.lock(&self.key);
        if let Entry::Occupied(mut flight) = flights.entry(self.key) {
            flight.get_mut().seats -= 1;
            if flight.get().seats == 0 {
                flight.remove();
            }
        }
        drop(flights);
        self.end(State::give_back);
        if self.waits {
            self.shared.state.send_if_modified(|state| {
                state.waiting -= 1;
                if state.waiting == 0 {
                    state.empty();
                }
                false
            });
        }
    }
}

#[cfg(test)]
mod tests;
