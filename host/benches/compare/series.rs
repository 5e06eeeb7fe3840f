//! What is compared: the contestants, and the loads that each of them is put under.

use std::fmt;

/// Connections of a pool, as is usual for one.
pub(crate) const POOL: usize = 32;

/// Size of the values that are stored beside small reads.
pub(crate) const LARGE_BYTES: usize = 1024 * 1024;

/// A client, used in one way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Contestant {
    /// The engine: one [`Memcached`](strongroom_host::backend::Memcached) for all callers.
    Strongroom,
    MemcacheAsync(Sharing),
    AsyncMemcached(Sharing),
    /// One process with one thread and one connection.
    Pymemcache,
}

/// How callers come by connections of a client that serves one request at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sharing {
    PerCaller,
    /// At most [`POOL`] connections, which callers wait for.
    Pool,
}

impl Contestant {
    /// All that run on tokio. The second is what the others are compared with.
    pub(crate) const ON_TOKIO: [Self; 5] = [
        Self::Strongroom,
        Self::BASELINE,
        Self::MemcacheAsync(Sharing::Pool),
        Self::AsyncMemcached(Sharing::PerCaller),
        Self::AsyncMemcached(Sharing::Pool),
    ];

    /// What ratios are to.
    pub(crate) const BASELINE: Self = Self::MemcacheAsync(Sharing::PerCaller);

    const NAMES: [(&'static str, Self); 6] = [
        ("strongroom", Self::Strongroom),
        ("memcache-async", Self::BASELINE),
        ("memcache-async-pool", Self::MemcacheAsync(Sharing::Pool)),
        ("async-memcached", Self::AsyncMemcached(Sharing::PerCaller)),
        ("async-memcached-pool", Self::AsyncMemcached(Sharing::Pool)),
        ("pymemcache", Self::Pymemcache),
    ];

    /// The contestant of a name on the command line; `ours` is short for the engine.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = if name == "ours" { "strongroom" } else { name };
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, contestant)| *contestant)
    }

    /// Keeps its keys apart from the others', as clients disagree on what flags mean.
    pub(crate) fn number(self) -> usize {
        Self::NAMES.iter().position(|(_, contestant)| *contestant == self).unwrap_or_default()
    }

    fn is_pool(self) -> bool {
        matches!(self, Self::MemcacheAsync(Sharing::Pool) | Self::AsyncMemcached(Sharing::Pool))
    }
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strongroom => f.write_str("**strongroom**"),
            Self::MemcacheAsync(Sharing::PerCaller) => f.write_str("memcache-async, connection per caller"),
            Self::MemcacheAsync(Sharing::Pool) => write!(f, "memcache-async, pool of {POOL}"),
            Self::AsyncMemcached(Sharing::PerCaller) => f.write_str("async-memcached, connection per caller"),
            Self::AsyncMemcached(Sharing::Pool) => write!(f, "async-memcached, pool of {POOL}"),
            Self::Pymemcache => f.write_str("pymemcache, one thread"),
        }
    }
}

/// The runtime that callers are tasks of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Threads {
    /// One multi-thread runtime with a worker thread for each core.
    Multi,
    /// A current-thread runtime for each core, each with its share of the callers and connections.
    PerCore,
}

impl fmt::Display for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Multi => "multi-thread runtime",
            Self::PerCore => "a current-thread runtime per core",
        })
    }
}

/// A load. Its callers are tasks, each of which has one operation after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Series {
    pub(crate) threads: Threads,
    pub(crate) callers: usize,
    pub(crate) value_bytes: usize,
    /// How many of a hundred operations are gets; the others are sets.
    pub(crate) gets_percent: usize,
    /// Callers that store values of [`LARGE_BYTES`] meanwhile, and wait for each to be acknowledged.
    pub(crate) large_callers: usize,
}

impl Series {
    pub(crate) const fn new(threads: Threads, callers: usize, value_bytes: usize) -> Self {
        Self { threads, callers, value_bytes, gets_percent: 95, large_callers: 0 }
    }

    /// The comparison's series: by callers, larger values, and small reads without and beside large writes.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for threads in [Threads::Multi, Threads::PerCore] {
            all.extend([1, 16, 64, 256].map(|callers| Self::new(threads, callers, 100)));
            all.push(Self::new(threads, 64, 10_000));
            all.extend([0, 2].map(|large_callers| Self {
                gets_percent: 100,
                large_callers,
                ..Self::new(threads, 16, 100)
            }));
        }
        all
    }

    /// Who takes part. A pool that has a connection for every caller is no contestant of its own; Python has
    /// one caller and no such runtime; reads beside large writes are the engine's question to the baseline.
    pub(crate) fn contestants(&self, has_python: bool) -> Vec<Contestant> {
        if self.gets_percent == 100 {
            return vec![Contestant::Strongroom, Contestant::BASELINE];
        }
        let on_tokio = Contestant::ON_TOKIO.into_iter();
        let mut contestants: Vec<_> =
            on_tokio.filter(|contestant| !contestant.is_pool() || self.callers > POOL).collect();
        if has_python && self.callers == 1 && self.threads == Threads::Multi {
            contestants.push(Contestant::Pymemcache);
        }
        contestants
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let callers =
            if self.callers == 1 { "1 caller".to_owned() } else { format!("{} callers", self.callers) };
        let size = match self.value_bytes {
            bytes if bytes >= 1000 && bytes % 1000 == 0 => format!("{} KB", bytes / 1000),
            bytes => format!("{bytes} B"),
        };
        write!(f, "{callers}, {size}, {}% gets, {}", self.gets_percent, self.threads)?;
        match self.large_callers {
            0 => Ok(()),
            large => write!(f, ", beside {large} callers that set 1 MiB values"),
        }
    }
}
