//! Fetch: the value, or the right to compute it, which one caller of the whole fleet has at a time.
//!
//! | under the key is | and | the caller gets |
//! |---|---|---|
//! | a live entry | | it |
//! | nothing | | a fill: the backend keeps a placeholder for as long as its lease |
//! | a placeholder | | what the holder stores; waits for it (see `flight`), and may get the fill then |
//! | an entry within its grace | nobody has its lock | it, and a fill |
//! | | somebody has | it |
//! | | its lock can't be reached | it, and a fill, which one caller of each host has |
//! | an entry that can't be opened | | as if there were nothing, by way of the lock |
//!
//! A fetch begins with a plain read: most find a value, and that is the cheapest way to it.
//!
//! A fill stores under the version of what it was begun over, placeholder or entry. So what was written,
//! deleted or cleared meanwhile is never overwritten by something older.
//!
//! An entry's **lock** is a placeholder under a key that is made of the entry's own and its version: it is
//! there for as long as the lease. It is not taken away when the fill is completed, as somebody may still
//! have the old entry in hand; the new one has another version, and another lock. (memcached has a mark of
//! its own for the same, `R` of `mg`, which has no time-out: a holder that dies would keep everybody else
//! from it for the whole grace.)

mod look;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout, timeout_at};

use self::look::{First, Look};
use super::ScopedCache;
use super::flight::{News, Seat, Turn, Waited};
use super::lease::{Lease, in_background};
use super::pipeline::check_key;
use crate::backend::{Condition, StoreOutcome};
use crate::error::{Error, ErrorKind};
use crate::invocation::{Budget, HandleCount};
use crate::key::PartitionKey;
use crate::limits::WAIT_MILLISECONDS_MAX;
use crate::random;
use crate::recent::Asked;
use crate::stored::StorageKey;
use crate::telemetry::Fetch;
use crate::value::Value;

/// What [`ScopedCache::fetch`] found.
#[derive(Debug)]
pub enum Fetched {
    /// The value.
    Hit(Value),
    /// The value, past its lifetime and within its grace; this caller is not the one to refresh it.
    Stale(Value),
    /// The value, past its lifetime and within its grace; this caller is to refresh it.
    Refresh(Value, Fill),
    /// There is no value, and this caller is to compute it.
    Vacant(Fill),
    /// There is no value and no fill to be had: another caller's computation outlasted the wait, several in a
    /// row came to nothing, or the cache is down and answers misses. Compute the value, and don't store it.
    Busy,
}

impl Fetched {
    fn counted(&self) -> Fetch {
        match self {
            Self::Hit(_) => Fetch::Hit,
            Self::Stale(_) => Fetch::Stale,
            Self::Refresh(..) => Fetch::Refresh,
            Self::Vacant(_) => Fetch::Vacant,
            Self::Busy => Fetch::Busy,
        }
    }
}

/// The right to compute the value of one key.
///
/// Dropping it gives the right back; so does the end of its lease, wherever the caller is.
pub struct Fill(Box<Held>);

/// What a fill holds. Boxed: most fetches find a value, and need no room for it.
struct Held {
    cache: ScopedCache,
    guest_key: String,
    key: StorageKey,
    /// Of what it stores over.
    version: u64,
    /// What is given back.
    lease: Lease,
    /// When the lease ends, at the latest.
    ends: Instant,
    grace_seconds: u16,
    /// Those who wait for it. `None` once it is completed or given back.
    seat: Option<Seat>,
    /// Where it was begun: a store may be dropped by a thread without a runtime, and its fills with it.
    runtime: Option<Handle>,
    /// That the guest has it.
    count: Option<HandleCount>,
}

