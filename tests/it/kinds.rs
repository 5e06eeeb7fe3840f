//! The kinds of hosts that tests are run on: of either backend, plain, encrypted, and over both protocols.

use std::sync::Arc;

use strongroom_host::backend::{Backend, Memory, Protocol};
use strongroom_host::{Cache, Clock, Config};

use crate::harness::{Host, Invocation, connect};
use crate::memcached::Memcached;

/// Which backend a host has, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Memory,
    MemoryEncrypted,
    Memcached,
    MemcachedEncrypted,
    MemcachedClassic,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Memory,
        Self::MemoryEncrypted,
        Self::Memcached,
        Self::MemcachedEncrypted,
        Self::MemcachedClassic,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::MemoryEncrypted => "memory, encrypted",
            Self::Memcached => "memcached",
            Self::MemcachedEncrypted => "memcached, encrypted",
            Self::MemcachedClassic => "memcached, classic",
        }
    }

    /// A host of this kind, which is otherwise configured as asked.
    pub(crate) async fn host(self, config: Config) -> Host {
        let config = self.configured(config);
        match self {
            Self::Memory | Self::MemoryEncrypted => Host::on_memory(config),
            _ => Host::on_memcached(config).await,
        }
    }

    fn configured(self, config: Config) -> Config {
        match self {
            Self::Memory | Self::Memcached => config,
            Self::MemoryEncrypted | Self::MemcachedEncrypted => {
                config.encryption_key(&format!("base64:{}=", "A".repeat(43))).expect("a key")
            }
            Self::MemcachedClassic => config.protocol(Protocol::Classic),
        }
    }

    /// A storage of this kind, for several hosts.
    pub(crate) fn storage(self) -> Storage {
        let place = match self {
            Self::Memory | Self::MemoryEncrypted => {
                Place::Here(Arc::new(Memory::new(64 << 20, Clock::system())))
            }
            _ => Place::Server(Memcached::start()),
        };
        Storage { kind: self, place }
    }
}

/// Where several hosts keep their entries.
pub(crate) struct Storage {
    kind: Kind,
    place: Place,
}

enum Place {
    Here(Arc<Memory>),
    Server(Memcached),
}

impl Storage {
    /// One more host at it.
    pub(crate) async fn connect(&self, config: Config) -> Cache {
        let config = self.kind.configured(config);
        match &self.place {
            Place::Here(memory) => {
                let backend = Arc::clone(memory) as Arc<dyn Backend>;
                Cache::with_backend(config, backend).expect("settings that go together")
            }
            Place::Server(server) => connect(config, server).await,
        }
    }
}

/// A host of every kind, by what it is.
pub(crate) async fn hosts() -> Vec<(&'static str, Host)> {
    let mut hosts = Vec::new();
    for kind in Kind::ALL {
        hosts.push((kind.name(), kind.host(Config::new()).await));
    }
    hosts
}

/// Runs a guest on all of them, and expects it to end well.
pub(crate) async fn passes_on_all(guest: &str) {
    for (name, host) in &hosts().await {
        let ended = host.run(guest, Invocation::default()).await;
        assert!(ended.failure.is_none(), "{guest} on {name}: {}", ended.failure.unwrap_or_default());
    }
}

/// A test that runs the guest of its name and expects it to end well.
macro_rules! passes {
    ($name:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            $crate::kinds::passes_on_all(stringify!($name)).await;
        }
    };
}

/// Fails to compile where there is no test of the guest's name.
macro_rules! has_test {
    ($name:ident) => {
        const _: fn() = || {
            #[expect(unused_imports, reason = "named, so that it must exist")]
            use self::$name as _;
        };
    };
}

pub(crate) use {has_test, passes};
