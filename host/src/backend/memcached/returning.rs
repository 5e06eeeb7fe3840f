//! What one server owes and what of it is too old: so that a server that comes back serves nothing that went
//! stale while it was away.
//!
//! Three ways in which an older value could come back, and what stands against each:
//!
//! - **A write or delete failed**, and the server still has the older value. The key goes into a log of what
//!   the server owes. Before anything else is asked of it, the server is told to delete the log's keys.
//! - **The log overflowed, or the server joined at run time** and may have been in the set before. Then
//!   everything on it is suspect. memcached numbers all writes of a server in one ascending row, so a marker
//!   is written under a random key of our own, and its number becomes the *floor*: items with a lower
//!   one count as absent.
//! - **The set of servers changed**, and a key may have lived elsewhere and come home since. Each server that
//!   stays remembers the former set, with a floor of that moment. It counts for the keys that did not live on
//!   this server in that set. Of many former sets the oldest becomes a floor for all keys.
//!
//! A server that restarts is empty and begins its numbers anew. So after every new connection the marker is
//! looked at, and where it is gone, another one is written. A lower number says that the server is new, and
//! is the floor of all keys; a higher one that the old marker was evicted, and the floors stay. Until then
//! the old floors count, which hides too much rather than too little.
//!
//! A write that was given up must not arrive after what is done about it. So where the time of one is over
//! that may have been sent, its connection ends (see `queue`), and nothing lingers in the kernel (see
//! `dial`).
//!
//! All this is known to one host process and lost with it: entries that were to be deleted then stay until
//! their lifetime ends, or until somebody clears them. No file is written.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::protocol::{Reply, Request, Ttl, When};
use super::queue::{Failure, Outcome, Replies};
use super::router::Router;
use crate::limits::{FORMER_SETS_MAX, OWED_KEYS_MAX};
use crate::random;
use crate::stored::{Flags, Kind, StorageKey, Stored};
use crate::ttl::Lifetime;

/// How many keys are deleted at once: a burst that takes a server less than a millisecond.
const DELETES_AT_ONCE_MAX: usize = 500;

/// What a marker holds. Its number is what matters.
const MARKER: &[u8] = b"floor";

/// What one server owes, and its floors.
pub(super) struct Past {
    /// The server's name, by which former sets know it.
    name: String,
    /// Whether there is nothing of all this, as usual.
    is_plain: AtomicBool,
    state: Mutex<State>,
    /// Held by whoever settles; others wait for it.
    settling: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// The keys to delete, each with the number of the failure that put it there.
    owed: HashMap<StorageKey, u64>,
    failures: u64,
    /// The oldest first.
    floors: Vec<Floor>,
    marker: Option<Marker>,
    /// The number of a marker that was not found again, until there is another one.
    lost: Option<u64>,
}

/// The number below which items count as absent.
struct Floor {
    /// For the keys that did not live here in this set; for all where there is none.
    former: Option<Arc<Router>>,
    /// `None` until a marker has been written.
    number: Option<u64>,
}

struct Marker {
    key: StorageKey,
    number: u64,
    /// The connection on which it was last seen.
    connection: u64,
}

/// The next thing that has to be done before the server may be used.
#[derive(Debug)]
enum Work {
    Nothing,
    Delete(Vec<(StorageKey, u64)>),
    /// Write a marker under this key.
    Mark(StorageKey),
    /// See whether the marker under this key still has this number.
    Look(StorageKey, u64),
}

