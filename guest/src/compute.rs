//! Computing once: the value under a key, or else what a closure computes, which is then stored.
//!
//! Whatever fails in the cache, the value is computed and returned, and the error is reported to the hook of
//! [`on_cache_error`](crate::on_cache_error).

mod turn;
#[cfg(test)]
mod tests;

use std::marker::PhantomData;
use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use crate::cache::Cache;
use crate::fetch::FetchOptions;
use crate::shape::{OkOnly, Whole};
use crate::ttl::Ttl;

pub(crate) use turn::{Turn, begin, overwrite};

/// How [`Cache::get_or_set_with`] and its siblings store what they compute. A [`Ttl`] alone will often do.
///
/// The right to compute ends with the host's lease, 10 seconds unless configured: what takes longer to
/// compute is returned and **not stored**, and another caller may begin it meanwhile. No error tells of it.
///
/// ```
/// use std::time::Duration;
/// use strongroom::{ComputeOptions, Ttl};
///
/// let options = ComputeOptions::new(Ttl::minutes(10)).grace(Duration::from_secs(60)).cache_none();
/// ```
#[must_use = "options do nothing until they are passed to a call"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ComputeOptions {
    pub(crate) ttl: Ttl,
    pub(crate) fetch: FetchOptions,
    pub(crate) cache_none: bool,
}

impl ComputeOptions {
    /// With this lifetime, no grace, a wait of 5 seconds, and without storing `None`.
    ///
    /// A computed value lives a little shorter, by chance: up to 5 percent unless the host is configured
    /// otherwise. So values that were computed together do not expire together. Those of a batch live as
    /// long as given.
    pub const fn new(ttl: Ttl) -> Self {
        Self { ttl, fetch: FetchOptions::new(), cache_none: false }
    }

    /// For how long beyond its lifetime a value may still be served while one caller computes it anew. Whole
    /// seconds, rounded up, at most 65535: beyond that the cache refuses the call, so nothing is kept, and
    /// [`on_cache_error`](crate::on_cache_error) sees [`Error::InvalidTtl`](crate::Error::InvalidTtl).
    ///
    /// The caller that computes it anew waits for its own result, and has its own error.
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.fetch = self.fetch.grace(grace);
        self
    }

    /// How long to wait for another caller that is computing the value, before computing it as well.
    /// Whole milliseconds, rounded up, at most 30 seconds: more is taken as that. The wait blocks the whole
    /// instance, and its other futures, too.
    ///
    /// Callers of a computation that fails, or finds a `None` that isn't stored, take turns at first; the
    /// more often that happens in a row, the more of them go on without waiting.
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.fetch = self.fetch.wait(wait);
        self
    }

    /// Stores a `None`, too, so that it is a hit. Otherwise what isn't there is looked for each time.
    pub const fn cache_none(mut self) -> Self {
        self.cache_none = true;
        self
    }
}

impl From<Ttl> for ComputeOptions {
    fn from(ttl: Ttl) -> Self {
        Self::new(ttl)
    }
}

impl Cache {
    /// The value under the key, or else what `compute` returns, which is then stored.
    ///
    /// Of several instances at once one computes and the others wait for it. Within one instance nobody
    /// waits, as it could not go on: a call for what the instance is computing already computes it, too, and
    /// stores nothing.
    ///
    /// A cache that fails costs time, never the value: it is computed, and the error goes to
    /// [`on_cache_error`](crate::on_cache_error). So does an entry that is no `T`, which is overwritten.
    /// A computation that takes longer than the host's lease, 10 seconds unless configured, is **not
    /// stored**.
    ///
    /// A `None` is returned and not stored, unless [asked for](ComputeOptions::cache_none). A `Result` would
    /// be stored whole, its `Err` included: for one, use [`Cache::get_or_try_set_with`].
    ///
    /// ```no_run
    /// # use strongroom::{Error, Ttl, stack_cache};
    /// # fn ask_the_bank() -> f64 { 1.0892 }
    /// fn rate() -> Result<f64, Error> {
    ///     Ok(stack_cache()?.get_or_set_with("rate", Ttl::minutes(10), || ask_the_bank()))
    /// }
    /// ```
    ///
    /// For a computation that can fail, see [`Cache::get_or_try_set_with`]; for deciding oneself, see
    /// [`Cache::fetch`].
    pub fn get_or_set_with<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        options: impl Into<ComputeOptions>,
        compute: impl FnOnce() -> T,
    ) -> T {
        match begin(self, key, options.into(), Whole(PhantomData)) {
            Turn::Ready(found) => found,
            Turn::Compute(place) => place.keep(compute()),
        }
    }

    /// The value under the key, or else what `compute` returns, which is stored if it is `Ok`.
    ///
    /// Otherwise as [`Cache::get_or_set_with`].
    ///
    /// ```no_run
    /// # use strongroom::{ComputeOptions, Ttl};
    /// # use std::time::Duration;
    /// # fn ask_the_bank() -> Result<f64, std::io::Error> { Ok(1.0892) }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cache = strongroom::stack_cache()?;
    /// let options = ComputeOptions::new(Ttl::minutes(10)).grace(Duration::from_secs(60));
    /// let rate = cache.get_or_try_set_with("rate", options, || ask_the_bank())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `compute`, as they are. They are not stored; the next caller computes again.
    pub fn get_or_try_set_with<T: Serialize + DeserializeOwned, E>(
        &self,
        key: &str,
        options: impl Into<ComputeOptions>,
        compute: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        match begin(self, key, options.into(), OkOnly(PhantomData)) {
            Turn::Ready(found) => found,
            Turn::Compute(place) => place.keep(compute()),
        }
    }
}
