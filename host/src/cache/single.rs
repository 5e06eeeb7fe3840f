//! Operations on one key.

use super::ScopedCache;
use super::pipeline::check_key;
use crate::backend::{Condition, StoreOutcome};
use crate::error::Error;
use crate::key::PartitionKey;
use crate::recent::Asked;
use crate::stored::StorageKey;
use crate::value::Value;

/// What became of a [`ScopedCache::swap`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SwapOutcome {
    /// The entry was still the expected one, and holds the new value.
    Swapped,
    /// The entry has been written since. Nothing was changed.
    Changed,
    /// There is no entry. Nothing was changed.
    Missing,
}

impl ScopedCache {
    /// The value under the key.
    ///
    /// # Errors
    ///
    /// See [`ScopedCache`].
    pub async fn get(&self, key: &str) -> Result<Option<Value>, Error> {
        self.look_up(key, |_, value, _| value).await
    }

    /// The value under the key, and the version that [`swap`](Self::swap) takes: an opaque number, of which
    /// neither order nor distance means anything.
    ///
    /// # Errors
    ///
    /// See [`ScopedCache`].
    pub async fn get_versioned(&self, key: &str) -> Result<Option<(Value, u64)>, Error> {
        self.look_up(key, |keys, value, version| (value, keys.mask(version))).await
    }

    async fn look_up<T>(
        &self,
        key: &str,
        answer: impl Fn(&PartitionKey, Value, u64) -> T,
    ) -> Result<Option<T>, Error> {
        check_key(key)?;
        let _under_way = self.charge(1, 0)?;
        self.note(key, Asked::Read);
        let answer = &answer;
        let found = self.read_under_generations(move |keys| async move {
            let key = keys.storage_key(key);
            let _turn = self.turn(&key, 0).await?;
            let found = self.0.shared.backend.get(&key).await?;
            let opened = found.and_then(|found| self.open_found(&key, &found));
            Ok(opened.map(|(value, version)| (value.bytes_len(), answer(&keys, value, version))))
        });
        let found = self.or_miss(found.await)?;
        self.0.shared.telemetry.looked_up(found.is_some());
        Ok(found.map(|(bytes, found)| {
            self.was_read(bytes);
            found
        }))
    }

    /// Stores the value, whether or not there was one.
    ///
    /// # Errors
    ///
    /// [`Error::is_value_too_large`], with the old value untouched; [`Error::is_invalid_ttl`]; see
    /// [`ScopedCache`].
    pub async fn set(&self, key: &str, value: Value, ttl: Option<u32>) -> Result<(), Error> {
        self.store(key, value, ttl, Condition::Always).await.map(drop)
    }

    /// Stores the value only if there is none. Answers whether it was stored.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub async fn add(&self, key: &str, value: Value, ttl: Option<u32>) -> Result<bool, Error> {
        Ok(self.store(key, value, ttl, Condition::Absent).await? == StoreOutcome::Stored)
    }

    /// Stores the value only if there is one. Answers whether it was stored. Where entries are encrypted, it
    /// reads the old one first, as one that can't be opened is none.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub async fn replace(&self, key: &str, value: Value, ttl: Option<u32>) -> Result<bool, Error> {
        Ok(self.store(key, value, ttl, Condition::Present).await? == StoreOutcome::Stored)
    }

    /// Stores the value only if the entry is still of the version that [`get_versioned`](Self::get_versioned)
    /// answered.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub async fn swap(
        &self,
        key: &str,
        value: Value,
        expected: u64,
        ttl: Option<u32>,
    ) -> Result<SwapOutcome, Error> {
        Ok(match self.store(key, value, ttl, Condition::Version(expected)).await? {
            StoreOutcome::Stored => SwapOutcome::Swapped,
            StoreOutcome::Exists => SwapOutcome::Changed,
            StoreOutcome::Missing => SwapOutcome::Missing,
        })
    }

    /// Removes the entry. Answers whether there was one: by the word of the backend, also where entries are
    /// encrypted. Where more than tidiness depends on it, as with a token that serves once, read the entry.
    ///
    /// # Errors
    ///
    /// See [`ScopedCache`].
    pub async fn delete(&self, key: &str) -> Result<bool, Error> {
        Ok(self.delete_many(&[key]).await? == 1)
    }

    /// Gives the entry a new lifetime, counted from now. Answers whether there was one. Where entries are
    /// encrypted, it reads the entry first, as one that can't be opened is none.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_ttl`]; see [`ScopedCache`].
    pub async fn touch(&self, key: &str, ttl: Option<u32>) -> Result<bool, Error> {
        check_key(key)?;
        let lifetime = self.0.shared.config.ttl.lifetime(ttl)?;
        let _under_way = self.charge(1, 0)?;
        self.note(key, Asked::Write);
        self.under_generations(move |keys| async move {
            let key = keys.storage_key(key);
            let _turn = self.turn(&key, 0).await?;
            Ok(self.may_be_there(&key).await? && self.0.shared.backend.touch(&key, lifetime).await?)
        })
        .await
    }

    /// Makes every entry of this partition and namespace unreachable, and no other. Other hosts follow within
    /// the generation time.
    ///
    /// # Errors
    ///
    /// See [`ScopedCache`].
    pub async fn clear(&self) -> Result<(), Error> {
        let shared = &self.0.shared;
        let _under_way = self.charge(1, 0)?;
        let clear = async {
            let _turn = self.turn(self.0.lineage.own_key(), 0).await?;
            Ok(shared.generations.renew_own(&self.0.lineage).await?)
        };
        shared.bounded(clear).await
    }

    /// What the backend sees for a key, in the present generations: for operators, never for guests or logs.
    ///
    /// # Errors
    ///
    /// See [`ScopedCache`].
    pub async fn storage_key(&self, key: &str) -> Result<StorageKey, Error> {
        check_key(key)?;
        self.read_under_generations(move |keys| async move { Ok(keys.storage_key(key)) }).await
    }

    async fn store(
        &self,
        key: &str,
        value: Value,
        ttl: Option<u32>,
        condition: Condition,
    ) -> Result<StoreOutcome, Error> {
        check_key(key)?;
        let lifetime = self.0.shared.config.ttl.lifetime(ttl)?;
        self.0.shared.check_value(&value)?;
        let _under_way = self.charge(1, value.bytes_len())?;
        self.note(key, Asked::Write);
        let (kind, bytes) = (value.kind(), &value.into_bytes());
        self.under_generations(move |keys| async move {
            let key = keys.storage_key(key);
            let condition = match condition {
                Condition::Version(masked) => Condition::Version(keys.unmask(masked)),
                other => other,
            };
            let entry = self.seal(&key, kind, bytes, 0)?;
            let _turn = self.turn(&key, entry.data.len()).await?;
            if condition == Condition::Present && !self.may_be_there(&key).await? {
                return Ok(StoreOutcome::Missing);
            }
            let backend = &self.0.shared.backend;
            let outcome = backend.store(&key, entry.clone(), lifetime, condition).await?;
            if (outcome, condition) != (StoreOutcome::Exists, Condition::Absent) {
                return Ok(outcome);
            }
            match self.unreadable(&key).await? {
                Some(version) => {
                    Ok(backend.store(&key, entry, lifetime, Condition::Version(version)).await?)
                }
                None => Ok(outcome),
            }
        })
        .await
    }
}