impl Past {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            is_plain: AtomicBool::new(true),
            state: Mutex::default(),
            settling: tokio::sync::Mutex::const_new(()),
        }
    }

    /// A write of these keys failed, or nobody knows what became of it.
    pub(super) fn owe(&self, keys: &[StorageKey]) {
        let mut state = self.change();
        state.failures += 1;
        let failure = state.failures;
        state.owed.extend(keys.iter().map(|key| (*key, failure)));
        if state.owed.len() > OWED_KEYS_MAX {
            tracing::warn!(server = %self.name, "too many writes failed: all older entries there count as gone");
            state.distrust_all();
        }
    }

    /// Whether nothing is owed and everything counts, as mostly.
    pub(super) fn is_plain(&self) -> bool {
        self.is_plain.load(Ordering::Acquire)
    }

    /// How many keys are to be deleted.
    pub(super) fn owed(&self) -> usize {
        self.lock().owed.len()
    }

    /// Whatever is there counts as absent from now on.
    pub(super) fn distrust_all(&self) {
        self.change().distrust_all();
    }

    /// The set of servers changes, of which this one was and stays a part.
    pub(super) fn remember(&self, former: &Arc<Router>) {
        if former.is_only(&self.name) {
            // Every key lived here.
            return;
        }
        let mut state = self.change();
        // The same set, later: its floor will be higher, and counts for the same keys.
        state.floors.retain(|floor| floor.former.as_ref() != Some(former));
        state.floors.push(Floor { former: Some(Arc::clone(former)), number: None });
        if state.floors.iter().filter(|floor| floor.former.is_some()).count() > FORMER_SETS_MAX
            && let Some(oldest) = state.floors.iter().position(|floor| floor.former.is_some())
        {
            let number = state.floors.remove(oldest).number;
            state.raise_for_all(number);
        }
    }

    /// The number that an item under the key must at least have, where the key is kept on `copies` servers.
    pub(super) fn floor(&self, key: &StorageKey, copies: usize) -> u64 {
        if self.is_plain.load(Ordering::Acquire) {
            return 0;
        }
        let state = self.lock();
        let counts = |floor: &&Floor| {
            floor.former.as_ref().is_none_or(|former| !former.is_among(&self.name, key, copies))
        };
        // Without a number yet: nothing that is there has been told from what is too old.
        let numbers = state.floors.iter().filter(counts).map(|floor| floor.number.unwrap_or(u64::MAX));
        numbers.max().unwrap_or(0)
    }

    /// Does what has to be done before the server may be used: see the [module](self). `connection`: which
    /// connection to the server is the last; `key`: of the operation that waits for it; `send`: sends
    /// requests that leave together.
    pub(super) async fn settle<F: Future<Output = Outcome>>(
        &self,
        connection: u64,
        key: &StorageKey,
        deadline: Instant,
        send: impl Fn(Vec<Request>) -> F,
    ) -> Result<(), Failure> {
        if self.is_plain() || matches!(self.lock().work(connection, key), Work::Nothing) {
            return Ok(());
        }
        let Ok(_settling) = timeout_at(deadline, self.settling.lock()).await else {
            let reason = "what the server owes takes longer than the timeout".to_owned();
            return Err(Failure::NotSent { reason });
        };
        // Whatever is interrupted here is found undone by the next caller.
        loop {
            let work = self.lock().work(connection, key);
            match work {
                Work::Nothing => {
                    self.change();
                    return Ok(());
                }
                Work::Delete(keys) => {
                    let delete = |(key, _): &(StorageKey, u64)| Request::Delete { key: *key, version: None };
                    let replies = send(keys.iter().map(delete).collect()).await.map_err(not_sent)?;
                    if !replies.iter().all(|reply| matches!(reply, Reply::Done | Reply::Missing)) {
                        return Err(strange());
                    }
                    self.change().deleted(&keys);
                }
                Work::Mark(marker) => {
                    let number = found(send(mark(marker)).await.map_err(not_sent)?)?.ok_or_else(strange)?;
                    self.change().marked(Marker { key: marker, number, connection });
                }
                Work::Look(marker, expected) => {
                    let replies = send(vec![Request::Look(marker)]).await.map_err(not_sent)?;
                    let is_there = found(replies)? == Some(expected);
                    self.change().looked(is_there, connection);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while it is held can't leave anything half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, to be changed; whether it is plain is decided when that is done.
    fn change(&self) -> Change<'_> {
        Change { is_plain: &self.is_plain, state: self.lock() }
    }
}

struct Change<'a> {
    is_plain: &'a AtomicBool,
    state: MutexGuard<'a, State>,
}

impl std::ops::Deref for Change<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl std::ops::DerefMut for Change<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        let is_plain = self.state.owed.is_empty() && self.state.floors.is_empty();
        self.is_plain.store(is_plain, Ordering::Release);
    }
}

