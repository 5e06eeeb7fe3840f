//! The clients, each behind the few operations that are compared. Calls fail by panicking: a comparison of
//! failures says nothing.

use std::future::Future;
use std::sync::Arc;

use async_memcached::AsciiProtocol;
use memcache_async::ascii::Protocol;
use strongroom_host::Lifetime;
use strongroom_host::backend::{Condition, Memcached, MemcachedOptions, Server};
use tokio::net::TcpStream;

use crate::load::Load;

/// A client as one caller has it. Keys are numbers within the load.
pub(crate) trait Client: Send + 'static {
    /// Reads the key, and answers how long its value is.
    fn get(&mut self, load: &Load, key: usize) -> impl Future<Output = usize> + Send;

    /// Stores the load's value, in the way that the client's users do.
    fn set(&mut self, load: &Load, key: usize) -> impl Future<Output = ()> + Send;

    /// Stores the load's large value, and returns when the server has it.
    fn set_large(&mut self, load: &Load, key: usize) -> impl Future<Output = ()> + Send;
}

/// The engine, one for all callers. Every store is acknowledged.
#[derive(Clone)]
pub(crate) struct Strongroom(Arc<Memcached>);

impl Strongroom {
    pub(crate) fn new(port: u16) -> Self {
        let servers = Server::parse(&format!("127.0.0.1:{port}")).into_iter().collect();
        Self(Arc::new(Memcached::new(MemcachedOptions { servers, ..MemcachedOptions::default() })))
    }

    pub(crate) fn backend(&self) -> &Memcached {
        &self.0
    }
}

impl Client for Strongroom {
    async fn get(&mut self, load: &Load, key: usize) -> usize {
        let found = self.0.get(&load.keys[key]).await.expect("reachable").expect("a hit");
        found.entry.data.len()
    }

    async fn set(&mut self, load: &Load, key: usize) {
        let stored = self.0.store(&load.keys[key], load.entry(), Lifetime::UntilEvicted, Condition::Always);
        stored.await.expect("stored");
    }

    async fn set_large(&mut self, load: &Load, key: usize) {
        let (key, entry) = (&load.large_keys[key], load.large_entry());
        self.0.store(key, entry, Lifetime::UntilEvicted, Condition::Always).await.expect("stored");
    }
}

/// memcache-async, on a connection of its own. Its `set` asks for no reply.
pub(crate) struct MemcacheAsync(Protocol<TcpStream>);

impl MemcacheAsync {
    pub(crate) async fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("reachable");
        // Without it, every get that follows a set waits 40 ms.
        stream.set_nodelay(true).expect("allowed");
        Self(Protocol::new(stream))
    }
}

impl Client for MemcacheAsync {
    async fn get(&mut self, load: &Load, key: usize) -> usize {
        self.0.get(load.names[key].as_bytes()).await.expect("a hit").len()
    }

    async fn set(&mut self, load: &Load, key: usize) {
        self.0.set(&load.names[key], &load.value, 0).await.expect("sent");
    }

    async fn set_large(&mut self, load: &Load, key: usize) {
        self.0.set(&load.large_names[key], &load.large_value, 0).await.expect("sent");
        // What the server answers to this, it answers after the set.
        self.0.version().await.expect("answered");
    }
}

/// async-memcached, on a connection of its own. Its `set` waits for the reply.
pub(crate) struct AsyncMemcached(async_memcached::Client);

impl AsyncMemcached {
    pub(crate) async fn connect(port: u16) -> Self {
        Self(async_memcached::Client::new(format!("tcp://127.0.0.1:{port}")).await.expect("reachable"))
    }
}

impl Client for AsyncMemcached {
    async fn get(&mut self, load: &Load, key: usize) -> usize {
        let value = self.0.get(&load.names[key]).await.expect("reachable").expect("a hit");
        value.data.map_or(0, |data| data.len())
    }

    async fn set(&mut self, load: &Load, key: usize) {
        self.0.set(&load.names[key], &load.value[..], None, None).await.expect("stored");
    }

    async fn set_large(&mut self, load: &Load, key: usize) {
        self.0.set(&load.large_names[key], &load.large_value[..], None, None).await.expect("stored");
    }
}
