//! Operations on many keys in one call.

use serde::{Serialize, de::DeserializeOwned};

use crate::cache::Cache;
use crate::error::Error;
use crate::store::Store;
use crate::ttl::Ttl;
use crate::value::{self, Value};

impl Cache {
    /// The values under the keys: as many, and in the same order, `None` for each miss.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), strongroom::Error> {
    /// let rates = strongroom::cache()?.get_many::<f64>(["usd", "jpy"])?;
    /// if let [Some(usd), Some(jpy)] = rates[..] {
    ///     println!("1 USD = {} JPY", jpy / usd);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::BatchTooLarge`] where the keys are too many, or their values together larger than the
    /// host reads at once (16 MiB); [`Error::Decode`] where any of the entries is no `T`.
    pub fn get_many<T: DeserializeOwned>(
        &self,
        keys: impl IntoIterator<Item: AsRef<str>>,
    ) -> Result<Vec<Option<T>>, Error> {
        let keys: Vec<_> = keys.into_iter().collect();
        let found = Store::get_many(self, &borrowed(&keys))?;
        found.into_iter().map(|entry| entry.map(value::decode).transpose()).collect()
    }

    /// Stores each value under its key, all with one lifetime. Answers what became of each, in the same
    /// order. Where a key is repeated, its last value stays.
    ///
    /// ```no_run
    /// # use strongroom::Ttl;
    /// # fn main() -> Result<(), strongroom::Error> {
    /// let outcomes = strongroom::cache()?.set_many([("usd", 1.0892), ("jpy", 162.03)], Ttl::days(1))?;
    /// let stored = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::BatchTooLarge`] where the entries are too many. What befalls a single entry, such as
    /// [`Error::ValueTooLarge`] or [`Error::Encode`], stands in its outcome.
    pub fn set_many<K: AsRef<str>, T: Serialize>(
        &self,
        entries: impl IntoIterator<Item = (K, T)>,
        ttl: Ttl,
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let encoded: Vec<(K, Result<Value, Error>)> =
            entries.into_iter().map(|(key, value)| (key, value::encode(&value))).collect();
        let sent: Vec<_> =
            encoded.iter().filter_map(|(key, value)| Some((key.as_ref(), value.as_ref().ok()?))).collect();
        let answers = Store::set_many(self, &sent, ttl)?;
        let values = encoded.into_iter().map(|(_, value)| value);
        Ok(outcomes(values, answers.into_iter()))
    }

    /// Removes the entries. Answers how many there were; a repeated key counts once.
    ///
    /// # Errors
    ///
    /// [`Error::BatchTooLarge`] where the keys are too many.
    pub fn delete_many(&self, keys: impl IntoIterator<Item: AsRef<str>>) -> Result<u32, Error> {
        let keys: Vec<_> = keys.into_iter().collect();
        self.handle.delete_many(&borrowed(&keys)).map_err(Error::from_wit)
    }
}

fn borrowed<K: AsRef<str>>(keys: &[K]) -> Vec<&str> {
    keys.iter().map(AsRef::as_ref).collect()
}

/// Puts the host's answers in the places of the values that were sent to it, between those that
/// could not be.
fn outcomes(
    values: impl Iterator<Item = Result<Value, Error>>,
    mut answers: impl Iterator<Item = Result<(), Error>>,
) -> Vec<Result<(), Error>> {
    values
        // The contract promises an answer for each; without one, nobody knows whether it was stored.
        .map(|value| value.and_then(|_| answers.next().unwrap_or(Err(Error::TimedOut))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_keep_the_order_of_the_entries() {
        let values = [value::encode(&1), value::encode(&f64::NAN), value::encode(&3)];
        let answers = [Ok(()), Err(Error::InvalidKey)];
        assert_eq!(
            outcomes(values.into_iter(), answers.into_iter()),
            [Ok(()), Err(Error::encode::<f64>()), Err(Error::InvalidKey)]
        );
    }

    #[test]
    fn an_answer_that_is_missing_is_not_taken_for_success() {
        let outcomes = outcomes([value::encode(&1)].into_iter(), std::iter::empty());
        assert_eq!(outcomes, [Err(Error::TimedOut)]);
    }
}
