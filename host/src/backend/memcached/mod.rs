//! Entries on a memcached server of version 1.6.18 or later, over its meta protocol.
//!
//! A call goes down through these files, and its reply comes back up: `ring` (which server; `router`: the
//! choice), `batch` and `marks` (operations on several servers), `operation` (what is asked of one, in
//! memcached's terms), `node` (is it up: `breaker`; does it owe anything: `returning`), `lanes` (over which
//! connection), `queue` (callers to task), `connection` (the task that owns the socket; `dial`: how it
//! comes by one; `greeting`: its first words), `outbox` (bytes out) and `protocol` (requests to bytes, bytes
//! to replies). `discovery` keeps the set of servers as a cluster says.

mod batch;
mod breaker;
mod connection;
mod credentials;
mod dial;
mod discovery;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
mod greeting;
mod lanes;
mod marks;
mod node;
mod operation;
mod outbox;
mod protocol;
mod queue;
mod returning;
mod ring;
mod router;
mod server;
#[cfg(feature = "tls")]
mod tls;

use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

pub use self::breaker::ServerState;
pub use self::credentials::Credentials;
use self::node::Node;
pub use self::node::ServerHealth;
use self::operation::Operation;
use self::ring::{Ring, no_server};
pub use self::server::{Address, Server};
#[cfg(feature = "tls")]
pub use self::tls::{Tls, TlsFiles};
use super::mark::Write;
use super::{Backend, Begun, Condition, Error, Step, StoreOutcome, Versioned};
use crate::limits::{CONNECT_TIMEOUT, CONNECTIONS, TIMEOUT, VALUE_BYTES_MAX};
use crate::stored::{StorageKey, Stored};
use crate::ttl::Lifetime;
use crate::turns::Turns;

/// Room for what sealing adds to a value: key id, nonce and tag are 44 bytes.
const SEAL_BYTES: usize = 64;

/// Where the server is, how it is reached, and how long to wait for it.
#[derive(Clone, Debug)]
pub struct MemcachedOptions {
    /// The servers, of which each has its share of the keys.
    pub servers: Vec<Server>,
    /// How many connections to each server the threads of a multi-thread runtime share. (Every current-thread
    /// runtime has one of its own.)
    pub connections: usize,
    /// Time to reach the server and greet it.
    pub connect_timeout: Duration,
    /// Time for one exchange with the server, connecting included. Most operations are one exchange.
    pub timeout: Duration,
    /// Largest sealed entry, in bytes. A larger one is refused before it is sent, and one that is found on
    /// the server all the same is a miss.
    pub item_bytes_max: usize,
    /// Who we are, to servers that ask (`-Y`).
    pub credentials: Option<Credentials>,
    /// How TCP connections are secured; `None`: not at all. A Unix socket needs none, and has none.
    #[cfg(feature = "tls")]
    pub tls: Option<Tls>,
}

