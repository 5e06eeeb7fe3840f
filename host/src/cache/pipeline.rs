//! The pipeline: what every operation goes through, one way down and the same way back.
//!
//! ```text
//! limits -> key -> codec (seal) -> backend -> codec (open) -> the caller
//! ```
//!
//! Every operation runs under the generations of its cache. Where this host has read them lately, the
//! operation goes ahead. Where that is a while ago, they are read again in the same burst as
//! the operation, whose outcome counts only if they have not changed; otherwise it is done
//! again under the new ones. So a `clear` needs no extra round trip, and is never missed for longer
//! than the generation time.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::{ScopedCache, Shared};
use crate::backend::{self, Versioned};
use crate::codec::OVERHEAD_BYTES;
use crate::config::OnUnavailable;
use crate::error::{Error, ErrorKind};
use crate::generation::{Known, Numbers};
use crate::key::PartitionKey;
use crate::limits::KEY_BYTES_MAX;
use crate::random;
use crate::stored::{Kind, StorageKey, Stored};
use crate::turns::SharedTurn;
use crate::value::Value;

impl ScopedCache {
    /// The version of the entry under the key, if it can't be opened. That is a miss, so it must not stand in
    /// the way of an `add`.
    pub(super) async fn unreadable(&self, key: &StorageKey) -> Result<Option<u64>, Error> {
        let found = self.0.shared.backend.get(key).await?;
        Ok(found.filter(|found| self.open_found(key, found).is_none()).map(|found| found.version))
    }

    /// Whether there may be an entry as far as those are concerned that only answer whether there is one.
    ///
    /// The backend answers that without having looked at what it holds. Where entries are encrypted its word
    /// is not enough: whoever can write there could make an extension believe in an entry that it never
    /// stored. So there the entry is read and opened first.
    pub(super) async fn may_be_there(&self, key: &StorageKey) -> Result<bool, Error> {
        if !self.0.shared.codec.is_encrypting() {
            return Ok(true);
        }
        let found = self.0.shared.backend.get(key).await?;
        Ok(found.is_some_and(|found| self.open_found(key, &found).is_some()))
    }

    pub(super) fn seal(
        &self,
        key: &StorageKey,
        kind: Kind,
        bytes: &Bytes,
        grace_seconds: u16,
    ) -> Result<Stored, Error> {
        self.0.sealer.seal(key, kind, bytes, grace_seconds, random::nonce).map_err(|error| {
            let limit = self.0.shared.config.value_bytes_max;
            Error::from(ErrorKind::ValueTooLarge { limit }).caused_by(error)
        })
    }

    /// Opens what the backend answered; what can't be opened is a miss, counted by reason.
    pub(super) fn open_found(&self, key: &StorageKey, found: &Versioned) -> Option<(Value, u64)> {
        match self.0.sealer.open(key, &found.entry) {
            Ok(value) => Some((value, found.version)),
            Err(error) => {
                self.0.shared.telemetry.unopened(error.reason());
                None
            }
        }
    }

