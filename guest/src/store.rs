//! What computing once needs of a cache: a trait, so that what is decided over it is tested without a host.

#[cfg(test)]
pub(crate) mod fake;

use crate::bindings::strongroom::cache::types as wit;
use crate::cache::{Cache, SwapOutcome, Version, Versioned};
use crate::error::Error;
use crate::fetch::FetchOptions;
use crate::limits::KEY_BYTES_MAX;
use crate::ttl::Ttl;
use crate::under_way::{UNDER_WAY, UnderWay};
use crate::value::Value;

/// Entries as they are stored, of one partition and namespace.
pub(crate) trait Store {
    /// The right to compute one entry. Dropping it gives the right back.
    type Fill;

    /// The computations that are under way.
    fn under_way(&self) -> &UnderWay;

    fn fetch(&self, key: &str, options: FetchOptions) -> Result<Found<Self::Fill>, Error>;
    fn complete(&self, fill: Self::Fill, value: &Value, ttl: Ttl) -> Result<bool, Error>;
    fn set(&self, key: &str, value: &Value, ttl: Ttl) -> Result<(), Error>;
    fn add(&self, key: &str, value: &Value, ttl: Ttl) -> Result<bool, Error>;
    fn delete(&self, key: &str) -> Result<bool, Error>;
    fn get_versioned(&self, key: &str) -> Result<Option<Versioned<Value>>, Error>;
    fn swap(&self, key: &str, value: &Value, version: Version, ttl: Ttl) -> Result<SwapOutcome, Error>;
    fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Value>>, Error>;
    fn set_many(&self, entries: &[(&str, &Value)], ttl: Ttl) -> Result<Vec<Result<(), Error>>, Error>;
}

/// What was found under a key, not yet read as any type.
#[derive(Debug)]
pub(crate) enum Found<F> {
    Hit(Value),
    Stale(Value),
    Refresh(Value, F),
    Vacant(F),
    Busy,
}

/// Whether the contract knows such a key. The host would say the same of most others, but a key of many
/// megabytes ends the extension before the host looks at it.
pub(crate) fn check_key(key: &str) -> Result<(), Error> {
    if (1..=KEY_BYTES_MAX).contains(&key.len()) { Ok(()) } else { Err(Error::InvalidKey) }
}

impl Store for Cache {
    type Fill = wit::Fill;

    fn under_way(&self) -> &UnderWay {
        &UNDER_WAY
    }

    fn fetch(&self, key: &str, options: FetchOptions) -> Result<Found<wit::Fill>, Error> {
        let found = self.handle.fetch(key, options.grace_seconds(), options.wait_milliseconds());
        Ok(match found.map_err(Error::from_wit)? {
            wit::Fetched::Hit(value) => Found::Hit(Value::from_wit(value)),
            wit::Fetched::Stale(value) => Found::Stale(Value::from_wit(value)),
            wit::Fetched::Refresh((value, fill)) => Found::Refresh(Value::from_wit(value), fill),
            wit::Fetched::Vacant(fill) => Found::Vacant(fill),
            wit::Fetched::Busy => Found::Busy,
        })
    }

    fn complete(&self, fill: wit::Fill, value: &Value, ttl: Ttl) -> Result<bool, Error> {
        fill.complete(value.to_wit(), ttl.to_wit()).map_err(Error::from_wit)
    }

    fn set(&self, key: &str, value: &Value, ttl: Ttl) -> Result<(), Error> {
        self.handle.set(key, value.to_wit(), ttl.to_wit()).map_err(Error::from_wit)
    }

    fn add(&self, key: &str, value: &Value, ttl: Ttl) -> Result<bool, Error> {
        self.handle.add(key, value.to_wit(), ttl.to_wit()).map_err(Error::from_wit)
    }

    fn delete(&self, key: &str) -> Result<bool, Error> {
        self.handle.delete(key).map_err(Error::from_wit)
    }

    fn get_versioned(&self, key: &str) -> Result<Option<Versioned<Value>>, Error> {
        let found = self.handle.get_versioned(key).map_err(Error::from_wit)?;
        Ok(found.map(|found| Versioned {
            value: Value::from_wit(found.value),
            version: Version::from_wit(found.version),
        }))
    }

    fn swap(&self, key: &str, value: &Value, version: Version, ttl: Ttl) -> Result<SwapOutcome, Error> {
        let swapped = self.handle.swap(key, value.to_wit(), version.to_wit(), ttl.to_wit());
        swapped.map(SwapOutcome::from_wit).map_err(Error::from_wit)
    }

    fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Value>>, Error> {
        let found = self.handle.get_many(keys).map_err(Error::from_wit)?;
        Ok(found.into_iter().map(|entry| entry.map(Value::from_wit)).collect())
    }

    fn set_many(&self, entries: &[(&str, &Value)], ttl: Ttl) -> Result<Vec<Result<(), Error>>, Error> {
        let sent: Vec<_> = entries.iter().map(|(key, value)| (*key, value.to_wit())).collect();
        let answers = self.handle.set_many(&sent, ttl.to_wit()).map_err(Error::from_wit)?;
        Ok(answers.into_iter().map(|answer| answer.map_err(Error::from_wit)).collect())
    }
}
