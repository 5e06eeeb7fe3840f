//! The cache as hosts use it: one [`Cache`] for a deployment, a [`ScopedCache`] for each partition and
//! namespace.
//!
//! The operations lie in `single`, `batch`, `counter` and `fill` (whose callers wait for each other in
//! `flight`); what every one of them goes through in `pipeline`, and what it has to pass first in `charge` (a
//! batch: in `parts`). What operators see of them lies in `recent`.

mod single;
mod batch;
mod charge;
mod counter;
mod fill;
mod flight;
mod lease;
mod recent;
mod parts;
mod pipeline;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::backend::{self, Backend, Memcached, MemcachedOptions, Memory, Protocol, Server, ServerHealth};
use crate::clock::Clock;
use crate::codec::{Codec, CodecOptions, Keyring, Sealer, Secret};
use crate::config::{Config, check_servers};
use crate::error::{Error, ErrorKind};
use crate::fair::FairQueue;
use crate::generation::{Generations, Lineage, Numbers};
use crate::invocation::{Budget, HandleCount};
use crate::key::{KeyDeriver, PartitionKey, Place};
use crate::quota::{Account, Accounts};
use crate::recent::{Recent, Recorder};
use crate::scope::{Namespace, Partition, Scope};
use crate::telemetry::{Stats, Telemetry};
use crate::turns::SharedTurns;

use flight::Flights;

pub use fill::{Fetched, Fill};
pub use single::SwapOutcome;

/// A deployment's cache: its backend, its keys and its settings. Cloning it is cheap, and clones are the same
/// cache.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use strongroom_host::{Cache, Partition};
///
/// let cache = Cache::in_memory();
/// let acme = cache.open(&Partition::service("fx")?.stack("acme")?, None)?;
/// acme.set("rate", "1.08".into(), Some(60)).await?;
/// assert_eq!(acme.get("rate").await?, Some("1.08".into()));
///
/// let other = cache.open(&Partition::service("fx")?.stack("globex")?, None)?;
/// assert_eq!(other.get("rate").await?, None);
/// # Ok::<(), strongroom_host::Error>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Cache(Arc<Shared>);

/// What all handles of a cache share.
struct Shared {
    backend: Arc<dyn Backend>,
    /// The backend, where it is the memcached engine of the configuration.
    memcached: Option<Arc<Memcached>>,
    codec: Codec,
    deriver: KeyDeriver,
    generations: Generations,
    telemetry: Telemetry,
    /// Between callers of this host who change one sealed counter, or read the numbers of one cache again.
    turns: SharedTurns,
    /// What each stack has used.
    accounts: Accounts,
    /// Who is next at each server, where there are any.
    fair: Option<FairQueue>,
    /// What callers of this host wait for, or compute.
    flights: Arc<Flights>,
    /// What was asked for lately, where that is remembered.
    recent: Option<Arc<Recent>>,
    /// The time for one operation, where the backend is configured with one: see `pipeline`.
    time: Option<Duration>,
    config: Config,
}

impl Cache {
    /// A cache as configured: on memcached where servers are set, else in this process.
    ///
    /// A server that can't be reached now is no error: operations answer `unavailable` until it can.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for settings that don't go together, and for files of TLS, or a directory
    /// of recent keys, that can't be used.
    pub async fn connect(config: Config) -> Result<Self, Error> {
        let codec = codec(&config)?;
        let Some(options) = server_options(&config, &codec)? else {
            let recent = recent::begin(&config, &codec)?;
            return Ok(Self::assemble_in_memory(config, codec, recent));
        };
        let recent = recent::begin(&config, &codec)?;
        let time = Some(config.timeout);
        if config.protocol != Protocol::Meta {
            if let Err(error) = backend::reach(&options, config.protocol).await {
                tracing::warn!(%error, "no cache server yet; reads and writes are unavailable until there is");
            }
            let backend = backend::over(options, config.protocol);
            return Ok(Self::assemble(config, codec, (backend, None), recent, time));
        }
        let memcached = match config.discovery {
            true => Memcached::discover(options).await,
            false => Arc::new(Memcached::new(options)),
        };
        for (server, report) in memcached.reports().await {
            if let Err(error) = report {
                tracing::warn!(%server, %error, "no cache server yet; what lives there is unavailable");
            }
        }
        let backend = Arc::clone(&memcached);
        Ok(Self::assemble(config, codec, (backend, Some(memcached)), recent, time))
    }