    /// Runs an operation under the cache's present generations: see the [module](self).
    pub(super) async fn under_generations<T, F>(
        &self,
        operation: impl Fn(Arc<PartitionKey>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.0.shared.bounded(self.unbounded(operation)).await
    }

    async fn unbounded<T, F>(&self, operation: impl Fn(Arc<PartitionKey>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let generations = &self.0.shared.generations;
        let numbers = {
            match generations.known(&self.0.lineage) {
                Known::Fresh(numbers) => numbers,
                Known::Unknown => self.refresh().await?,
                Known::Stale(old) => {
                    let operation = operation(self.keys(&old));
                    match futures_util::future::join(self.refresh(), operation).await {
                        (Ok(numbers), outcome) if numbers == old => return outcome,
                        (Ok(numbers), _) => numbers,
                        // It was done, and nobody knows whether anybody will see it.
                        (Err(error), Ok(_)) => return Err(Error::from(ErrorKind::TimedOut).caused_by(error)),
                        (Err(_), Err(error)) => return Err(error),
                    }
                }
            }
        };
        operation(self.keys(&numbers)).await
    }

    /// The same for a read, which is never in doubt: it has an answer, or the cache is unavailable.
    pub(super) async fn read_under_generations<T, F>(
        &self,
        operation: impl Fn(Arc<PartitionKey>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.under_generations(operation).await.map_err(Error::nothing_changed)
    }

    /// Reads the numbers again, unless somebody else has meanwhile. Whatever becomes of that, nothing of the
    /// caller's has changed.
    async fn refresh(&self) -> Result<Numbers, Error> {
        let generations = &self.0.shared.generations;
        let own_key = self.0.lineage.own_key();
        // Ten thousand operations that find them old at the same moment ask once. Where no number is ever
        // fresh, each asks for itself.
        let _first = match generations.is_any_ever_fresh() {
            true => Some(self.among_callers(own_key).await),
            false => None,
        };
        if let Known::Fresh(numbers) = generations.known(&self.0.lineage) {
            return Ok(numbers);
        }
        // They are kept on several servers, of which that one may hang, and other stacks may wait for them as
        // well: if the turn does not come soon, they are asked for out of turn, as one of few.
        let turn = tokio::time::timeout(self.0.shared.patience(), self.turn(own_key, 0)).await;
        let _one_of_few = match turn {
            Ok(Ok(_)) => None,
            // It is never closed.
            _ => self.0.account.refreshes.acquire().await.ok(),
        };
        let numbers = generations.refresh(&self.0.lineage).await;
        numbers.map_err(|error| Error::from(error).nothing_changed())
    }

    /// Waits for a turn at a key that other callers of this host are at work on.
    pub(super) async fn among_callers(&self, key: &StorageKey) -> SharedTurn<'_> {
        let shared = &self.0.shared;
        shared.turns.take(self.0.account.flow.number(), key, shared.patience()).await
    }

    /// The keys under these numbers, derived once for as long as they stay the same.
    fn keys(&self, numbers: &Numbers) -> Arc<PartitionKey> {
        let mut keys = self.0.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match &*keys {
            Some((known, keys)) if known == numbers => keys.clone(),
            _ => {
                let derived = Arc::new(self.0.shared.deriver.partition(&self.0.place, numbers));
                *keys = Some((*numbers, derived.clone()));
                derived
            }
        }
    }

    /// Lets a read that could not reach the cache answer what the operator chose.
    pub(super) fn or_miss<T: Default>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        match outcome {
            Err(error) if error.is_unavailable() && self.answers_miss() => Ok(T::default()),
            outcome => outcome,
        }
    }

    pub(super) fn answers_miss(&self) -> bool {
        self.0.shared.config.on_unavailable == OnUnavailable::Miss
    }
}

impl Shared {
    /// Waits for an operation no longer than one may take, in the queue and outside, and counts its failure.
    pub(super) async fn bounded<T>(
        &self,
        operation: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let outcome = match self.time {
            None => operation.await,
            // A little more than one exchange may take, so that an operation that is one has its own, exact
            // answer; one that is several is cut off here, in doubt.
            Some(time) => tokio::time::timeout(time + time / 20, operation)
                .await
                .unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())),
        };
        outcome.inspect_err(|error| self.telemetry.failed(error))
    }

    /// How long to wait for a turn that others may hold up, where it only saves work.
    pub(super) fn patience(&self) -> Duration {
        self.time.map_or(Duration::MAX, |time| time / 16)
    }

    pub(super) fn check_value(&self, value: &Value) -> Result<(), Error> {
        let limit = self.config.value_bytes_max;
        if value.bytes_len() > limit {
            return Err(ErrorKind::ValueTooLarge { limit }.into());
        }
        Ok(())
    }
}

/// The one place where a backend's error becomes the library's.
impl From<backend::Error> for Error {
    fn from(error: backend::Error) -> Self {
        let kind = match error {
            backend::Error::BatchTooLarge { fit } => ErrorKind::BatchTooLarge { keys: fit },
            // What the codec adds is taken off, so that the limit is one that a value can keep to.
            backend::Error::TooLarge { limit } => {
                ErrorKind::ValueTooLarge { limit: limit.saturating_sub(OVERHEAD_BYTES) }
            }
            backend::Error::NotAnInteger => ErrorKind::NotAnInteger,
            backend::Error::Unavailable { .. } => ErrorKind::Unavailable,
            backend::Error::OutcomeUnknown { .. } => ErrorKind::TimedOut,
        };
        Self::from(kind).caused_by(error)
    }
}

/// A guest key that can be hashed: 1 to 1024 bytes.
pub(super) fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(ErrorKind::InvalidKey.into());
    }
    Ok(())
}
