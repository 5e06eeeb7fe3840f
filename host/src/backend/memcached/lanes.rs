//! The connections to one server, and which of them a call takes.
//!
//! - Threads of a multi-thread runtime share a few connections: the more calls meet on one, the fewer writes
//!   and reads they cost.
//! - Every current-thread runtime has a connection of its own, so that a call and its reply never leave its
//!   thread: waking another core costs more than all the rest of a call. That is how a host with one runtime
//!   for each core gets the most out of it, and nothing has to be set for it.
//! - Large values go over a connection of their own beside each of these, as a small value waits for all that
//!   was sent before it. Who writes one knows that it is large. Who reads doesn't, so the keys of the large
//!   values that were seen lately are remembered, by their hashes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::runtime::{Handle, Id, RuntimeFlavor};
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64;

use super::MemcachedOptions;
use super::breaker::Breaker;
use super::connection::Connection;
use super::greeting::Facts;
use super::protocol::{Reply, Request};
use super::queue::{Outcome, Requests};
use super::server::Server;
use crate::limits::LARGE_BYTES;
use crate::stored::StorageKey;

/// How many lanes a thread remembers: one for each server of most deployments.
const LATELY_MAX: usize = 16;

/// How many keys of large values are remembered: a power of two, as each has a place by its hash.
const LARGE_KEYS: usize = 4096;

/// All connections to one server.
pub(super) struct Lanes {
    place: Place,
    /// Tells these lanes from others in what a thread remembers.
    id: usize,
    /// Those of multi-thread runtimes.
    shared: Box<[Lane]>,
    /// Those of current-thread runtimes.
    local: Mutex<HashMap<Id, Arc<Lane>>>,
    large_keys: Box<[AtomicU64]>,
}

/// What a connection is made with.
struct Place {
    server: Server,
    options: Arc<MemcachedOptions>,
    breaker: Arc<Breaker>,
}

/// A connection, and one for large values beside it.
struct Lane {
    small: Connection,
    large: OnceLock<Connection>,
}

/// A lane that a thread has used, by the number of its lanes and the runtime.
struct Used {
    lanes: usize,
    runtime: Id,
    lane: Arc<Lane>,
}

/// The lane that a call takes.
enum Chosen<'a> {
    Shared(&'a Lane),
    Local(Arc<Lane>),
}

thread_local! {
    /// The lanes of current-thread runtimes that this thread has used lately, the latest last.
    static LATELY: RefCell<Vec<Used>> = const { RefCell::new(Vec::new()) };
}

impl Lanes {
    pub(super) fn new(server: &Server, options: &Arc<MemcachedOptions>, breaker: &Arc<Breaker>) -> Self {
        static IDS: AtomicUsize = AtomicUsize::new(0);
        let (server, options, breaker) = (server.clone(), Arc::clone(options), Arc::clone(breaker));
        let place = Place { server, options, breaker };
        Self {
            id: IDS.fetch_add(1, Relaxed),
            shared: (0..place.options.connections.max(1)).map(|_| Lane::new(&place)).collect(),
            local: Mutex::new(HashMap::new()),
            large_keys: (0..LARGE_KEYS).map(|_| AtomicU64::new(0)).collect(),
            place,
        }
    }

    /// What the server last said of itself.
    pub(super) fn facts(&self) -> Option<Facts> {
        self.shared.iter().find_map(|lane| lane.small.facts()).or_else(|| {
            let local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
            local.values().find_map(|lane| lane.small.facts())
        })
    }

    /// Sends requests together and waits for their replies, of which there are as many, at the deadline at
    /// the latest. Of the values that come back, at most `batch_bytes_max` bytes are held.
    pub(super) async fn exchange(
        &self,
        requests: Requests,
        batch_bytes_max: usize,
        deadline: Instant,
    ) -> Outcome {
        let is_large = requests.iter().any(|request| self.is_large(request));
        let chosen = self.choose();
        let lane = match &chosen {
            Chosen::Shared(lane) => lane,
            Chosen::Local(lane) => &**lane,
        };
        // By itself, so that the requests are not kept in two places while the replies are awaited.
        let ticket = lane.pick(is_large, &self.place).call(requests, batch_bytes_max, deadline)?;
        ticket.await
    }