impl Default for MemcachedOptions {
    /// `localhost:11211`, with the default [limits](crate::limits).
    fn default() -> Self {
        Self {
            servers: Server::parse("localhost").into_iter().collect(),
            connections: CONNECTIONS,
            connect_timeout: CONNECT_TIMEOUT,
            timeout: TIMEOUT,
            item_bytes_max: VALUE_BYTES_MAX + SEAL_BYTES,
            credentials: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

/// Memcached servers, of which each has its share of the keys, behind connections that all callers share.
///
/// A connection is made when the first operation comes, and again after it is lost. It is served by a task
/// on the tokio runtime (with time and IO) of the operation that found none, and is as alive as that runtime
/// is.
///
/// Leases, lifetimes and grace have memcached's precision: whole seconds, of which the first may be shorter.
/// A lifetime or lease of one second becomes two, as memcached may end one second at once.
///
/// # Several servers
///
/// Keys are spread by weighted rendezvous hashing over the servers' names. There are no copies: what lives on
/// a server that can't be reached is unavailable, and nothing is written elsewhere instead. A server that
/// failed three times in a row (connections that can't be made, or stall) is not asked until a look at it,
/// from 1 to 60 seconds apart, succeeds.
///
/// [`get_many`](Backend::get_many) answers as long as one of the servers that it asks does; what the others
/// hold counts as absent. Each of the servers may hold `bytes_max` bytes of answers at that moment.
///
/// A server that was away, or not a part of the set, serves nothing that this host has overwritten or deleted
/// meanwhile, or tried to.
///
/// # Where an operation is less than atomic
///
/// [`touch`](Backend::touch): an entry that replaces the one that was seen, at the very moment, is touched.
pub struct Memcached {
    options: Arc<MemcachedOptions>,
    ring: RwLock<Arc<Ring>>,
    /// Between callers of this host who count with the same key.
    turns: Turns<StorageKey>,
}

/// What a server says of itself: see [`Memcached::report`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerReport {
    /// Its version, like `1.6.18`.
    pub version: String,
    /// Largest sealed entry that it takes, in bytes: its item size limit (`-I`) less what it adds to an
    /// entry.
    pub item_bytes_max: usize,
    /// From a meta command to its reply. `None` where the server does not know the meta commands, as some
    /// proxies; nothing works without.
    pub round_trip: Option<Duration>,
}

impl Memcached {
    /// Servers that are connected to when they are first needed.
    pub fn new(options: MemcachedOptions) -> Self {
        let options = Arc::new(options);
        let ring = RwLock::new(Arc::new(Ring::new(&options)));
        Self { options, ring, turns: Turns::new() }
    }

    /// The servers of a cluster that says itself which they are, by `config get cluster`; `options.servers`
    /// are asked. A task on the runtime of the caller keeps the set up to date until it is dropped.
    ///
    /// Until the cluster has answered, which is logged, the servers that are asked are the set.
    pub async fn discover(options: MemcachedOptions) -> Arc<Self> {
        let endpoints = Arc::new(options.clone());
        let (version, servers) = match discovery::find(&options).await {
            Ok(cluster) => (cluster.version, cluster.servers),
            Err(reason) => {
                tracing::warn!(reason, "the cluster does not say which servers it has");
                (0, options.servers.clone())
            }
        };
        let memcached = Arc::new(Self::new(MemcachedOptions { servers, ..options }));
        tokio::spawn(discovery::follow(Arc::downgrade(&memcached), endpoints, version));
        memcached
    }

    /// Spreads the keys over other servers from now on. Each has a name of its own.
    ///
    /// Servers that stay, by name and address, keep their connections; what is under way on one that goes is
    /// finished. Of what a server that comes or stays holds, nothing counts that this host may have written
    /// elsewhere since.
    pub fn set_servers(&self, servers: &[Server]) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        *ring = Arc::new(ring.changed(servers, &self.options));
    }

    /// What this host thinks of each server.
    pub fn health(&self) -> Vec<ServerHealth> {
        self.ring().health()
    }

    /// Asks the first server what it is: see [`reports`](Self::reports).
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] where it can't be reached or is too old, with the reason.
    pub async fn report(&self) -> Result<ServerReport, Error> {
        match self.ring().nodes().first() {
            Some(node) => node.report().await,
            None => Err(no_server()),
        }
    }

    /// Asks each server what it is, for operators, on a connection of its own: by name, its answer or why
    /// there is none.
    pub async fn reports(&self) -> Vec<(String, Result<ServerReport, Error>)> {
        let ring = self.ring();
        let report =
            ring.nodes().iter().map(|node| async { (node.server().name.clone(), node.report().await) });
        join_all(report).await
    }

    /// [`Backend::get`], without the box that a trait object's future takes.
    ///
    /// # Errors
    ///
    /// As [`Backend::get`].
    pub async fn get(&self, key: &StorageKey) -> Result<Option<Versioned>, Error> {
        self.begin(self.ring().home(key)?).get(key).await
    }