    /// How the configured server is reached, or `None` where entries live in this process: for programs that
    /// ask the server itself something, by [`Memcached::report`].
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for settings that don't go together, and for files of TLS that can't be
    /// used.
    pub fn server_options(config: &Config) -> Result<Option<MemcachedOptions>, Error> {
        server_options(config, &codec(config)?)
    }

    /// A cache in this process, with the default settings: for tests, and to begin with.
    pub fn in_memory() -> Self {
        let config = Config::new();
        let codec = codec_with(None, &config);
        Self::assemble_in_memory(config, codec, None)
    }

    fn assemble_in_memory(config: Config, codec: Codec, recent: Option<Arc<Recent>>) -> Self {
        let memory = Memory::new(config.memory_bytes_max, Clock::system());
        Self::assemble(config, codec, (Arc::new(memory), None), recent, None)
    }

    /// A cache over a backend of the embedder's choice. The configuration's server is not used.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for settings that don't go together, and for a directory of recent keys
    /// that can't be used.
    pub fn with_backend(config: Config, backend: Arc<dyn Backend>) -> Result<Self, Error> {
        let codec = codec(&config)?;
        let recent = recent::begin(&config, &codec)?;
        Ok(Self::assemble(config, codec, (backend, None), recent, None))
    }

    fn assemble(
        config: Config,
        codec: Codec,
        (backend, memcached): (Arc<dyn Backend>, Option<Arc<Memcached>>),
        recent: Option<Arc<Recent>>,
        time: Option<Duration>,
    ) -> Self {
        let secret = config.key_secret.as_ref().map(Secret::as_bytes);
        let deriver = KeyDeriver::new(secret, &config.prefix);
        let generations =
            Generations::new(backend.clone(), deriver.clone(), Clock::system(), config.generation_ttl);
        let telemetry = Telemetry::default();
        let turns = SharedTurns::new();
        let flights = Arc::new(Flights::new());
        let accounts = Accounts::new(config.quotas.clone(), config.value_bytes_max, Clock::system());
        // In this process there is nothing to queue for.
        let fair = time.map(|_| FairQueue::new(Clock::system()));
        Self(Arc::new(Shared {
            backend,
            memcached,
            codec,
            deriver,
            generations,
            telemetry,
            turns,
            accounts,
            fair,
            flights,
            recent,
            time,
            config,
        }))
    }

    /// The cache of a partition and namespace (1 to 256 bytes), for a host that acts for it. Extensions get
    /// theirs through a [`CacheCtx`](crate::CacheCtx), which checks what they may open.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_key`] for an empty namespace, or one that is too long.
    pub fn open(&self, partition: &Partition, namespace: Option<&str>) -> Result<ScopedCache, Error> {
        self.open_for(partition, namespace, self.account(partition), None)
    }

    /// The same for a guest, who has a budget and a handle.
    pub(crate) fn open_for(
        &self,
        partition: &Partition,
        namespace: Option<&str>,
        account: Arc<Account>,
        guest: Option<(Arc<Budget>, HandleCount)>,
    ) -> Result<ScopedCache, Error> {
        let namespace = namespace.map(Namespace::new).transpose()?;
        let place = Place { partition: partition.clone(), namespace };
        let config = &self.0.config;
        let compress =
            place.partition.scope() != Scope::Session || !config.is_encrypted() || config.compress_sessions;
        let sealer = self.0.codec.sealer(&place.identity(), compress);
        let lineage = self.0.generations.lineage(&place);
        let recorder = self.0.recent.as_ref().map(|recent| Recorder::new(recent, &place));
        let (budget, count) = guest.unzip();
        Ok(ScopedCache(Arc::new(Handle {
            shared: self.0.clone(),
            place,
            sealer,
            lineage,
            recorder,
            keys: Mutex::new(None),
            account,
            budget,
            _count: count,
        })))
    }

    /// What the stack of a partition has used, and may use.
    pub(crate) fn account(&self, partition: &Partition) -> Arc<Account> {
        self.0.accounts.of(partition)
    }

