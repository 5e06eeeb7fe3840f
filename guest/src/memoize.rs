//! What `#[cached]` functions call at run time. For generated code only: it may change with any version.

mod key;
mod returns;
mod text;
#[cfg(test)]
mod tests;

use crate::cache::Cache;
use crate::compute::{ComputeOptions, Turn, begin, overwrite};
use crate::error::Error;
use crate::hook::report;
use crate::shape::{Kept, Shape};
use crate::store::{Store, check_key};
use crate::under_way::may_open;

pub use crate::cache::open;
pub use key::{Argument, call_key, method_path, written_key};
pub use returns::{AnyReturn, IsResult, Returns, with_errors};

/// One call of a `#[cached]` function: where its result belongs, and how it is stored.
#[derive(Debug)]
pub struct Memo {
    /// Opens the scope. One of [`open`], so that a component imports the scope that it names and no other.
    pub open: fn(Option<&str>) -> Result<Cache, Error>,
    /// The namespace in the scope.
    pub namespace: Option<&'static str>,
    /// How the result is stored.
    pub options: ComputeOptions,
    /// The key of this call, unless its arguments could not be written.
    pub key: Result<String, Error>,
}

impl Memo {
    /// The result that is stored, or else what the function returns.
    pub fn compute<H: Shape>(self, shape: H, function: impl FnOnce() -> H::Outcome) -> H::Outcome {
        let Some((cache, key)) = self.place_to_compute() else {
            return function();
        };
        match begin(&cache, &key, self.options, shape) {
            Turn::Ready(found) => found,
            Turn::Compute(place) => place.keep(function()),
        }
    }

    /// The same for an `async fn`. What it returns is not polled unless it is needed.
    pub async fn compute_async<H: Shape>(
        self,
        shape: H,
        future: impl Future<Output = H::Outcome>,
    ) -> H::Outcome {
        let Some((cache, key)) = self.place_to_compute() else {
            return future.await;
        };
        // The result that was found is gone before the wait, so the future is `Send` without it.
        let place = match begin(&cache, &key, self.options, shape) {
            Turn::Ready(found) => return found,
            Turn::Compute(place) => place,
        };
        place.keep(future.await)
    }

    /// Calls the function, whatever is stored, and stores its result.
    pub fn refresh<H: Shape>(self, shape: H, function: impl FnOnce() -> H::Outcome) -> H::Outcome {
        let outcome = function();
        self.store(&shape, &outcome);
        outcome
    }

    /// The same for an `async fn`.
    pub async fn refresh_async<H: Shape>(
        self,
        shape: H,
        future: impl Future<Output = H::Outcome>,
    ) -> H::Outcome {
        let outcome = future.await;
        self.store(&shape, &outcome);
        outcome
    }

    /// Removes what is stored for these arguments. Answers whether there was something.
    ///
    /// # Errors
    ///
    /// Those of [`Cache::delete`], and [`Error::Encode`] where the arguments can't be written as a key.
    pub fn invalidate(self) -> Result<bool, Error> {
        let key = self.key?;
        check_key(&key)?;
        (self.open)(self.namespace)?.delete(&key)
    }

    fn store<H: Shape>(self, shape: &H, outcome: &H::Outcome) {
        if let Some((cache, key)) = self.place()
            && let Err(error) = replace(&cache, &key, self.options, shape, outcome)
        {
            report(&error);
        }
    }

    /// The cache and the key in it, unless there is none of either, which is reported.
    fn place(&self) -> Option<(Cache, String)> {
        let key = self.key.clone();
        match key.and_then(|key| Ok(((self.open)(self.namespace)?, key))) {
            Ok(place) => Some(place),
            Err(error) => {
                report(&error);
                None
            }
        }
    }

    /// The same, for as long as it takes to compute.
    fn place_to_compute(&self) -> Option<(Cache, String)> {
        let is_one_too_many = self.key.as_ref().is_ok_and(|key| !may_open(key));
        if is_one_too_many { None } else { self.place() }
    }
}

/// Puts the outcome in the place of whatever is stored. A failed computation changes nothing.
fn replace<S: Store, H: Shape>(
    store: &S,
    key: &str,
    options: ComputeOptions,
    shape: &H,
    outcome: &H::Outcome,
) -> Result<(), Error> {
    check_key(key)?;
    match shape.write(outcome, options.cache_none)? {
        Kept::Value(value) => overwrite(store, key, &value, options),
        Kept::Nothing => store.delete(key).map(drop),
        Kept::Failed => Ok(()),
    }
}
