//! What `fetch` found, turned into one of two things to do: return what is there, or compute and store it.

use std::time::Duration;

use crate::compute::ComputeOptions;
use crate::error::Error;
use crate::hook::report;
use crate::shape::{Kept, Shape};
use crate::store::{Found, Store, check_key};
use crate::under_way::{Advice, Computing};
use crate::value::Value;

/// What a caller is to do.
pub(crate) enum Turn<'a, S: Store, H: Shape> {
    /// Return this.
    Ready(H::Outcome),
    /// Compute the value, and give it to the place.
    Compute(Place<'a, S, H>),
}

/// Where a computed value belongs. Dropping it gives the right to compute back.
pub(crate) struct Place<'a, S: Store, H> {
    store: &'a S,
    key: &'a str,
    options: ComputeOptions,
    shape: H,
    right: Right<S::Fill>,
    _computing: Computing<'a>,
}

/// With what right a computed value is stored.
enum Right<F> {
    /// The fill, of an entry that still serves, or of none.
    Fill { fill: F, serves: bool },
    /// The entry doesn't read, and would be a hit for ever if it stayed.
    Overwrite,
    /// Somebody else stores theirs, the cache is down, or there are too many computations at once.
    None,
}

/// Looks for the value, and never fails: what can't be found or read is to be computed.
pub(crate) fn begin<'a, S: Store, H: Shape>(
    store: &'a S,
    key: &'a str,
    options: ComputeOptions,
    shape: H,
) -> Turn<'a, S, H> {
    let advice = store.under_way().advice(key);
    let fetch = match advice {
        Advice::AskAndDoNotWait => options.fetch.wait(Duration::ZERO),
        Advice::Ask | Advice::DoWithout => options.fetch,
    };
    let found = match advice {
        Advice::DoWithout => Ok(Found::Busy),
        Advice::Ask | Advice::AskAndDoNotWait => check_key(key).and_then(|()| store.fetch(key, fetch)),
    };
    let (value, right) = match found {
        Ok(Found::Hit(value)) => (Some(value), Right::Overwrite),
        Ok(Found::Stale(value)) => (Some(value), Right::None),
        Ok(Found::Refresh(_, fill)) => (None, Right::Fill { fill, serves: true }),
        Ok(Found::Vacant(fill)) => (None, Right::Fill { fill, serves: false }),
        Ok(Found::Busy) => (None, Right::None),
        Err(error) => {
            report(&error);
            (None, Right::None)
        }
    };
    match value.map(|value| shape.read(value)) {
        Some(Ok(outcome)) => return Turn::Ready(outcome),
        Some(Err(error)) => report(&error),
        None => {}
    }
    Turn::Compute(Place { store, key, options, shape, right, _computing: store.under_way().enter(key) })
}

impl<S: Store, H: Shape> Place<'_, S, H> {
    /// Stores the outcome as it is to be stored, and answers it whatever came of that.
    pub(crate) fn keep(self, outcome: H::Outcome) -> H::Outcome {
        let kept = self.shape.write(&outcome, self.options.cache_none);
        let stored = match kept {
            Ok(Kept::Value(value)) => self.store(&value),
            Ok(Kept::Nothing) => self.forget(),
            Ok(Kept::Failed) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = stored {
            report(&error);
        }
        outcome
    }

    fn store(self, value: &Value) -> Result<(), Error> {
        match self.right {
            // Lost to a write, a delete or its time: there is nothing to mend here.
            Right::Fill { fill, .. } => self.store.complete(fill, value, self.options.ttl).map(drop),
            Right::Overwrite => overwrite(self.store, self.key, value, self.options),
            Right::None => Ok(()),
        }
    }

    /// There is no value any more, so the old one is not to serve either.
    fn forget(self) -> Result<(), Error> {
        match self.right {
            Right::Fill { serves: true, .. } | Right::Overwrite => self.store.delete(self.key).map(drop),
            Right::Fill { serves: false, .. } | Right::None => Ok(()),
        }
    }
}

/// Stores over whatever is there, and whatever happened meanwhile, with the grace that the options ask for:
/// without it where another caller gets the fill in between.
///
/// # Errors
///
/// Those of a write. Where the entry has a grace, what was there may be gone.
pub(crate) fn overwrite<S: Store>(
    store: &S,
    key: &str,
    value: &Value,
    options: ComputeOptions,
) -> Result<(), Error> {
    if options.fetch.has_grace() {
        // Only a completed fill leaves a grace behind, and only what is absent has a fill.
        store.delete(key)?;
        if let Found::Vacant(fill) = store.fetch(key, options.fetch.wait(Duration::ZERO))?
            && store.complete(fill, value, options.ttl)?
        {
            return Ok(());
        }
    }
    store.set(key, value, options.ttl)
}
