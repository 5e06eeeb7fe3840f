//! What an operation has to pass before it is sent: the invocation's limits, its stack's quota, and its turn.

use smallvec::SmallVec;

use super::ScopedCache;
use crate::backend;
use crate::error::Error;
use crate::fair::{Demand, Slot};
use crate::limits::{BATCH_BYTES_MAX, BATCH_KEYS_MAX};
use crate::quota::UnderWay;
use crate::stored::StorageKey;
use crate::value::Value;

impl ScopedCache {
    /// Counts operations that write so many bytes. They are under way until what is answered is dropped. The
    /// host's own are not counted.
    pub(super) fn charge(&self, operations: usize, bytes_written: usize) -> Result<Option<UnderWay>, Error> {
        let Some(budget) = &self.0.budget else { return Ok(None) };
        let spent = budget.spend(operations, bytes_written);
        let admitted = spent.and_then(|()| self.0.account.admit(operations, bytes_written));
        admitted.map(Some).map_err(|kind| {
            self.0.shared.telemetry.refused();
            kind.into()
        })
    }

    /// Counts what is answered to the caller.
    pub(super) fn was_read(&self, value: &Value) {
        if let Some(budget) = &self.0.budget {
            budget.was_read(value.bytes_len());
        }
    }

    /// How many keys and bytes one batch may have.
    pub(super) fn batch_max(&self) -> (usize, usize) {
        match &self.0.budget {
            Some(_) => self.0.account.batch_max(),
            None => (BATCH_KEYS_MAX, BATCH_BYTES_MAX),
        }
    }

    /// Waits for the stack's turn at the server of a key. Nothing was sent where that fails.
    pub(super) async fn turn(&self, key: &StorageKey, bytes: usize) -> Result<Option<Slot<'_>>, Error> {
        if self.0.shared.fair.is_none() {
            return Ok(None);
        }
        let place = self.0.shared.backend.place(key);
        self.enter(Demand { place, keys: 1, bytes }).await
    }

    /// The same at the servers of several keys, each with the bytes that are written under it.
    pub(super) async fn turns(
        &self,
        keys: impl Iterator<Item = (&StorageKey, usize)>,
    ) -> Result<SmallVec<[Slot<'_>; 1]>, Error> {
        let mut slots = SmallVec::new();
        if self.0.shared.fair.is_none() {
            return Ok(slots);
        }
        let mut demands: SmallVec<[Demand; 4]> = SmallVec::new();
        for (key, bytes) in keys {
            let place = self.0.shared.backend.place(key);
            match demands.iter_mut().find(|demand| demand.place == place) {
                Some(demand) => {
                    demand.keys += 1;
                    demand.bytes += bytes;
                }
                None => demands.push(Demand { place, keys: 1, bytes }),
            }
        }
        // In one order for all, so that no two batches wait for each other.
        demands.sort_unstable_by_key(|demand| demand.gate());
        for demand in demands {
            slots.extend(self.enter(demand).await?);
        }
        Ok(slots)
    }

    async fn enter(&self, demand: Demand) -> Result<Option<Slot<'_>>, Error> {
        let Some(fair) = &self.0.shared.fair else { return Ok(None) };
        let patience = self.0.shared.config.timeout;
        let slot = fair.enter(&self.0.account.flow, demand, patience).await;
        slot.map(Some)
            .map_err(|refused| backend::Error::Unavailable { reason: refused.reason().to_owned() }.into())
    }
}