    /// [`Backend::store`], without the box that a trait object's future takes.
    ///
    /// # Errors
    ///
    /// As [`Backend::store`].
    pub async fn store(
        &self,
        key: &StorageKey,
        entry: Stored,
        lifetime: Lifetime,
        condition: Condition,
    ) -> Result<StoreOutcome, Error> {
        self.begin(self.ring().home(key)?).store(key, entry, lifetime, condition).await
    }

    /// The servers as they are now. An operation ends on the ring that it began on.
    fn ring(&self) -> Arc<Ring> {
        // What a panicking writer leaves behind is whole: the ring is replaced as one.
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin<'a>(&self, node: &'a Node) -> Operation<'a> {
        node.begin(Instant::now() + self.options.timeout)
    }
}

#[async_trait]
impl Backend for Memcached {
    async fn get_many(&self, keys: &[StorageKey], bytes_max: usize) -> Result<Vec<Option<Versioned>>, Error> {
        batch::get_many(&self.ring(), |node| self.begin(node), keys, bytes_max).await
    }

    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned>, Error> {
        Self::get(self, key).await
    }

    async fn store(
        &self,
        key: &StorageKey,
        entry: Stored,
        lifetime: Lifetime,
        condition: Condition,
    ) -> Result<StoreOutcome, Error> {
        Self::store(self, key, entry, lifetime, condition).await
    }

    async fn store_many(
        &self,
        entries: Vec<(StorageKey, Stored)>,
        lifetime: Lifetime,
    ) -> Vec<Result<(), Error>> {
        batch::store_many(&self.ring(), |node| self.begin(node), entries, lifetime).await
    }

    async fn delete_many(&self, keys: &[StorageKey]) -> Result<Vec<bool>, Error> {
        batch::delete_many(&self.ring(), |node| self.begin(node), keys).await
    }

    async fn touch(&self, key: &StorageKey, lifetime: Lifetime) -> Result<bool, Error> {
        self.begin(self.ring().home(key)?).touch(key, lifetime).await
    }

    async fn count(&self, key: &StorageKey, step: Step) -> Result<Option<u64>, Error> {
        let ring = self.ring();
        let operation = self.begin(ring.home(key)?);
        let turn = timeout_at(operation.deadline(), self.turns.take(key)).await;
        let _turn =
            turn.map_err(|_| Error::Unavailable { reason: "too many count with the same key".to_owned() })?;
        operation.count(key, step).await
    }

    async fn begin_fill(&self, key: &StorageKey, lease: Duration) -> Result<Begun, Error> {
        // A second more than whole ones, as the server's present second has partly passed.
        let seconds = u32::try_from(lease.as_secs_f64().ceil() as u64).unwrap_or(u32::MAX).saturating_add(1);
        let lease = Lifetime::Seconds(NonZeroU32::new(seconds).unwrap_or(NonZeroU32::MIN));
        self.begin(self.ring().home(key)?).begin_fill(key, lease).await
    }

    async fn abandon_fill(&self, key: &StorageKey, version: u64) -> Result<(), Error> {
        self.begin(self.ring().home(key)?).abandon_fill(key, version).await
    }

    fn place(&self, key: &StorageKey) -> usize {
        self.ring().home(key).map_or(0, |node| node.place(key))
    }

    async fn read_marks(&self, keys: &[StorageKey]) -> Result<Vec<Option<u64>>, Error> {
        marks::read(&self.ring(), |node| self.begin(node), keys).await
    }

    async fn make_mark(&self, key: &StorageKey, number: u64) -> Result<u64, Error> {
        marks::write(&self.ring(), |node| self.begin(node), key, Write::Make(number)).await
    }

    async fn advance_mark(&self, key: &StorageKey, number: u64) -> Result<u64, Error> {
        marks::write(&self.ring(), |node| self.begin(node), key, Write::Advance(number)).await
    }
}
