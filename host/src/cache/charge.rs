//! What an operation has to pass before it is sent: the invocation's limits, its stack's quota, and its turn.

use super::ScopedCache;
use crate::backend;
use crate::error::{Error, ErrorKind};
use crate::fair::{Demand, Slot};
use crate::limits::{BATCH_BYTES_MAX, BATCH_KEYS_MAX};
use crate::quota::UnderWay;
use crate::stored::StorageKey;

impl ScopedCache {
    /// Counts operations that write so many bytes. They are under way until what is answered is dropped. The
    /// host's own are not counted.
    pub(super) fn charge(&self, operations: usize, bytes_written: usize) -> Result<Option<UnderWay>, Error> {
        let Some(budget) = &self.0.budget else { return Ok(None) };
        let spent = budget.spend(operations, bytes_written);
        self.admitted(spent.and_then(|()| self.0.account.admit(operations, bytes_written))).map(Some)
    }

    /// Counts what is answered to the caller.
    pub(super) fn was_read(&self, bytes: usize) {
        if let Some(budget) = &self.0.budget {
            budget.was_read(bytes);
        }
    }

    /// How many keys and bytes one batch may have.
    pub(super) fn batch_max(&self) -> (usize, usize) {
        match &self.0.budget {
            Some(_) => self.0.account.batch_max(),
            None => (BATCH_KEYS_MAX, BATCH_BYTES_MAX),
        }
    }

    /// Counts a computed value that is written. It does not count as under way: whoever computes for others,
    /// who are, must not be kept from it by them.
    pub(super) fn charge_fill(&self, bytes_written: usize) -> Result<(), Error> {
        let Some(budget) = &self.0.budget else { return Ok(()) };
        let spent = budget.spend(1, bytes_written);
        self.admitted(spent.and_then(|()| self.0.account.spend(1, bytes_written)))
    }

    fn admitted<T>(&self, admitted: Result<T, ErrorKind>) -> Result<T, Error> {
        admitted.map_err(|kind| {
            self.0.shared.telemetry.refused();
            Error::from(kind)
        })
    }

    /// Waits for the stack's turn at the server of a key. Nothing was sent where that fails. Whoever has a
    /// turn must not wait for another one.
    pub(super) async fn turn(&self, key: &StorageKey, bytes: usize) -> Result<Option<Slot<'_>>, Error> {
        if self.0.shared.fair.is_none() {
            return Ok(None);
        }
        self.enter(Demand::one(self.0.shared.backend.place(key), bytes)).await
    }

    pub(super) async fn enter(&self, demand: Demand) -> Result<Option<Slot<'_>>, Error> {
        let Some(fair) = &self.0.shared.fair else { return Ok(None) };
        let patience = self.0.shared.config.timeout;
        let slot = fair.enter(&self.0.account.flow, demand, patience).await;
        slot.map(Some)
            .map_err(|refused| backend::Error::Unavailable { reason: refused.reason().to_owned() }.into())
    }
}
