//! Opening a cache, and the operations on one key.

use serde::{Serialize, de::DeserializeOwned};

use crate::bindings::strongroom::cache::{default, service, session, stack, types as wit};
use crate::error::Error;
use crate::store::Store;
use crate::ttl::Ttl;
use crate::value::{self, Value};

/// Opens one scope's cache, in a namespace or without.
///
/// A pointer and not an enum of scopes: a component imports every scope that its code can reach, and
/// a match over all of them would reach for the service's cache in every extension.
type Open = fn(Option<&str>) -> Result<wit::Cache, wit::Error>;

/// Opens each scope by a pointer of one kind, which `#[cached]` names.
pub mod open {
    use super::{Cache, Error, default, service, session, stack};

    /// [`cache`](super::cache()), or a namespace of its scope.
    ///
    /// # Errors
    ///
    /// As there, and as [`Cache::namespace`].
    pub fn default(namespace: Option<&str>) -> Result<Cache, Error> {
        Cache::open(default::open, namespace)
    }

    /// [`stack_cache`](super::stack_cache()), or a namespace of its scope.
    ///
    /// # Errors
    ///
    /// As there, and as [`Cache::namespace`].
    pub fn stack(namespace: Option<&str>) -> Result<Cache, Error> {
        Cache::open(stack::open, namespace)
    }

    /// [`session_cache`](super::session_cache()), or a namespace of its scope.
    ///
    /// # Errors
    ///
    /// As there, and as [`Cache::namespace`].
    pub fn session(namespace: Option<&str>) -> Result<Cache, Error> {
        Cache::open(session::open, namespace)
    }

    /// [`service_cache`](super::service_cache()), or a namespace of its scope.
    ///
    /// # Errors
    ///
    /// As there, and as [`Cache::namespace`].
    pub fn service(namespace: Option<&str>) -> Result<Cache, Error> {
        Cache::open(service::open, namespace)
    }
}

/// The cache of one scope, and of one namespace in it.
///
/// Open it with [`cache()`](cache()), [`stack_cache()`], [`session_cache()`] or [`service_cache()`],
/// once for each invocation, and keep it for as long as you need it.
///
/// Keys are any text of 1 to 1024 bytes. Every operation can fail with [`Error::InvalidKey`],
/// [`Error::QuotaExceeded`] and [`Error::Unavailable`]; every one that writes with
/// [`Error::TimedOut`], too.
#[derive(Debug)]
pub struct Cache {
    pub(crate) handle: wit::Cache,
    open: Open,
}

/// Opens the cache that suits the invocation: the stack's, or the service's where the
/// invocation has no stack and the host has granted the service. Never the session's.
///
/// # Errors
///
/// [`Error::AccessDenied`] where the host has not granted the scope, [`Error::Unavailable`] outside of
/// a host.
pub fn cache() -> Result<Cache, Error> {
    open::default(None)
}

/// Opens a namespace of the cache that suits the invocation: `get_cache("rates")` and
/// `get_cache("users")` share no entries, and each can be cleared alone.
///
/// For a namespace in another scope, see [`Cache::namespace`].
///
/// # Errors
///
/// [`Error::InvalidKey`] where the name is empty or longer than 256 bytes; otherwise as [`cache()`](cache()).
pub fn get_cache(namespace: &str) -> Result<Cache, Error> {
    open::default(Some(namespace))
}

/// Opens the stack's cache: shared by all sessions and extensions of one tenant, and by nobody else.
///
/// # Errors
///
/// [`Error::NoSuchScope`] where the invocation has no stack; otherwise as [`cache()`](cache()).
pub fn stack_cache() -> Result<Cache, Error> {
    open::stack(None)
}

/// Opens the session's cache: for one user's login, and nobody else.
///
/// # Errors
///
/// [`Error::NoSuchScope`] where the invocation has no session; otherwise as [`cache()`](cache()).
pub fn session_cache() -> Result<Cache, Error> {
    open::session(None)
}

/// Opens the service's cache, **shared by every tenant**: what one stores, all others read. It suits
/// only what belongs to nobody, such as public reference data.
///
/// An extension with a call to this function imports the service's scope, and the host refuses to
/// run it unless that was granted.
///
/// # Errors
///
/// As [`cache()`](cache()).
pub fn service_cache() -> Result<Cache, Error> {
    open::service(None)
}

impl Cache {
    fn open(open: Open, namespace: Option<&str>) -> Result<Self, Error> {
        // Natively the bindings are stubs that panic.
        if cfg!(not(target_arch = "wasm32")) {
            return Err(Error::Unavailable);
        }
        let handle = open(namespace).map_err(Error::from_wit)?;
        Ok(Self { handle, open })
    }

    /// Opens a namespace in the scope of this cache: `session_cache()?.namespace("forms")?`.
    ///
    /// A namespace is a cache of its own, and shares no entries with the scope's unnamed one. Names
    /// don't nest: from any cache of a scope, the same name opens the same namespace.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidKey`] where the name is empty or longer than 256 bytes.
    pub fn namespace(&self, name: &str) -> Result<Self, Error> {
        Self::open(self.open, Some(name))
    }

