//! The connections to a server, of which each serves one operation at a time.
//!
//! An operation takes a connection out, and gives it back after a reply that was whole. One that fails or is
//! cancelled in between drops it, and whatever would still have come on it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, Id};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::link::{Fault, Link};
use crate::backend::{MemcachedOptions, Server};
use crate::limits::CLASSIC_CONNECTIONS;

/// Connections that are in use or wait to be.
pub(super) struct Pool {
    options: MemcachedOptions,
    /// One for each connection that may be in use.
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
    size: usize,
    /// Whether the last attempt to connect failed.
    is_down: AtomicBool,
}

struct Idle {
    link: Link,
    /// Whose driver wakes those who wait for the socket: another runtime may be gone when it is needed.
    runtime: Id,
}

/// A connection that an operation has for itself.
pub(super) struct Held<'a> {
    pub(super) link: Link,
    /// Whether it has served an operation before, and so may have ended since.
    pub(super) is_used: bool,
    pool: &'a Pool,
    _permit: SemaphorePermit<'a>,
}

impl Pool {
    pub(super) fn new(options: MemcachedOptions) -> Self {
        let size = options.connections.max(CLASSIC_CONNECTIONS);
        Self {
            options,
            permits: Semaphore::new(size),
            idle: Mutex::default(),
            size,
            is_down: AtomicBool::new(false),
        }
    }

    pub(super) fn options(&self) -> &MemcachedOptions {
        &self.options
    }

    /// A connection, which may be one that was used before.
    pub(super) async fn take(&self, deadline: Instant) -> Result<Held<'_>, Fault> {
        let permit = self.permit(deadline).await?;
        let runtime = Handle::current().id();
        while let Some(link) = self.pop(runtime) {
            if link.is_quiet() {
                return Ok(Held { link, is_used: true, pool: self, _permit: permit });
            }
        }
        self.open(permit, deadline).await
    }

    /// A new connection, after one that was used before turned out to have ended: then all have.
    pub(super) async fn take_new(&self, deadline: Instant) -> Result<Held<'_>, Fault> {
        self.lock().clear();
        let permit = self.permit(deadline).await?;
        self.open(permit, deadline).await
    }

    async fn permit(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, Fault> {
        let permit = timeout_at(deadline, self.permits.acquire()).await;
        // The semaphore is never closed.
        permit.map_err(|_| Fault::Busy)?.map_err(|_| Fault::Busy)
    }

    async fn open<'a>(&'a self, permit: SemaphorePermit<'a>, deadline: Instant) -> Result<Held<'a>, Fault> {
        let server = only_server(&self.options)?;
        let connect_deadline = deadline.min(Instant::now() + self.options.connect_timeout);
        let opened = timeout_at(connect_deadline, Link::open(&server.address)).await;
        match opened.unwrap_or(Err(Fault::ConnectTimeout)) {
            Ok((link, _)) => {
                if self.is_down.swap(false, Ordering::Relaxed) {
                    tracing::warn!("connected to memcached again");
                }
                Ok(Held { link, is_used: false, pool: self, _permit: permit })
            }
            Err(fault) => {
                // Said once an outage: during one, every operation tries again.
                if !self.is_down.swap(true, Ordering::Relaxed) {
                    tracing::warn!(reason = %fault, "no connection to memcached");
                }
                Err(fault)
            }
        }
    }

    fn pop(&self, runtime: Id) -> Option<Link> {
        let mut idle = self.lock();
        // The one that was used last is the one that is least likely to have ended.
        let position = idle.iter().rposition(|idle| idle.runtime == runtime)?;
        Some(idle.remove(position).link)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        // What a panicking caller leaves behind is whole.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    /// Lets another operation have the connection. Only after a reply that was whole.
    pub(super) fn give_back(self) {
        let mut idle = self.pool.lock();
        if idle.len() >= self.pool.size {
            // Of a runtime that is not used any more, most likely.
            idle.remove(0);
        }
        idle.push(Idle { link: self.link, runtime: Handle::current().id() });
    }

    /// Drops the connection, and says why.
    pub(super) fn end(self, fault: Fault) -> Fault {
        tracing::warn!(reason = %fault, "connection to memcached ended");
        fault
    }
}

/// The one server, which is reached in plain and without credentials. What is configured otherwise is refused
/// rather than left out.
pub(super) fn only_server(options: &MemcachedOptions) -> Result<&Server, Fault> {
    let is_plain = options.credentials.is_none();
    #[cfg(feature = "tls")]
    let is_plain = is_plain && options.tls.is_none();
    let server = options.servers.first().ok_or(Fault::NoServer)?;
    if is_plain { Ok(server) } else { Err(Fault::PlainOnly) }
}
