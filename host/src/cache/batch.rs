//! Operations on many keys: one burst each way.

use std::collections::{HashMap, HashSet};

use super::ScopedCache;
use super::pipeline::check_key;
use crate::error::{Error, ErrorKind};
use crate::limits::BATCH_BYTES_MAX;
use crate::recent::Asked;
use crate::value::Value;

impl ScopedCache {
    /// The values under the keys: as many, and in the same order. A key may be repeated.
    ///
    /// # Errors
    ///
    /// [`Error::is_batch_too_large`] for more than 1000 keys (fewer, where the stack's quota says so), or
    /// values that are together larger than 16 MiB; see [`ScopedCache`].
    pub async fn get_many(&self, keys: &[impl AsRef<str> + Sync]) -> Result<Vec<Option<Value>>, Error> {
        self.check_batch(keys.len())?;
        keys.iter().try_for_each(|key| check_key(key.as_ref()))?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let _under_way = self.charge(keys.len(), 0)?;
        self.note_each(keys.iter().map(AsRef::as_ref), Asked::Read);
        let found = self.read_under_generations(move |partition| async move {
            // A repeated key is asked for once: otherwise one large value would be as many as it is repeated.
            let mut distinct = Vec::with_capacity(keys.len());
            let mut places = HashMap::with_capacity(keys.len());
            for key in keys {
                places.entry(key.as_ref()).or_insert_with(|| {
                    distinct.push(partition.storage_key(key.as_ref()));
                    distinct.len() - 1
                });
            }
            let found = self.get_parts(&distinct).await?;
            let mut values = Vec::with_capacity(keys.len());
            // What was compressed or repeated counts at its full size each time: that is what the guest is
            // handed.
            let mut left = BATCH_BYTES_MAX;
            for key in keys {
                let place = places[key.as_ref()];
                let found = found.get(place).and_then(Option::as_ref);
                let value = found.and_then(|found| self.open_found(&distinct[place], found));
                let value = value.map(|(value, _)| value);
                let bytes = value.as_ref().map_or(0, Value::bytes_len);
                left = left.checked_sub(bytes).ok_or(ErrorKind::BatchTooLarge { keys: values.len() })?;
                values.push(value);
            }
            Ok(values)
        });
        let found = match found.await {
            Err(error) if error.is_unavailable() && self.answers_miss() => vec![None; keys.len()],
            found => found?,
        };
        for value in &found {
            value.iter().for_each(|value| self.was_read(value.bytes_len()));
            self.0.shared.telemetry.looked_up(value.is_some());
        }
        Ok(found)
    }

    /// Stores each value under its key: as many outcomes, in the same order. Where a key is repeated, its
    /// last value stays.
    ///
    /// # Errors
    ///
    /// For the batch: [`Error::is_unavailable`] where no entry could be stored; [`Error::is_batch_too_large`]
    /// for more than 1000 entries, or values that are together larger than 16 MiB; [`Error::is_invalid_ttl`].
    /// For each entry: as [`set`](Self::set).
    pub async fn set_many(
        &self,
        entries: Vec<(String, Value)>,
        ttl: Option<u32>,
    ) -> Result<Vec<Result<(), Error>>, Error> {
        self.check_batch(entries.len())?;
        let bytes = self.check_batch_bytes(&entries)?;
        let shared = &self.0.shared;
        let lifetime = shared.config.ttl.lifetime(ttl)?;
        let mut outcomes: Vec<Result<(), Error>> = entries
            .iter()
            .map(|(key, value)| check_key(key).and_then(|()| shared.check_value(value)))
            .collect();
        let valid = (0..entries.len()).filter(|&index| outcomes[index].is_ok());
        // Of a repeated key only the last one is sent: what goes to two connections has no order.
        let last: HashMap<_, _> = valid.map(|index| (entries[index].0.as_str(), index)).collect();
        let mut sent: Vec<_> = last.values().copied().collect();
        sent.sort_unstable();
        let is_repeated = |&(index, last): &(usize, usize)| index < last && outcomes[index].is_ok();
        let repeated =
            (0..entries.len()).filter_map(|index| Some((index, *last.get(entries[index].0.as_str())?)));
        let repeated: Vec<_> = repeated.filter(is_repeated).collect();
        if sent.is_empty() {
            return Ok(outcomes);
        }
        let _under_way = self.charge(entries.len(), bytes)?;
        self.note_each(last.into_keys(), Asked::Write);
        let payloads: Vec<_> =
            entries.into_iter().map(|(key, value)| (key, value.kind(), value.into_bytes())).collect();
        let (all, payloads) = (&sent, &payloads);
        let stored = self.under_generations(move |partition| async move {
            let seal = |&index: &usize| {
                let (key, kind, bytes) = &payloads[index];
                let key = partition.storage_key(key);
                Ok((key, self.seal(&key, *kind, bytes, 0)?))
            };
            let sealed = all.iter().map(seal).collect::<Result<Vec<_>, Error>>()?;
            let mut stored = self.store_parts(sealed, lifetime).await;
            // Where none could be reached, the batch failed as one.
            let is_down = |stored: &Result<_, Error>| stored.as_ref().is_err_and(Error::is_unavailable);
            match stored.iter().all(is_down).then(|| stored.pop()).flatten() {
                Some(Err(error)) => Err(error),
                _ => Ok(stored),
            }
        });
        for (index, stored) in sent.iter().zip(stored.await?) {
            outcomes[*index] = stored.inspect_err(|error| shared.telemetry.failed(error));
        }
        for (index, last) in repeated {
            outcomes[index] = outcomes[last].as_ref().copied().map_err(|error| error.kind().clone().into());
        }
        Ok(outcomes)
    }

    /// Removes the entries. Answers how many there were; a repeated key counts once.
    ///
    /// # Errors
    ///
    /// [`Error::is_batch_too_large`] for more than 1000 keys (fewer, where the stack's quota says so); see
    /// [`ScopedCache`].
    pub async fn delete_many(&self, keys: &[impl AsRef<str> + Sync]) -> Result<u32, Error> {
        self.check_batch(keys.len())?;
        keys.iter().try_for_each(|key| check_key(key.as_ref()))?;
        let distinct: &HashSet<&str> = &keys.iter().map(AsRef::as_ref).collect();
        if distinct.is_empty() {
            return Ok(0);
        }
        let _under_way = self.charge(keys.len(), 0)?;
        self.note_each(distinct.iter().copied(), Asked::Write);
        self.under_generations(move |partition| async move {
            self.delete_parts(distinct.iter().map(|key| partition.storage_key(key)).collect()).await
        })
        .await
    }

    fn check_batch(&self, keys: usize) -> Result<(), Error> {
        let (most, _) = self.batch_max();
        if keys > most {
            return Err(ErrorKind::BatchTooLarge { keys: most }.into());
        }
        Ok(())
    }

    /// Answers how many bytes there are, or fails with how many of the first entries fit.
    fn check_batch_bytes(&self, entries: &[(String, Value)]) -> Result<usize, Error> {
        let (_, most) = self.batch_max();
        let mut left = most;
        for (fit, (_, value)) in entries.iter().enumerate() {
            left = left.checked_sub(value.bytes_len()).ok_or(ErrorKind::BatchTooLarge { keys: fit })?;
        }
        Ok(most - left)
    }
}