impl State {
    fn work(&self, connection: u64, key: &StorageKey) -> Work {
        // The marker first: where the server is another one, the floors are of no use.
        if let Some(marker) = &self.marker
            && marker.connection != connection
        {
            return Work::Look(marker.key, marker.number);
        }
        if self.lost.is_some() || self.floors.iter().any(|floor| floor.number.is_none()) {
            let marker = self.marker.as_ref().map(|marker| marker.key);
            return Work::Mark(marker.unwrap_or_else(|| key.beside(&random::bytes())));
        }
        if self.owed.is_empty() {
            return Work::Nothing;
        }
        Work::Delete(self.owed.iter().take(DELETES_AT_ONCE_MAX).map(|(key, at)| (*key, *at)).collect())
    }

    fn deleted(&mut self, keys: &[(StorageKey, u64)]) {
        for (key, failure) in keys {
            // What has failed again meanwhile is owed again.
            if self.owed.get(key) == Some(failure) {
                self.owed.remove(key);
            }
        }
    }

    fn marked(&mut self, marker: Marker) {
        // Numbers that begin anew are those of another server, or of the same one after a restart: no floor
        // means anything there. Numbers that went on are those of a full server that has evicted the marker.
        if self.lost.take().is_some_and(|lost| marker.number < lost) {
            self.floors = vec![Floor { former: None, number: None }];
        }
        for floor in &mut self.floors {
            floor.number.get_or_insert(marker.number);
        }
        self.marker = Some(marker);
    }

    fn looked(&mut self, is_there: bool, connection: u64) {
        match &mut self.marker {
            Some(marker) if is_there => marker.connection = connection,
            // Another one tells by its number what has become of it.
            _ => self.lost = self.marker.take().map(|marker| marker.number),
        }
    }

    fn distrust_all(&mut self) {
        self.owed = HashMap::new();
        self.floors = vec![Floor { former: None, number: None }];
    }

    /// A floor for some keys becomes one for all.
    fn raise_for_all(&mut self, number: Option<u64>) {
        match self.floors.iter_mut().find(|floor| floor.former.is_none()) {
            Some(all) => all.number = all.number.zip(number).map(|(one, other)| one.max(other)),
            None => self.floors.insert(0, Floor { former: None, number }),
        }
    }
}

/// Writes that are under way. If they are [`broken`](Pledge::broken) the server owes them, and also if their
/// caller goes away after it was patient: then it was not for want of interest. (Of a caller that goes
/// away before, nobody was told anything, and nobody has to be protected from the older value.)
pub(super) struct Pledge<'a> {
    past: &'a Past,
    key: Option<StorageKey>,
    /// Those after the first.
    more: Vec<StorageKey>,
    patience_ends: Instant,
}

impl<'a> Pledge<'a> {
    pub(super) fn new(past: &'a Past, requests: &[Request], patience_ends: Instant) -> Self {
        let mut written = requests.iter().filter(|request| request.is_write()).filter_map(Request::key);
        let key = written.next().copied();
        Self { past, key, more: written.copied().collect(), patience_ends }
    }

    /// The server answered, whatever it said.
    pub(super) fn kept(&mut self) {
        self.key = None;
    }

    /// It did not.
    pub(super) fn broken(&mut self) {
        if let Some(key) = self.key.take() {
            self.more.push(key);
            self.past.owe(&self.more);
        }
    }
}

impl Drop for Pledge<'_> {
    fn drop(&mut self) {
        if self.key.is_some() && Instant::now() >= self.patience_ends {
            self.broken();
        }
    }
}

/// Writes a marker and asks for its number.
fn mark(key: StorageKey) -> Vec<Request> {
    let entry = Stored { flags: Flags::entry(Kind::Bytes, 0), data: Bytes::from_static(MARKER) };
    let ttl = Ttl::new(Lifetime::UntilEvicted, Duration::ZERO, 0);
    vec![Request::Store { key, entry, ttl, when: When::Always }, Request::Look(key)]
}

/// The number of the item that was looked at last; `None` where there is none.
fn found(mut replies: Replies) -> Result<Option<u64>, Failure> {
    match replies.pop() {
        Some(Reply::Found(found)) => Ok(Some(found.version)),
        Some(Reply::Missing) => Ok(None),
        _ => Err(strange()),
    }
}

/// The operation that waits was not sent, whatever became of what it waited for.
fn not_sent(failure: Failure) -> Failure {
    match failure {
        Failure::Unanswered { reason } => Failure::NotSent { reason },
        failure => failure,
    }
}

fn strange() -> Failure {
    Failure::NotSent { reason: "the server did not do what it owes".to_owned() }
}
