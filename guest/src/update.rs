//! Changing an entry without losing anybody else's change: read with its version, change, swap, and again.

use std::convert::Infallible;

use serde::{Serialize, de::DeserializeOwned};

use crate::cache::{Cache, SwapOutcome};
use crate::error::Error;
use crate::limits::UPDATE_ATTEMPTS_MAX;
use crate::store::Store;
use crate::ttl::Ttl;
use crate::value;

impl Cache {
    /// Changes the value under the key: `change` is given what is there, `None` for a miss, and its
    /// result is stored, with a new lifetime. Answers what was stored.
    ///
    /// No change is lost: where somebody else writes meanwhile, `change` is called again with what they
    /// wrote, so it should do nothing but compute. To change nothing after all, see [`Cache::try_update`];
    /// to count, see [`Cache::counter`].
    ///
    /// ```no_run
    /// # use strongroom::{Error, Ttl, stack_cache};
    /// fn add_tag(tag: &str) -> Result<Vec<String>, Error> {
    ///     stack_cache()?.update("tags", Ttl::hours(1), |tags: Option<Vec<String>>| {
    ///         let mut tags = tags.unwrap_or_default();
    ///         tags.push(tag.to_owned());
    ///         tags
    ///     })
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] where the entry is no `T`, and is left alone; [`Error::Unavailable`] also
    /// where others wrote the entry each of a hundred times: nothing was changed. Otherwise as
    /// [`Cache::set`].
    pub fn update<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        ttl: Ttl,
        mut change: impl FnMut(Option<T>) -> T,
    ) -> Result<T, Error> {
        let Ok(new) = update(self, key, ttl, |old| Ok::<_, Infallible>(change(old)))?;
        Ok(new)
    }

    /// Changes the value under the key, or leaves it alone where `change` answers `None`. Answers what
    /// was stored, if anything was.
    ///
    /// Otherwise as [`Cache::update`]. An entry that is left alone keeps its lifetime.
    ///
    /// ```no_run
    /// # use strongroom::{Error, Ttl, stack_cache};
    /// /// Takes one of what is left. Nothing is stored where nothing is.
    /// fn take() -> Result<bool, Error> {
    ///     let less = |left: Option<u32>| left?.checked_sub(1);
    ///     let left = stack_cache()?.try_update("left", Ttl::days(1), less)?;
    ///     Ok(left.is_some())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Cache::update`].
    pub fn try_update<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        ttl: Ttl,
        mut change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        update(self, key, ttl, |old| change(old).ok_or(())).map(Result::ok)
    }
}

/// Where the change is an `Err`, that is answered, and the entry left alone.
fn update<S: Store, T: Serialize + DeserializeOwned, L>(
    store: &S,
    key: &str,
    ttl: Ttl,
    mut change: impl FnMut(Option<T>) -> Result<T, L>,
) -> Result<Result<T, L>, Error> {
    for _ in 0..UPDATE_ATTEMPTS_MAX {
        let found = store.get_versioned(key)?;
        let version = found.as_ref().map(|found| found.version);
        let old = found.map(|found| value::decode(found.value)).transpose()?;
        let new = match change(old) {
            Ok(new) => new,
            Err(left) => return Ok(Err(left)),
        };
        let value = value::encode(&new)?;
        let is_stored = match version {
            Some(version) => store.swap(key, &value, version, ttl)? == SwapOutcome::Swapped,
            None => store.add(key, &value, ttl)?,
        };
        if is_stored {
            return Ok(Ok(new));
        }
    }
    Err(Error::Unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fake::{Age, Fake};
    use crate::value::Value;

    const TTL: Ttl = Ttl::minutes(1);

    fn add_one(store: &Fake) -> Result<Result<i64, ()>, Error> {
        update(store, "k", TTL, |old: Option<i64>| Ok(old.unwrap_or_default() + 1))
    }

    #[test]
    fn what_is_absent_is_added_and_what_is_there_swapped() {
        let store = Fake::default();
        assert_eq!(add_one(&store), Ok(Ok(1)));
        assert_eq!(add_one(&store), Ok(Ok(2)));
        assert_eq!(store.called(), ["get_versioned", "add", "get_versioned", "swap"]);
        assert_eq!(store.value("k"), Some(Value::Integer(2)));
    }

    #[test]
    fn a_change_is_made_again_on_what_somebody_else_wrote() {
        let store = Fake::default();
        let mut seen = Vec::new();
        let updated = update(&store, "k", TTL, |old: Option<i64>| {
            seen.push(old);
            if seen.len() < 3 {
                store.put("k", Value::Integer(10 * seen.len() as i64), Age::Fresh);
            }
            Ok::<_, ()>(old.unwrap_or_default() + 1)
        });
        assert_eq!(updated, Ok(Ok(21)));
        assert_eq!(seen, [None, Some(10), Some(20)]);
    }

    #[test]
    fn an_entry_that_is_deleted_meanwhile_is_begun_anew() {
        let store = Fake::default();
        store.put("k", Value::Integer(7), Age::Fresh);
        let mut seen = Vec::new();
        let updated = update(&store, "k", TTL, |old: Option<i64>| {
            seen.push(old);
            store.entries.borrow_mut().remove("k");
            Ok::<_, ()>(1)
        });
        assert_eq!(updated, Ok(Ok(1)));
        assert_eq!(seen, [Some(7), None]);
    }

    #[test]
    fn what_is_to_be_left_alone_is() {
        let store = Fake::default();
        assert_eq!(update(&store, "k", TTL, |_: Option<i64>| Err("no")), Ok(Err("no")));
        assert_eq!(store.called(), ["get_versioned"]);
    }

    #[test]
    fn it_gives_up_in_the_end() {
        let store = Fake::default();
        store.put("k", Value::Integer(1), Age::Fresh);
        store.is_contended.set(true);
        assert_eq!(add_one(&store), Err(Error::Unavailable));
        assert_eq!(store.called().len(), 2 * UPDATE_ATTEMPTS_MAX as usize);
        assert_eq!(store.value("k"), Some(Value::Integer(1)));
    }

    #[test]
    fn an_entry_of_another_type_is_an_error_and_stays() {
        let store = Fake::default();
        store.put("k", Value::Text("x".to_owned()), Age::Fresh);
        assert!(add_one(&store).is_err_and(|error| error.is_wrong_type()));
        assert_eq!(store.value("k"), Some(Value::Text("x".to_owned())));
    }

    #[test]
    fn errors_of_the_cache_are_answered() {
        let store = Fake::default();
        store.failures.borrow_mut().push_back(Error::AccessDenied);
        assert_eq!(add_one(&store), Err(Error::AccessDenied));
    }
}
