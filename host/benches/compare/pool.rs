//! A pool of connections, as programs put before a client that serves one request at a time.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::client::Client;
use crate::load::Load;

/// Connections that callers take in turn, in the order in which they ask.
pub(crate) struct Pool<C> {
    idle: Mutex<Vec<C>>,
    permits: Semaphore,
}

impl<C> Pool<C> {
    pub(crate) fn new(connections: Vec<C>) -> Arc<Self> {
        let permits = Semaphore::new(connections.len());
        Arc::new(Self { idle: Mutex::new(connections), permits })
    }

    async fn take(&self) -> Taken<'_, C> {
        let permit = self.permits.acquire().await.expect("the pool is never closed");
        let connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Taken { pool: self, connection, _permit: permit }
    }
}

/// A connection of a pool, which goes back before the next caller is let in.
struct Taken<'a, C> {
    pool: &'a Pool<C>,
    connection: Option<C>,
    _permit: SemaphorePermit<'a>,
}

impl<C> Taken<'_, C> {
    fn connection(&mut self) -> &mut C {
        self.connection.as_mut().expect("there are as many connections as permits")
    }
}

impl<C> Drop for Taken<'_, C> {
    fn drop(&mut self) {
        let connection = self.connection.take();
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(connection);
    }
}

/// A caller's handle on a pool.
pub(crate) struct Pooled<C>(pub(crate) Arc<Pool<C>>);

impl<C: Client> Client for Pooled<C> {
    async fn get(&mut self, load: &Load, key: usize) -> usize {
        self.0.take().await.connection().get(load, key).await
    }

    async fn set(&mut self, load: &Load, key: usize) {
        self.0.take().await.connection().set(load, key).await;
    }

    async fn set_large(&mut self, load: &Load, key: usize) {
        self.0.take().await.connection().set_large(load, key).await;
    }
}
