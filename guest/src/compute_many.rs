//! Computing what is missing of many keys: one batch to read them, one computation, one batch to store.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::convert::Infallible;

use serde::{Serialize, de::DeserializeOwned};

use crate::cache::Cache;
use crate::compute::ComputeOptions;
use crate::error::Error;
use crate::hook::report;
use crate::limits::{BATCH_BYTES_MAX, BATCH_KEYS_MAX};
use crate::shape::{Kept, Shape, Whole};
use crate::store::{Store, check_key};
use crate::value::{self, Value};

impl Cache {
    /// The values under the keys, in the same order; `compute` is called with the keys that are
    /// missing, unless none is, and what it returns is stored.
    ///
    /// It returns a value for each missing key, in the same order. A key that is repeated is computed once.
    /// One batch reads and one stores (several, where a host would refuse that much at once).
    ///
    /// As with [`Cache::get_or_set_with`], nothing that fails in the cache fails the call. There are no
    /// fills of a batch, so callers at the same time don't wait for each other; `grace` and `wait`
    /// of the options do nothing.
    ///
    /// ```no_run
    /// # use strongroom::{Error, Ttl, stack_cache};
    /// # fn ask_the_bank(currencies: &[&str]) -> Vec<f64> { vec![1.0892; currencies.len()] }
    /// fn rates(currencies: &[&str]) -> Result<Vec<f64>, Error> {
    ///     let cache = stack_cache()?;
    ///     Ok(cache.get_many_or_set_with(currencies, Ttl::minutes(10), |missing| ask_the_bank(missing)))
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// If `compute` returns more or fewer values than it was given keys.
    pub fn get_many_or_set_with<T: Serialize + DeserializeOwned + Clone>(
        &self,
        keys: impl IntoIterator<Item: AsRef<str>>,
        options: impl Into<ComputeOptions>,
        compute: impl FnOnce(&[&str]) -> Vec<T>,
    ) -> Vec<T> {
        let compute = |missing: &[&str]| Ok::<_, Infallible>(compute(missing));
        let Ok(values) = self.get_many_or_try_set_with(keys, options, compute);
        values
    }

    /// The values under the keys, in the same order; those that are missing are computed, and stored if
    /// `compute` answers `Ok`.
    ///
    /// Otherwise as [`Cache::get_many_or_set_with`].
    ///
    /// # Errors
    ///
    /// Those of `compute`, as they are. Nothing is stored then.
    ///
    /// # Panics
    ///
    /// If `compute` returns more or fewer values than it was given keys.
    pub fn get_many_or_try_set_with<T: Serialize + DeserializeOwned + Clone, E>(
        &self,
        keys: impl IntoIterator<Item: AsRef<str>>,
        options: impl Into<ComputeOptions>,
        compute: impl FnOnce(&[&str]) -> Result<Vec<T>, E>,
    ) -> Result<Vec<T>, E> {
        let keys: Vec<_> = keys.into_iter().collect();
        let keys: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
        compute_many(self, &keys, options.into(), compute)
    }
}

/// What became of one key.
enum Read<T> {
    Found(T),
    /// To be computed, and stored.
    Missing,
    /// To be computed only: the cache can't be asked for it.
    Unreachable,
}

fn compute_many<S: Store, T: Serialize + DeserializeOwned + Clone, E>(
    store: &S,
    keys: &[&str],
    options: ComputeOptions,
    compute: impl FnOnce(&[&str]) -> Result<Vec<T>, E>,
) -> Result<Vec<T>, E> {
    let (distinct, places) = distinct(keys);
    let read = read(store, &distinct);

    let is_missing = |read: &Read<T>| !matches!(read, Read::Found(_));
    let missing: Vec<&str> =
        distinct.iter().zip(&read).filter(|(_, read)| is_missing(read)).map(|(key, _)| *key).collect();
    let computed = if missing.is_empty() { Vec::new() } else { compute(&missing)? };
    assert_eq!(computed.len(), missing.len(), "one value is to be computed for each missing key");

    let is_stored = read.iter().filter(|read| is_missing(read)).map(|read| matches!(read, Read::Missing));
    let stored = missing.iter().zip(&computed).zip(is_stored).filter(|(_, is_stored)| *is_stored);
    write(store, options, stored.map(|(entry, _)| entry));

    let mut computed = computed.into_iter();
    let values: Vec<T> = read
        .into_iter()
        .filter_map(|read| match read {
            Read::Found(value) => Some(value),
            // As many were computed, which was asserted.
            Read::Missing | Read::Unreachable => computed.next(),
        })
        .collect();
    if values.len() == keys.len() {
        return Ok(values);
    }
    Ok(places.into_iter().map(|place| values[place].clone()).collect())
}

