//! Counters. The backend counts where it can read the number, and a compare-and-swap loop does where the
//! number is sealed.

use super::ScopedCache;
use super::pipeline::check_key;
use crate::backend::{self, Condition, Step, StoreOutcome};
use crate::error::{Error, ErrorKind};
use crate::limits::SWAP_ATTEMPTS_MAX;
use crate::recent::Asked;
use crate::stored::{Kind, StorageKey};
use crate::ttl::Lifetime;
use crate::value::Value;

/// What a counter counts as in bytes written.
const NUMBER_BYTES: usize = 8;

impl ScopedCache {
    /// Adds `delta` to the counter and answers the new number, stopping at 2^63 - 1. Where there is none, it
    /// begins as `initial` with the lifetime `ttl`; an existing counter keeps its own.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_an_integer`] where the entry is not an integer of at least zero;
    /// [`Error::is_invalid_ttl`]; see [`ScopedCache`].
    pub async fn increment(
        &self,
        key: &str,
        delta: u64,
        initial: u64,
        ttl: Option<u32>,
    ) -> Result<u64, Error> {
        self.count(key, Step::Up(delta), initial, ttl).await
    }

    /// Takes `delta` from the counter and answers the new number, stopping at zero. Otherwise as
    /// [`increment`](Self::increment).
    ///
    /// # Errors
    ///
    /// As [`increment`](Self::increment).
    pub async fn decrement(
        &self,
        key: &str,
        delta: u64,
        initial: u64,
        ttl: Option<u32>,
    ) -> Result<u64, Error> {
        self.count(key, Step::Down(delta), initial, ttl).await
    }

    async fn count(&self, key: &str, step: Step, initial: u64, ttl: Option<u32>) -> Result<u64, Error> {
        check_key(key)?;
        let lifetime = self.0.shared.config.ttl.lifetime(ttl)?;
        let initial = i64::try_from(initial).unwrap_or(i64::MAX);
        let _under_way = self.charge(1, NUMBER_BYTES)?;
        self.note(key, Asked::Write);
        self.under_generations(move |keys| async move {
            let key = keys.storage_key(key);
            let is_sealed = self.0.shared.codec.is_encrypting();
            // Before the slot: who waits for other callers must not hold one.
            let mut first = match is_sealed {
                true => Some(self.among_callers(&key).await),
                false => None,
            };
            for _ in 0..SWAP_ATTEMPTS_MAX {
                let turn = self.turn(&key, 0).await?;
                let counted = if is_sealed {
                    self.count_sealed(&key, step, initial, lifetime).await?
                } else {
                    self.count_plain(&key, step, initial, lifetime).await?
                };
                if let Some(number) = counted {
                    return Ok(number);
                }
                drop(turn);
                // Whoever went ahead without being first lines up again: many who do so would lose to each
                // other until all of them have to give up.
                if let Some(first) = &mut first {
                    first.retake(self.0.shared.patience()).await;
                }
            }
            // Others have changed the counter between every look and write of ours.
            Err(ErrorKind::Unavailable.into())
        })
        .await
    }

    /// One attempt where the backend counts; `None` where somebody else was faster.
    async fn count_plain(
        &self,
        key: &StorageKey,
        step: Step,
        initial: i64,
        lifetime: Lifetime,
    ) -> Result<Option<u64>, Error> {
        let condition = match self.0.shared.backend.count(key, step).await {
            Ok(Some(number)) => return Ok(Some(number)),
            Ok(None) => Condition::Absent,
            // What can't be opened is a miss: the sealed counter of a deployment that encrypted once, for
            // example.
            Err(backend::Error::NotAnInteger) => match self.unreadable(key).await? {
                Some(version) => Condition::Version(version),
                None => return Err(ErrorKind::NotAnInteger.into()),
            },
            Err(error) => return Err(error.into()),
        };
        self.put_number(key, initial, lifetime, condition).await
    }

    /// One attempt where the number is sealed; `None` where somebody else was faster.
    async fn count_sealed(
        &self,
        key: &StorageKey,
        step: Step,
        initial: i64,
        lifetime: Lifetime,
    ) -> Result<Option<u64>, Error> {
        let Some(found) = self.0.shared.backend.get(key).await? else {
            return self.put_number(key, initial, lifetime, Condition::Absent).await;
        };
        let condition = Condition::Version(found.version);
        match self.open_found(key, &found) {
            // What can't be opened is a miss.
            None => self.put_number(key, initial, lifetime, condition).await,
            Some((Value::Integer(number), _)) => {
                let next = step.apply(number).ok_or(ErrorKind::NotAnInteger)?;
                let kept = match found.remaining {
                    Some(remaining) => {
                        Lifetime::Remaining(remaining.saturating_sub(found.entry.flags.grace()))
                    }
                    None => Lifetime::UntilEvicted,
                };
                self.put_number(key, next, kept, condition).await
            }
            Some(_) => Err(ErrorKind::NotAnInteger.into()),
        }
    }

    async fn put_number(
        &self,
        key: &StorageKey,
        number: i64,
        lifetime: Lifetime,
        condition: Condition,
    ) -> Result<Option<u64>, Error> {
        let entry = self.seal(key, Kind::Integer, &number.to_string().into(), 0)?;
        let outcome = self.0.shared.backend.store(key, entry, lifetime, condition).await?;
        Ok((outcome == StoreOutcome::Stored).then_some(number.unsigned_abs()))
    }
}
