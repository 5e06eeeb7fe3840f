//! Marks on several servers: each is kept on those three that want its key most, and the largest number that
//! is found counts.
//!
//! So a mark outlives two dead servers, and one that comes back with an old number changes nothing. A host
//! that reaches any of the servers that took a number sees it. A server that could not be told owes the
//! mark's key like that of any failed write (see `returning`), and comes back without it.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::node::Node;
use super::operation::Operation;
use super::ring::{Ring, no_server};
use crate::backend::mark::{self, MARK_BYTES, Write};
use crate::backend::{Error, StoreOutcome};
use crate::limits::MARK_COPIES;
use crate::stored::StorageKey;
use crate::ttl::Lifetime;

/// The part of an operation's time that other servers are waited for where one has answered: a server that
/// hangs, and does not count as down yet, must not use up the time of the operation that needs the mark.
const PATIENCE_PARTS: u32 = 4;

/// See [`Backend::read_marks`](crate::backend::Backend::read_marks). Servers that lack the number that counts
/// are given it.
pub(super) async fn read<'a>(
    ring: &'a Ring,
    begin: impl Fn(&'a Node) -> Operation<'a>,
    keys: &[StorageKey],
) -> Result<Vec<Option<u64>>, Error> {
    let begin = &|node| begin(node).on_copies(MARK_COPIES);
    if let [only] = ring.nodes() {
        return read_on(&begin(only), keys).await;
    }
    // For each server, the places in `keys` of those that it keeps.
    let mut parts = BTreeMap::<usize, Vec<usize>>::new();
    for (place, key) in keys.iter().enumerate() {
        for node in ring.ranked(key, MARK_COPIES) {
            parts.entry(node).or_default().push(place);
        }
    }
    let read = parts.iter().map(|(node, places)| async move {
        let keys: Vec<_> = places.iter().map(|place| keys[*place]).collect();
        let operation = begin(&ring.nodes()[*node]);
        within_patience(&operation, read_on(&operation, &keys)).await
    });
    let answers = join_all(read).await;

    let mut largest = vec![None; keys.len()];
    let mut is_answered = vec![false; keys.len()];
    let mut failure = None;
    let mut found = Vec::new();
    for ((node, places), answer) in parts.iter().zip(answers) {
        match answer {
            Ok(numbers) => {
                for (place, number) in places.iter().zip(numbers) {
                    largest[*place] = number.max(largest[*place]);
                    is_answered[*place] = true;
                    found.push((*node, *place, number));
                }
            }
            Err(error) => failure = Some(error),
        }
    }
    if is_answered.contains(&false) {
        return Err(failure.unwrap_or_else(no_server));
    }
    let lacking = found.into_iter().filter_map(|(node, place, number)| {
        largest[place].filter(|right| number < Some(*right)).map(|right| (node, place, right))
    });
    let repair = lacking.map(|(node, place, right)| async move {
        let operation = begin(&ring.nodes()[node]);
        let repaired = write_on(&operation, &keys[place], Write::AtLeast(right));
        if within_patience(&operation, repaired).await.is_err() {
            tracing::debug!("a server could not be given a generation number that it lacks");
        }
    });
    join_all(repair).await;
    Ok(largest)
}

/// Writes a mark on its servers; answers the number that counts then. One server that takes it is enough.
pub(super) async fn write<'a>(
    ring: &'a Ring,
    begin: impl Fn(&'a Node) -> Operation<'a>,
    key: &StorageKey,
    write: Write,
) -> Result<u64, Error> {
    let begin = &|node| begin(node).on_copies(MARK_COPIES);
    if let [only] = ring.nodes() {
        return write_on(&begin(only), key, write).await;
    }
    let places = ring.ranked(key, MARK_COPIES);
    let written = places.iter().map(|&node| async move {
        let operation = begin(&ring.nodes()[node]);
        let written = write_on(&operation, key, write);
        match write {
            // Whoever clears wants it on all servers, and has no operation that waits for it.
            Write::Advance(_) => written.await,
            Write::Make(_) | Write::AtLeast(_) => within_patience(&operation, written).await,
        }
    });
    let answers = join_all(written).await;
    let counts = answers.iter().filter_map(|answer| answer.as_ref().ok()).max().copied();
    if let (Some(_), Write::Advance(_)) = (counts, write) {
        // Those that missed it must not come back with the number before.
        let failed = places.iter().zip(&answers).filter(|(_, answer)| answer.is_err());
        failed.for_each(|(place, _)| ring.nodes()[*place].owe(key));
    }
    match counts {
        Some(number) => Ok(number),
        None => Err(failure(answers)),
    }
}

/// Why nobody took a mark. Where one of them may have, that is the answer.
fn failure(answers: Vec<Result<u64, Error>>) -> Error {
    let failures = answers.into_iter().filter_map(Result::err);
    let is_in_doubt = |error: &Error| matches!(error, Error::OutcomeUnknown { .. });
    failures.max_by_key(is_in_doubt).unwrap_or_else(no_server)
}

/// Gives one of several servers no more than its part of the time.
async fn within_patience<T>(
    operation: &Operation<'_>,
    run: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let now = Instant::now();
    let deadline = now + operation.deadline().saturating_duration_since(now) / PATIENCE_PARTS;
    timeout_at(deadline, run).await.unwrap_or_else(|_| {
        Err(Error::Unavailable { reason: "no reply within a part of the timeout".to_owned() })
    })
}

async fn read_on(operation: &Operation<'_>, keys: &[StorageKey]) -> Result<Vec<Option<u64>>, Error> {
    let found = operation.get_fitting(keys, keys.len() * MARK_BYTES).await?;
    let mut numbers: Vec<_> = found.iter().map(|found| found.as_ref().and_then(mark::decode)).collect();
    // Somebody has put something larger in the place of one.
    for key in &keys[numbers.len()..] {
        numbers.push(operation.get(key).await?.as_ref().and_then(mark::decode));
    }
    Ok(numbers)
}

async fn write_on(operation: &Operation<'_>, key: &StorageKey, write: Write) -> Result<u64, Error> {
    for _ in 0..mark::ATTEMPTS_MAX {
        let found = operation.get(key).await?;
        let (number, condition) = match write.over(found.as_ref()) {
            Ok(number) => return Ok(number),
            Err(store) => store,
        };
        let entry = mark::encode(number);
        let stored = operation.store(key, entry, Lifetime::UntilEvicted, condition).await?;
        if stored == StoreOutcome::Stored {
            return Ok(number);
        }
    }
    Err(mark::contended())
}
