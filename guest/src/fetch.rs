//! Reading a value, or getting the right to compute it: one caller computes, the others wait.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use crate::bindings::strongroom::cache::types as wit;
use crate::cache::Cache;
use crate::error::Error;
use crate::store::{Found, Store};
use crate::ttl::{Ttl, whole_seconds};
use crate::value;

/// How long to wait for another caller's computation unless told: longer than most take, so that there is
/// one, and half of the time after which the host gives the right of a caller that vanished to the next.
const WAIT: Duration = Duration::from_secs(5);

/// How [`Cache::fetch`] treats a value that is old or not there yet.
///
/// ```
/// use std::time::Duration;
/// use strongroom::FetchOptions;
///
/// let options = FetchOptions::new().grace(Duration::from_secs(60));
/// ```
#[must_use = "options do nothing until they are passed to a call"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FetchOptions {
    grace: Duration,
    wait: Duration,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl FetchOptions {
    /// No grace, and a wait of 5 seconds.
    pub const fn new() -> Self {
        Self { grace: Duration::ZERO, wait: WAIT }
    }

    /// For how long beyond its lifetime a value may still be served while one caller refreshes it. Whole
    /// seconds, rounded up, at most 65535: the cache refuses the call beyond that.
    ///
    /// It is stored with the value when the fill is completed.
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long to wait for another caller that is computing the value. Whole milliseconds, rounded up, at
    /// most 30 seconds: more is taken as that. The wait blocks the whole instance, and its other futures,
    /// too.
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    pub(crate) const fn has_grace(&self) -> bool {
        !self.grace.is_zero()
    }

    pub(crate) fn grace_seconds(&self) -> u32 {
        whole_seconds(self.grace)
    }

    pub(crate) fn wait_milliseconds(&self) -> u32 {
        let whole = self.wait.as_nanos().div_ceil(1_000_000);
        u32::try_from(whole).unwrap_or(u32::MAX)
    }
}

/// What [`Cache::fetch`] found.
#[derive(Debug)]
pub enum Fetched<T> {
    /// The value.
    Hit(T),
    /// The value is past its lifetime but within its grace, and this caller is not the one to refresh it. Use
    /// it.
    Stale(T),
    /// The value is past its lifetime but within its grace, and this caller is to refresh it.
    /// If that fails, the value still serves.
    Refresh(T, Fill<T>),
    /// There is no value, and this caller is to compute it.
    Vacant(Fill<T>),
    /// There is no value and no fill to be had: another caller's computation outlasted the wait, several in a
    /// row came to nothing, or the cache is down and the host answers misses. Compute the value, and don't
    /// store it.
    Busy,
}

impl Cache {
    /// The value under the key, or the right to compute it, which one caller has at a time.
    ///
    /// For those who want to see which it was; [`Cache::get_or_set_with`] takes all of these ways by itself.
    ///
    /// ```no_run
    /// # use strongroom::{Error, FetchOptions, Fetched, Ttl, cache};
    /// # fn ask_the_bank() -> f64 { 1.0892 }
    /// fn rate() -> Result<f64, Error> {
    ///     match cache()?.fetch("rate", FetchOptions::new())? {
    ///         Fetched::Hit(rate) | Fetched::Stale(rate) => Ok(rate),
    ///         Fetched::Vacant(fill) | Fetched::Refresh(_, fill) => {
    ///             let rate = ask_the_bank();
    ///             fill.complete(&rate, Ttl::minutes(10))?;
    ///             Ok(rate)
    ///         }
    ///         Fetched::Busy => Ok(ask_the_bank()),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] where the entry is there, but is no `T`; [`Error::InvalidTtl`] where the grace
    /// is longer than the host allows.
    pub fn fetch<T: DeserializeOwned>(&self, key: &str, options: FetchOptions) -> Result<Fetched<T>, Error> {
        Ok(match Store::fetch(self, key, options)? {
            Found::Hit(value) => Fetched::Hit(value::decode(value)?),
            Found::Stale(value) => Fetched::Stale(value::decode(value)?),
            Found::Refresh(value, fill) => Fetched::Refresh(value::decode(value)?, Fill::new(fill)),
            Found::Vacant(fill) => Fetched::Vacant(Fill::new(fill)),
            Found::Busy => Fetched::Busy,
        })
    }
}

/// The right to compute one key's value, held by one caller at a time.
///
/// Dropping it gives the right back, so that a computation that fails lets the next caller try.
///
/// The host takes it back by itself after its lease, 10 seconds unless configured. So a computation that
/// takes longer is **not stored**, and another caller may begin it meanwhile.
#[must_use = "dropping a fill gives the right to compute the value back"]
pub struct Fill<T> {
    handle: wit::Fill,
    // It takes a `T`, and holds none.
    value: PhantomData<fn(T)>,
}

impl<T> Fill<T> {
    fn new(handle: wit::Fill) -> Self {
        Self { handle, value: PhantomData }
    }
}

impl<T: Serialize> Fill<T> {
    /// Stores the computed value, with the grace that [`Cache::fetch`] was given. It lives a little shorter
    /// than it was given, by chance: up to 5 percent unless the host is configured otherwise. So values
    /// that were computed together do not expire together.
    ///
    /// Answers `false` if the right was lost before, and nothing was stored: its lease ran out, or somebody
    /// wrote, deleted or cleared the entry meanwhile. The value is still good for the caller.
    ///
    /// # Errors
    ///
    /// As [`Cache::set`].
    pub fn complete(self, value: &T, ttl: Ttl) -> Result<bool, Error> {
        let value = value::encode(value)?;
        self.handle.complete(value.to_wit(), ttl.to_wit()).map_err(Error::from_wit)
    }
}

impl<T> fmt::Debug for Fill<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fill").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_whole_milliseconds_rounded_up() {
        let waiting = |wait| FetchOptions::new().wait(wait);
        assert_eq!(FetchOptions::default().wait_milliseconds(), 5000);
        assert_eq!(waiting(Duration::ZERO).wait_milliseconds(), 0);
        assert_eq!(waiting(Duration::from_nanos(1)).wait_milliseconds(), 1);
        assert_eq!(waiting(Duration::MAX).wait_milliseconds(), u32::MAX);
    }
}