    /// The value under the key, or `None` for a miss.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), strongroom::Error> {
    /// let name: Option<String> = strongroom::cache()?.get("name")?;
    /// let hits = strongroom::cache()?.get::<u64>("hits")?.unwrap_or_default();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] where the entry is there, but is no `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.read(key)?.map(value::decode).transpose()
    }

    /// The bytes under the key, or `None` for a miss. Text reads as its UTF-8.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] where the entry is JSON or an integer.
    pub fn get_bytes(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.read(key)?.map(value::decode_bytes).transpose()
    }

    fn read(&self, key: &str) -> Result<Option<Value>, Error> {
        let found = self.handle.get(key).map_err(Error::from_wit)?;
        Ok(found.map(Value::from_wit))
    }

    /// Stores the value, whether or not there was one.
    ///
    /// ```no_run
    /// # use strongroom::Ttl;
    /// # fn main() -> Result<(), strongroom::Error> {
    /// let cache = strongroom::cache()?;
    /// cache.set("name", "Ada", Ttl::minutes(10))?;
    /// cache.set("primes", &[2, 3, 5, 7], Ttl::host_default())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::ValueTooLarge`] and [`Error::InvalidTtl`] (what was stored is untouched), and
    /// [`Error::Encode`] where the value can't be written as JSON. A number that isn't finite is such
    /// a value; in a struct or list it is stored as `null`, as serde_json has it.
    pub fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T, ttl: Ttl) -> Result<(), Error> {
        Store::set(self, key, &value::encode(value)?, ttl)
    }

    /// Stores raw bytes, whether or not there was a value.
    ///
    /// # Errors
    ///
    /// [`Error::ValueTooLarge`] and [`Error::InvalidTtl`]: what was stored is untouched.
    pub fn set_bytes(&self, key: &str, bytes: &[u8], ttl: Ttl) -> Result<(), Error> {
        self.handle.set(key, wit::ValueParam::Bytes(bytes), ttl.to_wit()).map_err(Error::from_wit)
    }

    /// Stores the value only if there is no entry. Answers whether it was stored: of several callers
    /// at once, one gets `true`.
    ///
    /// # Errors
    ///
    /// As [`Cache::set`].
    pub fn add<T: Serialize + ?Sized>(&self, key: &str, value: &T, ttl: Ttl) -> Result<bool, Error> {
        Store::add(self, key, &value::encode(value)?, ttl)
    }

    /// Stores the value only if there is an entry. Answers whether it was stored.
    ///
    /// # Errors
    ///
    /// As [`Cache::set`].
    pub fn replace<T: Serialize + ?Sized>(&self, key: &str, value: &T, ttl: Ttl) -> Result<bool, Error> {
        let value = value::encode(value)?;
        self.handle.replace(key, value.to_wit(), ttl.to_wit()).map_err(Error::from_wit)
    }

    /// Removes the entry. Answers whether there was one.
    ///
    /// # Errors
    ///
    /// Those of every write, see [`Cache`].
    pub fn delete(&self, key: &str) -> Result<bool, Error> {
        self.handle.delete(key).map_err(Error::from_wit)
    }

    /// Gives the entry a new lifetime, counted from now. Answers whether there was an entry.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidTtl`].
    pub fn touch(&self, key: &str, ttl: Ttl) -> Result<bool, Error> {
        self.handle.touch(key, ttl.to_wit()).map_err(Error::from_wit)
    }

    /// The value under the key together with its version, for [`Cache::swap`].
    ///
    /// # Errors
    ///
    /// As [`Cache::get`].
    pub fn get_versioned<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Versioned<T>>, Error> {
        let Some(found) = Store::get_versioned(self, key)? else {
            return Ok(None);
        };
        Ok(Some(Versioned { value: value::decode(found.value)?, version: found.version }))
    }

    /// Stores the value only if nobody has written the entry since it was read as `version`.
    ///
    /// ```no_run
    /// # use strongroom::{Error, SwapOutcome, Ttl, cache};
    /// fn add_tag(tag: &str) -> Result<(), Error> {
    ///     let cache = cache()?;
    ///     while let Some(mut tags) = cache.get_versioned::<Vec<String>>("tags")? {
    ///         tags.value.push(tag.to_owned());
    ///         match cache.swap("tags", &tags.value, tags.version, Ttl::hours(1))? {
    ///             SwapOutcome::Changed => continue, // somebody was faster: read again
    ///             SwapOutcome::Swapped | SwapOutcome::Missing => break,
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Cache::set`].
    pub fn swap<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        version: Version,
        ttl: Ttl,
    ) -> Result<SwapOutcome, Error> {
        Store::swap(self, key, &value::encode(value)?, version, ttl)
    }

    /// Makes every entry of this namespace unreachable (or of the unnamed cache, if it has no name),
    /// and of no other. Other hosts follow within about a second.
    ///
    /// # Errors
    ///
    /// Those of every write, see [`Cache`].
    pub fn clear(&self) -> Result<(), Error> {
        self.handle.clear().map_err(Error::from_wit)
    }
}

/// A value, and which write of the entry it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// What [`Cache::swap`] takes.
    pub version: Version,
}

/// Identifies one write of an entry. Versions compare as equal or not, and have no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(wit::Version);

impl Version {
    pub(crate) fn from_wit(version: wit::Version) -> Self {
        Self(version)
    }

    pub(crate) fn to_wit(self) -> wit::Version {
        self.0
    }
}

/// What became of a [`Cache::swap`].
#[must_use = "a swap stores nothing where the entry has changed or is missing"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SwapOutcome {
    /// The entry holds the new value.
    Swapped,
    /// Somebody has written the entry since. Nothing was changed.
    Changed,
    /// There is no entry. Nothing was changed.
    Missing,
}

impl SwapOutcome {
    pub(crate) fn from_wit(outcome: wit::SwapOutcome) -> Self {
        match outcome {
            wit::SwapOutcome::Swapped => Self::Swapped,
            wit::SwapOutcome::Changed => Self::Changed,
            wit::SwapOutcome::Missing => Self::Missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_host_the_cache_is_unavailable_and_nothing_panics() {
        let opened = [cache(), get_cache("x"), stack_cache(), session_cache()];
        for cache in opened {
            assert_eq!(cache.err(), Some(Error::Unavailable));
        }
    }
}
