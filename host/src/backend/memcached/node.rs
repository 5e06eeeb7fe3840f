//! One server of the set: its connections, its breaker, and what it owes.
//!
//! Every exchange with the server goes through here: is it up, does it owe anything, and only then a
//! connection.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use super::breaker::{Admission, Breaker, ServerState};
use super::connection::probe;
use super::greeting::Facts;
use super::lanes::Lanes;
use super::operation::Operation;
use super::protocol::{Reply, Request};
use super::queue::{Failure, Outcome, Requests};
use super::returning::{Past, Pledge};
use super::router::Router;
use super::server::{Address, Server};
use super::{MemcachedOptions, ServerReport};
use crate::backend::Error;
use crate::random;
use crate::stored::StorageKey;

/// Of an exchange whose caller goes away with no more than this part of its time left, nobody may hope for
/// an answer: a write has failed then, rather than been given up.
const PATIENCE_LEFT_PERCENT: u32 = 75;

/// One server.
pub(super) struct Node {
    number: usize,
    server: Server,
    options: Arc<MemcachedOptions>,
    lanes: Lanes,
    breaker: Arc<Breaker>,
    past: Past,
}

/// What a host thinks of one server: see [`Memcached::health`](super::Memcached::health).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ServerHealth {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// Whether it is asked at all.
    pub state: ServerState,
    /// How often it could not be reached, or stalled, since it was added.
    pub failures: u64,
    /// For how long it has failed without a success in between.
    pub outage: Option<Duration>,
    /// Failed writes of which it is yet to forget the keys.
    pub owed_keys: usize,
}

impl Node {
    pub(super) fn new(server: Server, options: &Arc<MemcachedOptions>) -> Self {
        // A probe is a connection and a few round trips, within the connect timeout together.
        let breaker = Breaker::new(&server.name, options.connect_timeout * 2, random::unit);
        let breaker = Arc::new(breaker);
        let lanes = Lanes::new(&server, options, &breaker);
        let past = Past::new(&server.name);
        // Servers of one set have different ones, however they come and go.
        static NODES: AtomicUsize = AtomicUsize::new(0);
        let number = NODES.fetch_add(1, Relaxed);
        Self { number, server, options: Arc::clone(options), lanes, breaker, past }
    }

    /// Whether this is the server of that name, at the same address.
    pub(super) fn is(&self, server: &Server) -> bool {
        self.server.name == server.name && self.server.address == server.address
    }

    /// See [`Backend::place`](crate::backend::Backend::place).
    pub(super) fn place(&self, key: &StorageKey) -> usize {
        self.number * 2 + usize::from(self.lanes.is_known_as_large(key))
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    pub(super) fn options(&self) -> &MemcachedOptions {
        &self.options
    }

    /// What the server last said of itself.
    pub(super) fn facts(&self) -> Option<Facts> {
        self.lanes.facts()
    }

    /// Takes note of how large the value under a key is.
    pub(super) fn saw(&self, key: &StorageKey, reply: &Reply) {
        self.lanes.saw(key, reply);
    }

    /// Whatever it holds counts as absent from now on.
    pub(super) fn distrust_all(&self) {
        self.past.distrust_all();
    }

    /// A number that others have taken was not written here.
    pub(super) fn owe(&self, key: &StorageKey) {
        self.past.owe(std::slice::from_ref(key));
    }

    /// The set of servers changes, of which this one was and stays a part.
    pub(super) fn remember(&self, former: &Arc<Router>) {
        self.past.remember(former);
    }

    /// The number that an item under a key must at least have, where the key is kept on `copies` servers.
    pub(super) fn floor(&self, key: &StorageKey, copies: usize) -> u64 {
        self.past.floor(key, copies)
    }

    pub(super) fn begin(&self, deadline: Instant) -> Operation<'_> {
        Operation::new(self, deadline)
    }

    /// Asks the server what it is, on a connection of its own.
    pub(super) async fn report(&self) -> Result<ServerReport, Error> {
        let probed = probe(&self.server, &self.options).await;
        let (server, round_trip) = probed.map_err(|reason| Error::Unavailable { reason })?;
        Ok(ServerReport {
            version: server.version.to_string(),
            item_bytes_max: server.value_bytes_max(),
            round_trip,
        })
    }

    pub(super) fn health(&self) -> ServerHealth {
        let reading = self.breaker.read(Instant::now());
        ServerHealth {
            name: self.server.name.clone(),
            address: self.server.address.clone(),
            state: reading.state,
            failures: reading.failures,
            outage: reading.outage,
            owed_keys: self.past.owed(),
        }
    }

    /// Sends requests together and waits for their replies, of which there are as many.
    pub(super) async fn exchange(
        &self,
        requests: Requests,
        batch_bytes_max: usize,
        deadline: Instant,
    ) -> Outcome {
        let patience_ends = deadline - self.options.timeout * PATIENCE_LEFT_PERCENT / 100;
        let mut pledge = Pledge::new(&self.past, &requests, patience_ends);
        let outcome = match self.settle(&requests, deadline).await {
            Ok(()) => self.lanes.exchange(requests, batch_bytes_max, deadline).await,
            Err(failure) => Err(failure),
        };
        match outcome {
            Ok(_) | Err(Failure::TooLarge { .. } | Failure::Busy { .. }) => pledge.kept(),
            Err(Failure::NotSent { .. } | Failure::Unanswered { .. }) => pledge.broken(),
        }
        outcome
    }

    /// Waits until the server is up and owes nothing, or fails.
    async fn settle(&self, requests: &[Request], deadline: Instant) -> Result<(), Failure> {
        self.admit()?;
        if self.past.is_plain() {
            return Ok(());
        }
        let Some(key) = requests.iter().find_map(Request::key) else {
            return Ok(());
        };
        let send = |requests: Vec<_>| self.lanes.exchange(requests.into(), 0, deadline);
        self.past.settle(self.breaker.connections(), key, deadline, send).await
    }

    /// Lets a call through unless the server is down, and has it looked at when that is due.
    fn admit(&self) -> Result<(), Failure> {
        let reason = match self.breaker.admit(Instant::now) {
            Admission::Yes => return Ok(()),
            Admission::No(reason) => reason,
            Admission::Probe(reason) => {
                let (server, options) = (self.server.clone(), Arc::clone(&self.options));
                tokio::spawn(look_at(server, options, Arc::clone(&self.breaker)));
                reason
            }
        };
        Err(Failure::NotSent { reason })
    }
}

/// Looks whether a server is back.
async fn look_at(server: Server, options: Arc<MemcachedOptions>, breaker: Arc<Breaker>) {
    match probe(&server, &options).await {
        Ok((_, Some(_))) => breaker.succeeded(),
        Ok((_, None)) => breaker.failed(Instant::now(), "the server does not know the meta commands"),
        Err(reason) => breaker.failed(Instant::now(), &reason),
    }
}