    /// A refusal by a quota or limit, counted.
    pub(crate) fn refused(&self, kind: ErrorKind) -> Error {
        self.0.telemetry.refused();
        kind.into()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// Makes every entry of the partition unreachable, with all its namespaces and everything below it: a
    /// stack's sessions, a service's stacks. Other hosts follow within the generation time.
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`]: nothing was changed; [`Error::is_timed_out`]: it may have happened.
    pub async fn clear(&self, partition: &Partition) -> Result<(), Error> {
        self.0.bounded(async { Ok(self.0.generations.renew_node(partition).await?) }).await
    }

    /// Ends a session: none of its entries can be reached any more, in whatever namespace, once this has
    /// answered, on this host, and within the generation time on all others. What comes later under the same
    /// identifier begins with nothing.
    ///
    /// Call it when a user logs out, before the identifier may be used again. An invocation of the old login
    /// that still runs then writes into what the next one reads: where identifiers are used again, tell the
    /// logins apart by [`Partition::issued`].
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] where the partition is no session. As [`clear`](Self::clear): try again,
    /// or don't use the identifier again while entries live.
    pub async fn end_session(&self, session: &Partition) -> Result<(), Error> {
        if session.scope() != Scope::Session {
            return Err(Error::invalid_config("the partition is no session, so there is none to end"));
        }
        self.clear(session).await
    }

    /// Spreads the keys over other memcached servers from now on: see [`Memcached::set_servers`].
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for no server, more than 256 or two of the same name, and for a cache
    /// that was not [connected](Self::connect) to servers, or discovers them. Nothing has changed then.
    pub fn set_servers(&self, servers: Vec<Server>) -> Result<(), Error> {
        let Some(memcached) = &self.0.memcached else {
            return Err(Error::invalid_config(
                "servers: this cache is on none, which stays so while it runs",
            ));
        };
        if self.0.config.discovery {
            return Err(Error::invalid_config("servers: they are discovered, and not set while it runs"));
        }
        if servers.is_empty() {
            return Err(Error::invalid_config("servers: a cache on servers can't do without while it runs"));
        }
        memcached.set_servers(&check_servers(servers)?);
        Ok(())
    }

    /// What this host thinks of each memcached server; empty where there are none.
    pub fn servers(&self) -> Vec<ServerHealth> {
        self.0.memcached.as_ref().map_or_else(Vec::new, |memcached| memcached.health())
    }

    /// Counts of what this cache has done since it was made.
    pub fn stats(&self) -> Stats {
        self.0.telemetry.stats()
    }
}

/// The cache of one partition and namespace. Cloning it is cheap.
///
/// Guest keys are any UTF-8 of 1 to 1024 bytes. A `ttl` is in whole seconds; `None` means the deployment's
/// default.
///
/// Every operation fails with [`Error::is_invalid_key`] for a key that is empty or too long, and with
/// [`Error::is_unavailable`] where the cache can't be reached and nothing was changed; those that write, with
/// [`Error::is_timed_out`] where no answer came and it may have happened. Of a cache that a
/// [`CacheCtx`](crate::CacheCtx) has opened, also with [`Error::is_quota_exceeded`].
#[derive(Clone)]
pub struct ScopedCache(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    place: Place,
    sealer: Sealer,
    lineage: Lineage,
    /// Notes what is asked for, where that is remembered.
    recorder: Option<Recorder>,
    /// The keys under the numbers that were last seen.
    keys: Mutex<Option<(Numbers, Arc<PartitionKey>)>>,
    account: Arc<Account>,
    /// What is left to the invocation; `None` where the host acts itself.
    budget: Option<Arc<Budget>>,
    _count: Option<HandleCount>,
}

/// The codec that the settings ask for.
fn codec(config: &Config) -> Result<Codec, Error> {
    config.check_recent()?;
    let keyring = match &config.encryption_key {
        Some(key) => Some(
            Keyring::new(key.clone(), config.previous_keys.clone())
                .map_err(|error| Error::invalid_config(format!("encryption_key: {error}")))?,
        ),
        None if config.previous_keys.is_empty() => None,
        None => {
            return Err(Error::invalid_config("previous_keys: allowed only together with an encryption_key"));
        }
    };
    Ok(codec_with(keyring, config))
}

fn codec_with(keyring: Option<Keyring>, config: &Config) -> Codec {
    let value_bytes_max = config.value_bytes_max;
    Codec::new(CodecOptions { keyring, compress: config.compress_data, value_bytes_max })
}

fn server_options(config: &Config, codec: &Codec) -> Result<Option<MemcachedOptions>, Error> {
    let servers = config.server_list();
    if servers.is_empty() {
        return Ok(None);
    }
    config.transport.check_tls_is_meant()?;
    config.check_protocol()?;
    Ok(Some(MemcachedOptions {
        servers,
        connections: config.connections,
        connect_timeout: config.connect_timeout,
        timeout: config.timeout,
        item_bytes_max: codec.sealed_bytes_max(),
        credentials: config.transport.credentials()?,
        #[cfg(feature = "tls")]
        tls: config.transport.tls()?,
    }))
}

#[cfg(test)]
mod tests;