impl ScopedCache {
    /// The value under the key, or the right to compute it.
    ///
    /// `grace`: seconds, at most 65535, for which the value may be served beyond its lifetime while one
    /// caller computes it anew; kept with the value when the fill is completed. `wait`: how long to wait for
    /// another caller's fill, at most 30 seconds; more is taken as that.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use std::time::Duration;
    /// use strongroom_host::{Cache, Fetched, Partition};
    ///
    /// let acme = Cache::in_memory().open(&Partition::service("fx")?.stack("acme")?, None)?;
    /// let rate = match acme.fetch("rate", 60, Duration::from_secs(1)).await? {
    ///     Fetched::Hit(value) | Fetched::Stale(value) => value,
    ///     Fetched::Vacant(mut fill) | Fetched::Refresh(_, mut fill) => {
    ///         fill.complete("1.08".into(), Some(600)).await?;
    ///         "1.08".into()
    ///     }
    ///     Fetched::Busy => "1.08".into(),
    /// };
    /// # assert_eq!(acme.get("rate").await?, Some(rate));
    /// # Ok::<(), strongroom_host::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_ttl`] for a longer grace; [`Error::is_too_many_handles`] for a fill beyond the
    /// invocation's limits; see [`ScopedCache`].
    pub async fn fetch(&self, key: &str, grace: u32, wait: Duration) -> Result<Fetched, Error> {
        check_key(key)?;
        let grace_seconds = u16::try_from(grace).map_err(|_| ErrorKind::InvalidTtl)?;
        let _under_way = self.charge(1, 0)?;
        self.note(key, Asked::Read);
        let wait = wait.min(Duration::from_millis(u64::from(WAIT_MILLISECONDS_MAX)));
        let wait = self.0.budget.as_ref().map_or(wait, |budget| budget.wait(wait));
        let fetched = match self.look(key, grace_seconds, First::Read).await {
            Ok(Look::Found(fetched)) => Ok(fetched),
            Ok(Look::Held(place)) => self.wait(key, grace_seconds, place, Instant::now() + wait).await,
            Err(error) => Err(error),
        };
        let mut fetched = match fetched {
            // Nobody can be waited for: compute, and don't store.
            Err(error) if error.is_unavailable() && self.answers_miss() => Fetched::Busy,
            fetched => fetched?,
        };
        if let Fetched::Vacant(fill) | Fetched::Refresh(_, fill) = &mut fetched {
            // Where it is one too many, it is given back.
            fill.0.count = self.0.budget.as_ref().map(Budget::handle).transpose()?;
        }
        self.0.shared.telemetry.fetched(fetched.counted());
        if let Fetched::Hit(value) | Fetched::Stale(value) | Fetched::Refresh(value, _) = &fetched {
            self.was_read(value.bytes_len());
        }
        Ok(fetched)
    }

    /// Waits for another caller's fill.
    async fn wait(
        &self,
        key: &str,
        grace_seconds: u16,
        place: StorageKey,
        deadline: Instant,
    ) -> Result<Fetched, Error> {
        let mut seat = self.0.shared.flights.queue(&place);
        loop {
            // A look that takes longer than there is time is given up, and what it may win given back.
            let look = timeout_at(deadline, self.look(key, grace_seconds, First::Begin));
            let (look, is_told) = match seat.wait(deadline).await {
                Waited::Over => return Ok(Fetched::Busy),
                Waited::News(News::Value(value)) => return Ok(Fetched::Hit(value)),
                Waited::News(News::NoAnswer) => (look.await, true),
                Waited::Turn(turn) => self.look_for_all(turn, look).await,
            };
            match look {
                Err(_) => return Ok(Fetched::Busy),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(Look::Found(fetched))) => return Ok(fetched),
                Ok(Ok(Look::Held(place))) if place == *seat.key() && !is_told => {}
                // Cleared meanwhile, or what was learnt is of no more use.
                Ok(Ok(Look::Held(place))) => seat = self.0.shared.flights.queue(&place),
            }
        }
    }

    /// Looks, and hands what is found to all who wait. A look that takes long, as its stack is held back at
    /// the server, leaves the turn to others; answers as well whether it did, so that the seat is of no more
    /// use.
    async fn look_for_all(&self, turn: Turn<'_>, look: impl Future<Output = Looked>) -> (Looked, bool) {
        let mut look = pin!(look);
        let Ok(look) = timeout(self.0.shared.patience(), &mut look).await else {
            drop(turn);
            return (look.await, true);
        };
        match &look {
            Ok(Ok(Look::Found(Fetched::Hit(value)))) => turn.land(News::Value(value.clone())),
            Ok(Ok(Look::Held(place))) if turn.is_for(place) => turn.put_off(),
            // Cleared meanwhile: the others wait for what nobody will find.
            Ok(Ok(Look::Held(_)) | Err(_)) => turn.land(News::NoAnswer),
            Ok(Ok(Look::Found(_))) | Err(_) => {}
        }
        (look, false)
    }
}

