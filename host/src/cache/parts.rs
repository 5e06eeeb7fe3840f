//! A batch in parts, one for each place: none waits for another's server, or holds a slot while it waits.
//!
//! Each part may read as much as a whole batch, so that a host may hold that much for each server at that
//! moment.

use futures_util::future::join_all;
use tokio::time::timeout;

use super::ScopedCache;
use crate::backend::Versioned;
use crate::error::{Error, ErrorKind};
use crate::fair::Demand;
use crate::limits::BATCH_BYTES_MAX;
use crate::stored::{StorageKey, Stored};
use crate::ttl::Lifetime;

/// What of a batch goes to one place.
struct Part<T> {
    demand: Demand,
    items: Vec<T>,
    /// Where each item stands in the batch.
    indices: Vec<usize>,
}

impl ScopedCache {
    /// Splits a batch, of which each item has a key and bytes that are written, in the order of the batch for
    /// each part. Where nothing is queued for it is one part.
    fn parts<T>(&self, items: Vec<T>, of: impl Fn(&T) -> (&StorageKey, usize)) -> Vec<Part<T>> {
        let mut parts: Vec<Part<T>> = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let (key, bytes) = of(&item);
            let demand = match &self.0.shared.fair {
                Some(_) => Demand::one(self.0.shared.backend.place(key), bytes),
                None => Demand::one(0, 0),
            };
            let Some(part) = parts.iter_mut().find(|part| part.demand.is_beside(demand)) else {
                parts.push(Part { demand, items: vec![item], indices: vec![index] });
                continue;
            };
            part.demand.add(demand);
            part.items.push(item);
            part.indices.push(index);
        }
        parts
    }

    /// Gives a part no more time than one operation has: the others' answers must not be lost with it.
    async fn within_time<T>(&self, part: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match self.0.shared.time {
            Some(time) => timeout(time, part).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())),
            None => part.await,
        }
    }

    /// [`Backend::get_many`](crate::backend::Backend::get_many), in its turn. Keys of servers that can't be
    /// reached are misses, as long as any part is answered.
    pub(super) async fn get_parts(&self, keys: &[StorageKey]) -> Result<Vec<Option<Versioned>>, Error> {
        let parts = self.parts(keys.to_vec(), |key| (key, 0));
        let answers = join_all(parts.iter().map(|part| {
            self.within_time(async {
                let _turn = self.enter(part.demand).await?;
                let found = self.0.shared.backend.get_many(&part.items, BATCH_BYTES_MAX).await;
                found.map_err(|error| match error {
                    crate::backend::Error::BatchTooLarge { fit } => {
                        ErrorKind::BatchTooLarge { keys: part.indices.get(fit).copied().unwrap_or(fit) }
                            .into()
                    }
                    error => Error::from(error),
                })
            })
        }));
        let mut found: Vec<_> = keys.iter().map(|_| None).collect();
        let mut failure = None;
        let mut refused: Option<Error> = None;
        let mut is_any_answered = false;
        for (part, answer) in parts.iter().zip(answers.await) {
            match answer {
                Ok(entries) => {
                    is_any_answered = true;
                    part.indices.iter().zip(entries).for_each(|(index, entry)| found[*index] = entry);
                }
                Err(error) => match (error.nothing_changed(), refused.take()) {
                    (error, least) if error.is_unavailable() => (failure, refused) = (Some(error), least),
                    // Each says how far it got; what fits for sure is the least of it.
                    (error, Some(least)) if least.limit_keys() <= error.limit_keys() => refused = Some(least),
                    (error, _) => refused = Some(error),
                },
            }
        }
        if let Some(error) = refused {
            return Err(error);
        }
        match failure {
            Some(error) if !is_any_answered => Err(error),
            _ => Ok(found),
        }
    }

    /// [`Backend::store_many`](crate::backend::Backend::store_many), in its turn.
    pub(super) async fn store_parts(
        &self,
        entries: Vec<(StorageKey, Stored)>,
        lifetime: Lifetime,
    ) -> Vec<Result<(), Error>> {
        let parts = self.parts(entries, |(key, entry)| (key, entry.data.len()));
        let answers = join_all(parts.into_iter().map(|part| async move {
            let stored = self.within_time(async {
                let _turn = self.enter(part.demand).await?;
                Ok(self.0.shared.backend.store_many(part.items, lifetime).await)
            });
            let outcomes = match stored.await {
                Ok(stored) => stored.into_iter().map(|outcome| outcome.map_err(Error::from)).collect(),
                Err(error) => {
                    // Each entry has the reason of all.
                    let kind = error.kind().clone();
                    part.indices.iter().map(|_| Err(kind.clone().into())).collect::<Vec<_>>()
                }
            };
            part.indices.into_iter().zip(outcomes).collect::<Vec<_>>()
        }));
        let mut outcomes: Vec<_> = answers.await.into_iter().flatten().collect();
        outcomes.sort_unstable_by_key(|(index, _)| *index);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// [`Backend::delete_many`](crate::backend::Backend::delete_many), in its turn: how many there were.
    pub(super) async fn delete_parts(&self, keys: Vec<StorageKey>) -> Result<u32, Error> {
        let parts = self.parts(keys, |key| (key, 0));
        let answers = join_all(parts.iter().map(|part| {
            self.within_time(async {
                let _turn = self.enter(part.demand).await?;
                Ok(self.0.shared.backend.delete_many(&part.items).await?)
            })
        }));
        let answers: Vec<Result<Vec<bool>, Error>> = answers.await;
        let is_unchanged = |answer: &Result<_, Error>| answer.as_ref().is_err_and(Error::is_unavailable);
        let nothing_changed = answers.iter().all(is_unchanged);
        let mut count = 0;
        for answer in answers {
            match answer {
                Ok(were_live) => count += were_live.into_iter().filter(|was_live| *was_live).count(),
                // Elsewhere something may have been deleted.
                Err(error) if error.is_unavailable() && !nothing_changed => {
                    return Err(Error::from(ErrorKind::TimedOut).caused_by(error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }
}
