//! Operations on many keys, split by the servers that the keys live on and run on all of them at once.

use futures_util::future::join_all;

use super::node::Node;
use super::operation::Operation;
use super::ring::{Ring, no_server};
use crate::backend::{Error, Versioned};
use crate::stored::{StorageKey, Stored};
use crate::ttl::Lifetime;

/// One server's part of a batch.
struct Part<'a, T> {
    node: &'a Node,
    items: Vec<T>,
    /// Where each item stands in the batch.
    places: Vec<usize>,
}

/// Splits a batch by server, in the order of the batch for each.
fn split<'a, T>(
    ring: &'a Ring,
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> &StorageKey,
) -> Result<Vec<Part<'a, T>>, Error> {
    let mut parts: Vec<Option<Part<'a, T>>> = ring.nodes().iter().map(|_| None).collect();
    for (place, item) in items.into_iter().enumerate() {
        let home = ring.place(key(&item))?;
        let empty = || Part { node: &ring.nodes()[home], items: Vec::new(), places: Vec::new() };
        let part = parts[home].get_or_insert_with(empty);
        part.items.push(item);
        part.places.push(place);
    }
    Ok(parts.into_iter().flatten().collect())
}

/// See [`Backend::get_many`](crate::backend::Backend::get_many). What is on servers that can't be reached
/// counts as absent, as long as one answers.
pub(super) async fn get_many<'a>(
    ring: &'a Ring,
    begin: impl Fn(&'a Node) -> Operation<'a>,
    keys: &[StorageKey],
    bytes_max: usize,
) -> Result<Vec<Option<Versioned>>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    if let [only] = ring.nodes() {
        let entries = begin(only).get_fitting(keys, bytes_max).await?;
        return match entries.len() < keys.len() {
            true => Err(Error::BatchTooLarge { fit: entries.len() }),
            false => Ok(entries),
        };
    }
    let parts = split(ring, keys.iter().copied(), |key| key)?;
    let begin = &begin;
    let get = parts.iter().map(|part| async { begin(part.node).get_fitting(&part.items, bytes_max).await });
    let answers = join_all(get).await;

    // `None` where an answer ended before it: it did not fit.
    let mut fitting: Vec<Option<Option<Versioned>>> = keys.iter().map(|_| None).collect();
    let mut failure = None;
    let mut any_answered = false;
    for (part, answer) in parts.iter().zip(answers) {
        match answer {
            Ok(entries) => {
                any_answered = true;
                part.places.iter().zip(entries).for_each(|(place, entry)| fitting[*place] = Some(entry));
            }
            Err(error) => {
                failure = Some(error);
                part.places.iter().for_each(|place| fitting[*place] = Some(None));
            }
        }
    }
    if let Some(error) = failure
        && !any_answered
    {
        return Err(error);
    }
    let mut left = bytes_max;
    let mut entries = Vec::with_capacity(keys.len());
    for entry in fitting {
        let fit = entries.len();
        let entry = entry.ok_or(Error::BatchTooLarge { fit })?;
        let bytes = entry.as_ref().map_or(0, |found| found.entry.data.len());
        left = left.checked_sub(bytes).ok_or(Error::BatchTooLarge { fit })?;
        entries.push(entry);
    }
    Ok(entries)
}

/// See [`Backend::store_many`](crate::backend::Backend::store_many).
pub(super) async fn store_many<'a>(
    ring: &'a Ring,
    begin: impl Fn(&'a Node) -> Operation<'a>,
    entries: Vec<(StorageKey, Stored)>,
    lifetime: Lifetime,
) -> Vec<Result<(), Error>> {
    if let [only] = ring.nodes() {
        return begin(only).store_many(entries, lifetime).await;
    }
    let count = entries.len();
    let Ok(parts) = split(ring, entries, |(key, _)| key) else {
        return (0..count).map(|_| Err(no_server())).collect();
    };
    let begin = &begin;
    let store = parts
        .into_iter()
        .map(|part| async move { (part.places, begin(part.node).store_many(part.items, lifetime).await) });
    let answers = join_all(store).await;
    let mut outcomes: Vec<_> =
        answers.into_iter().flat_map(|(places, outcomes)| places.into_iter().zip(outcomes)).collect();
    outcomes.sort_unstable_by_key(|(place, _)| *place);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// See [`Backend::delete_many`](crate::backend::Backend::delete_many).
pub(super) async fn delete_many<'a>(
    ring: &'a Ring,
    begin: impl Fn(&'a Node) -> Operation<'a>,
    keys: &[StorageKey],
) -> Result<Vec<bool>, Error> {
    if let [only] = ring.nodes() {
        return begin(only).delete_many(keys).await;
    }
    let parts = split(ring, keys.iter().copied(), |key| key)?;
    let begin = &begin;
    let delete = parts.iter().map(|part| async { begin(part.node).delete_many(&part.items).await });
    let answers = join_all(delete).await;
    let is_unchanged = |answer: &Result<_, _>| matches!(answer, Err(Error::Unavailable { .. }));
    let nothing_changed = answers.iter().all(is_unchanged);
    let mut were_live = vec![false; keys.len()];
    for (part, answer) in parts.iter().zip(answers) {
        let answer = answer.map_err(|error| match error {
            // Elsewhere something may have been deleted.
            Error::Unavailable { reason } if !nothing_changed => Error::OutcomeUnknown { reason },
            error => error,
        });
        part.places.iter().zip(answer?).for_each(|(place, was_live)| were_live[*place] = was_live);
    }
    Ok(were_live)
}