/// A look that may have taken longer than there was time.
type Looked = Result<Result<Look, Error>, Elapsed>;

impl Fill {
    /// Stores the computed value. Answers `false` where the right was lost before: its lease ran out
    /// ([`Config::fill_lease`](crate::Config::fill_lease)), or the entry was written, deleted or cleared
    /// meanwhile. A fill completes once; a failed attempt may be repeated within the lease.
    ///
    /// The entry's lifetime is a little shorter than asked for, by chance, so that values that were computed
    /// together do not expire together: see
    /// [`Config::ttl_jitter_percent`](crate::Config::ttl_jitter_percent).
    ///
    /// # Errors
    ///
    /// As [`ScopedCache::set`].
    pub async fn complete(&mut self, value: Value, ttl: Option<u32>) -> Result<bool, Error> {
        let held = &mut *self.0;
        let shared = &held.cache.0.shared;
        let lifetime = shared.config.ttl.lifetime(ttl)?;
        shared.check_value(&value)?;
        let Some(seat) = &held.seat else { return Ok(false) };
        held.cache.charge_fill(value.bytes_len())?;
        if Instant::now() >= held.ends {
            shared.telemetry.fill_lost();
            held.seat = None;
            return Ok(false);
        }
        let lifetime =
            lifetime.shortened(f64::from(shared.config.ttl_jitter_percent) / 100.0 * random::unit());
        let (kind, bytes) = (value.kind(), &value.into_bytes());
        let fill = &*held;
        fill.cache.note(&fill.guest_key, Asked::Write);
        let store = move |keys: Arc<PartitionKey>| async move {
            if keys.storage_key(&fill.guest_key) != fill.key {
                // Cleared meanwhile: what was to be filled can't be reached any more.
                return Ok(StoreOutcome::Missing);
            }
            let entry = fill.cache.seal(&fill.key, kind, bytes, fill.grace_seconds)?;
            let _turn = fill.cache.turn(&fill.key, entry.data.len()).await?;
            Ok(shared.backend.store(&fill.key, entry, lifetime, Condition::Version(fill.version)).await?)
        };
        let before = seat.now();
        let is_stored = fill.cache.under_generations(store).await? == StoreOutcome::Stored;
        if is_stored
            && seat.is_awaited()
            && let Some(value) = Value::from_bytes(kind, bytes.clone())
        {
            seat.land(before, News::Value(value));
        }
        if !is_stored {
            shared.telemetry.fill_lost();
        }
        seat.done();
        held.seat = None;
        Ok(is_stored)
    }

    /// Gives the right back, so that another caller may have it.
    ///
    /// # Errors
    ///
    /// See [`ScopedCache`]; the lease ends by itself then.
    pub async fn abandon(mut self) -> Result<(), Error> {
        let held = &mut *self.0;
        if held.seat.is_some() {
            let Held { cache, lease: Lease { key, version }, .. } = held;
            let give_back = async {
                let _turn = cache.turn(key, 0).await?;
                Ok(cache.0.shared.backend.abandon_fill(key, *version).await?)
            };
            cache.0.shared.bounded(give_back).await?;
            // Not before: a caller who goes away meanwhile leaves it to `drop`.
            held.seat = None;
        }
        Ok(())
    }
}

impl Drop for Held {
    /// Gives back a fill whose caller is gone, in the background.
    fn drop(&mut self) {
        let Some(seat) = self.seat.take() else { return };
        let (cache, lease) = (&*self.cache.0, self.lease);
        let (backend, account) = (Arc::clone(&cache.shared.backend), Arc::clone(&cache.account));
        in_background(self.runtime.as_ref(), async move {
            lease.give_back(&*backend, &account).await;
            // Not before: whoever is woken by it finds the key free.
            drop(seat);
        });
    }
}

impl std::fmt::Debug for Fill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fill").field("is_open", &self.0.seat.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