    /// The lane of the runtime that we are on.
    fn choose(&self) -> Chosen<'_> {
        let runtime = Handle::current();
        if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Chosen::Local(self.local(runtime.id()));
        }
        Chosen::Shared(match &self.shared[..] {
            [lane] => lane,
            lanes => &lanes[thread_number() % lanes.len()],
        })
    }

    /// The lane of the current-thread runtime that we are on.
    fn local(&self, runtime: Id) -> Arc<Lane> {
        LATELY.with_borrow_mut(|lately| {
            let is_it = |used: &&Used| (used.lanes, used.runtime) == (self.id, runtime);
            if let Some(used) = lately.iter().rev().find(is_it) {
                return Arc::clone(&used.lane);
            }
            let lane = self.enter(runtime);
            if lately.len() == LATELY_MAX {
                lately.remove(0);
            }
            lately.push(Used { lanes: self.id, runtime, lane: Arc::clone(&lane) });
            lane
        })
    }

    /// The lane of a runtime, found or made.
    fn enter(&self, runtime: Id) -> Arc<Lane> {
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        // Runtimes come and go; what they leave behind is only swept where something is added.
        if !local.contains_key(&runtime) {
            local.retain(|_, lane| !lane.is_stopped() || Arc::strong_count(lane) > 1);
        }
        Arc::clone(local.entry(runtime).or_insert_with(|| Arc::new(Lane::new(&self.place))))
    }

    /// Whether a request's value, on its way there or back, is large as far as anybody knows.
    fn is_large(&self, request: &Request) -> bool {
        match request {
            Request::Store { key, entry, .. } => {
                let is_large = entry.data.len() >= LARGE_BYTES;
                self.remember(key, is_large);
                is_large
            }
            Request::Read(key) | Request::Lease(key, _) => self.is_known_as_large(key),
            _ => false,
        }
    }

    /// Whether the value under a key was large when it was last seen.
    pub(super) fn is_known_as_large(&self, key: &StorageKey) -> bool {
        let hash = hash(key);
        self.place(hash).load(Relaxed) == hash
    }

    /// Takes note of how large the value under a key is.
    pub(super) fn saw(&self, key: &StorageKey, reply: &Reply) {
        if let Reply::Found(found) = reply
            && found.length >= LARGE_BYTES
        {
            self.remember(key, true);
        }
    }

    fn remember(&self, key: &StorageKey, is_large: bool) {
        let hash = hash(key);
        let place = self.place(hash);
        if is_large {
            place.store(hash, Relaxed);
        } else if place.load(Relaxed) == hash {
            place.store(0, Relaxed);
        }
    }

    fn place(&self, hash: u64) -> &AtomicU64 {
        &self.large_keys[hash as usize % LARGE_KEYS]
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        // A thread may remember a lane for longer than anybody uses it.
        for lane in self.local.lock().unwrap_or_else(PoisonError::into_inner).values() {
            lane.close();
        }
    }
}

impl Place {
    fn connection(&self) -> Connection {
        Connection::new(&self.server, &self.options, &self.breaker)
    }
}

impl Lane {
    fn new(place: &Place) -> Self {
        Self { small: place.connection(), large: OnceLock::new() }
    }

    fn pick(&self, is_large: bool, place: &Place) -> &Connection {
        match is_large {
            true => self.large.get_or_init(|| place.connection()),
            false => &self.small,
        }
    }

    fn connections(&self) -> impl Iterator<Item = &Connection> {
        std::iter::once(&self.small).chain(self.large.get())
    }

    fn is_stopped(&self) -> bool {
        self.connections().all(Connection::is_stopped)
    }

    fn close(&self) {
        self.connections().for_each(Connection::close);
    }
}

fn hash(key: &StorageKey) -> u64 {
    xxh3_64(key.as_bytes()).max(1)
}

/// A number of this thread's own, small and the same for as long as it lives.
fn thread_number() -> usize {
    static NUMBERS: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: usize = NUMBERS.fetch_add(1, Relaxed));
    NUMBER.with(|number| *number)
}