/// Each key once, and where each of the given ones stands among them.
fn distinct<'a>(keys: &[&'a str]) -> (Vec<&'a str>, Vec<usize>) {
    let mut distinct = Vec::with_capacity(keys.len());
    let mut seen = HashMap::with_capacity(keys.len());
    let places = keys.iter().map(|key| {
        *seen.entry(*key).or_insert_with(|| {
            distinct.push(*key);
            distinct.len() - 1
        })
    });
    let places = places.collect();
    (distinct, places)
}

fn read<S: Store, T: DeserializeOwned>(store: &S, keys: &[&str]) -> Vec<Read<T>> {
    let mut read: Vec<Read<T>> = keys.iter().map(|_| Read::Unreachable).collect();
    let known: Vec<usize> = (0..keys.len()).filter(|&at| check_key(keys[at]).is_ok()).collect();
    if known.len() < keys.len() {
        report(&Error::InvalidKey);
    }
    in_batches(
        &known,
        |_| 0,
        |batch| {
            let asked: Vec<&str> = batch.iter().map(|&at| keys[at]).collect();
            let found = store.get_many(&asked)?;
            for (&at, entry) in batch.iter().zip(found) {
                read[at] = match entry.map(value::decode) {
                    None => Read::Missing,
                    Some(Ok(value)) => Read::Found(value),
                    Some(Err(error)) => {
                        report(&error);
                        Read::Missing
                    }
                };
            }
            Ok(())
        },
    );
    read
}

fn write<'a, S: Store, T: Serialize + DeserializeOwned + 'a>(
    store: &S,
    options: ComputeOptions,
    entries: impl Iterator<Item = (&'a &'a str, &'a T)>,
) {
    let written = entries.filter_map(|(key, value)| {
        match Whole(std::marker::PhantomData).write(value, options.cache_none) {
            Ok(Kept::Value(value)) => Some((*key, value)),
            Ok(Kept::Nothing | Kept::Failed) => None,
            Err(error) => {
                report(&error);
                None
            }
        }
    });
    let written: Vec<(&str, Value)> = written.collect();
    in_batches(
        &written,
        |(_, value)| value.bytes_len(),
        |batch| {
            let sent: Vec<_> = batch.iter().map(|(key, value)| (*key, value)).collect();
            let mut failed: Vec<_> =
                store.set_many(&sent, options.ttl)?.into_iter().filter_map(Result::err).collect();
            // What fails one entry often fails them all, and need not be said so often.
            failed.dedup();
            failed.iter().for_each(report);
            Ok(())
        },
    );
}

/// Sends everything in batches that a host takes, smaller ones where it doesn't. Ends at another error.
fn in_batches<T>(items: &[T], bytes: impl Fn(&T) -> usize, mut send: impl FnMut(&[T]) -> Result<(), Error>) {
    let mut keys_max = BATCH_KEYS_MAX;
    let mut rest = items;
    while !rest.is_empty() {
        let mut sum = 0;
        let fits = rest.iter().take(keys_max).take_while(|item| {
            sum += bytes(item);
            sum <= BATCH_BYTES_MAX
        });
        let count = fits.count().max(1);
        match send(&rest[..count]) {
            Ok(()) => rest = &rest[count..],
            Err(Error::BatchTooLarge { limit }) if count > 1 => {
                keys_max = (limit as usize).clamp(1, count - 1);
            }
            Err(error) => return report(&error),
        }
    }
}
