//! Entries on a memcached server of version 1.6.18 or later, over its meta protocol.
//!
//! A call goes down through these files, and its reply comes back up: `operation` (what is asked, in
//! memcached's terms), `queue` (callers to task), `connection` (the task that owns the socket; `dial`:
//! how it comes by one; `greeting`: its first words), `outbox` (bytes out) and `protocol` (requests to bytes, bytes to replies).

mod connection;
mod credentials;
mod dial;
mod greeting;
mod operation;
mod outbox;
mod protocol;
mod queue;
mod server;
#[cfg(feature = "tls")]
mod tls;

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use self::connection::Connection;
pub use self::credentials::Credentials;
use self::operation::Operation;
pub use self::server::{Address, Server};
#[cfg(feature = "tls")]
pub use self::tls::{Tls, TlsFiles};
use super::{Backend, Begun, Condition, Error, Step, StoreOutcome, Versioned};
use crate::limits::{CONNECT_TIMEOUT, CONNECTIONS, TIMEOUT, VALUE_BYTES_MAX};
use crate::stored::{StorageKey, Stored};
use crate::ttl::Lifetime;
use crate::turns::Turns;

/// Room for what sealing adds to a value: key id, nonce and tag are 44 bytes.
const SEAL_BYTES: usize = 64;

/// Where the server is, how it is reached, and how long to wait for it.
#[derive(Clone, PartialEq, Eq, Debug)]
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

/// A memcached server, behind one connection that all callers share.
///
/// The connection is made when the first operation comes, and again after it is lost. It is served by a task
/// on the tokio runtime (with time and IO) of the operation that found none, and is as alive as that runtime
/// is.
///
/// Leases, lifetimes and grace have memcached's precision: whole seconds, of which the first may be shorter.
/// A lifetime or lease of one second becomes two, as memcached may end one second at once.
///
/// # Where an operation is less than atomic
///
/// [`touch`](Backend::touch): an entry that replaces the one that was seen, at the very moment, is touched.
pub struct Memcached {
    connection: Connection,
    /// Between callers of this host who count with the same key.
    turns: Turns,
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
    /// A server that is connected to when it is first needed.
    pub fn new(options: MemcachedOptions) -> Self {
        Self { connection: Connection::new(options), turns: Turns::new() }
    }

    /// Asks the server what it is, for operators, on a connection of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] where it can't be reached or is too old, with the reason.
    pub async fn report(&self) -> Result<ServerReport, Error> {
        let probed = connection::probe(self.connection.options()).await;
        let (server, round_trip) = probed.map_err(|reason| Error::Unavailable { reason })?;
        Ok(ServerReport {
            version: server.version.to_string(),
            item_bytes_max: server.value_bytes_max(),
            round_trip,
        })
    }

    fn begin(&self) -> Operation<'_> {
        let deadline = Instant::now() + self.connection.options().timeout;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Operation::new(&self.connection, deadline, now)
    }
}

#[async_trait]
impl Backend for Memcached {
    async fn get_many(&self, keys: &[StorageKey], bytes_max: usize) -> Result<Vec<Option<Versioned>>, Error> {
        self.begin().get_many(keys, bytes_max).await
    }

    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned>, Error> {
        self.begin().get(key).await
    }

    async fn store(
        &self,
        key: &StorageKey,
        entry: Stored,
        lifetime: Lifetime,
        condition: Condition,
    ) -> Result<StoreOutcome, Error> {
        self.begin().store(key, entry, lifetime, condition).await
    }

    async fn store_many(
        &self,
        entries: Vec<(StorageKey, Stored)>,
        lifetime: Lifetime,
    ) -> Vec<Result<(), Error>> {
        self.begin().store_many(entries, lifetime).await
    }

    async fn delete_many(&self, keys: &[StorageKey]) -> Result<Vec<bool>, Error> {
        self.begin().delete_many(keys).await
    }

    async fn touch(&self, key: &StorageKey, lifetime: Lifetime) -> Result<bool, Error> {
        self.begin().touch(key, lifetime).await
    }

    async fn count(&self, key: &StorageKey, step: Step) -> Result<Option<u64>, Error> {
        let operation = self.begin();
        let turn = timeout_at(operation.deadline(), self.turns.take(key)).await;
        let _turn =
            turn.map_err(|_| Error::Unavailable { reason: "too many count with the same key".to_owned() })?;
        operation.count(key, step).await
    }

    async fn begin_fill(&self, key: &StorageKey, lease: Duration) -> Result<Begun, Error> {
        let seconds = u32::try_from(lease.as_secs()).unwrap_or(u32::MAX);
        let lease = Lifetime::Seconds(NonZeroU32::new(seconds).unwrap_or(NonZeroU32::MIN));
        self.begin().begin_fill(key, lease).await
    }

    async fn abandon_fill(&self, key: &StorageKey, version: u64) -> Result<(), Error> {
        self.begin().abandon_fill(key, version).await
    }
}
