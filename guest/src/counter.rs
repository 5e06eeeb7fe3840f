//! Counters: integers that several callers change without losing a change.

use crate::bindings::strongroom::cache::types as wit;
use crate::cache::Cache;
use crate::error::Error;
use crate::limits::COUNT_MAX;
use crate::ttl::Ttl;

/// `increment` or `decrement`: key, delta, initial and lifetime to the new number.
type Change = fn(&wit::Cache, &str, u64, u64, Option<u32>) -> Result<u64, wit::Error>;

/// A counter under one key, see [`Cache::counter`].
#[must_use = "a counter does nothing until it is incremented or decremented"]
#[derive(Debug, Clone, Copy)]
pub struct Counter<'a> {
    cache: &'a Cache,
    key: &'a str,
    start: u64,
    ttl: Ttl,
}

impl Cache {
    /// The counter under the key. It holds zero until somebody counts, and its entry is an
    /// integer: [`get`](Cache::get), [`set`](Cache::set) and [`delete`](Cache::delete) work on it.
    ///
    /// ```no_run
    /// # use strongroom::{Error, Ttl, session_cache};
    /// /// At most five attempts a minute.
    /// fn may_try() -> Result<bool, Error> {
    ///     let cache = session_cache()?;
    ///     let attempts = cache.counter("attempts").expiring(Ttl::minutes(1)).increment(1)?;
    ///     Ok(attempts <= 5)
    /// }
    /// ```
    #[doc(alias = "increment")]
    #[doc(alias = "decrement")]
    pub fn counter<'a>(&'a self, key: &'a str) -> Counter<'a> {
        Counter { cache: self, key, start: 0, ttl: Ttl::host_default() }
    }
}

impl Counter<'_> {
    /// What to count from where there is no entry: the first `increment(1)` of a counter that starts
    /// at 10 answers 11, and the first `decrement(1)` answers 9.
    pub fn starting_at(self, start: u64) -> Self {
        Self { start, ..self }
    }

    /// The lifetime of a counter that begins with this call. One that exists keeps the lifetime that it
    /// has, so it ends that long after its first count.
    pub fn expiring(self, ttl: Ttl) -> Self {
        Self { ttl, ..self }
    }

    /// Adds to the counter and answers the new number, stopping at 2^63 - 1.
    ///
    /// # Errors
    ///
    /// [`Error::NotAnInteger`] where the entry is something else or negative, and [`Error::InvalidTtl`].
    pub fn increment(self, delta: u64) -> Result<u64, Error> {
        self.count(wit::Cache::increment, delta, u64::saturating_add)
    }

    /// Takes from the counter and answers the new number, stopping at zero.
    ///
    /// # Errors
    ///
    /// As [`Counter::increment`].
    pub fn decrement(self, delta: u64) -> Result<u64, Error> {
        self.count(wit::Cache::decrement, delta, u64::saturating_sub)
    }

    /// The contract stores `initial` as it is where there is no entry, so the first step is made here.
    fn count(self, change: Change, delta: u64, first_step: fn(u64, u64) -> u64) -> Result<u64, Error> {
        let initial = first_step(self.start.min(COUNT_MAX), delta).min(COUNT_MAX);
        let ttl = self.ttl.to_wit();
        change(&self.cache.handle, self.key, delta, initial, ttl).map_err(Error::from_wit)
    }
}
