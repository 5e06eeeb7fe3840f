//! One look for a fetch: what is under the key, and the right to compute it where it is to be had.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use super::{Fetched, Fill, Held};
use crate::backend::{Begun, Versioned};
use crate::cache::ScopedCache;
use crate::cache::flight::Seat;
use crate::cache::lease::{Begin, Lease};
use crate::error::Error;
use crate::key::refresh_lock;
use crate::stored::StorageKey;
use crate::value::Value;

/// The reason under which entries are counted that are too large to be read at all.
const TOO_LARGE: &str = "over_bound";

/// How a look begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// With a read, the cheapest way to a value: most fetches find one.
    Read,
    /// With taking the right, where there was no value a moment ago.
    Begin,
}

/// What one look found.
pub(super) enum Look {
    Found(Fetched),
    /// Somebody else has the fill.
    Held(StorageKey),
}

impl ScopedCache {
    pub(super) async fn look(
        &self,
        guest_key: &str,
        grace_seconds: u16,
        first: First,
    ) -> Result<Look, Error> {
        self.read_under_generations(move |keys| async move {
            let key = keys.storage_key(guest_key);
            let asker = Asker { cache: self, guest_key, key, grace_seconds };
            let turn = self.turn(&key, 0).await?;
            if first == First::Read
                && let Some(found) = self.0.shared.backend.get(&key).await?
            {
                drop(turn);
                return asker.live(&found).await;
            }
            let begun = Instant::now();
            let outcome = self.begin(&key).await?;
            drop(turn);
            match outcome {
                Begun::Held => Ok(Look::Held(key)),
                Begun::Won(version) => {
                    let fill = asker.fill(version, Lease { key, version }, begun);
                    Ok(Look::Found(Fetched::Vacant(fill)))
                }
                Begun::Unreadable(version) => {
                    self.0.shared.telemetry.unopened(TOO_LARGE);
                    asker.take_over(version, None).await
                }
                Begun::Stale(found) => {
                    let value = self.open_found(&key, &found).map(|(value, _)| value);
                    asker.take_over(found.version, value).await
                }
                Begun::Live(found) => asker.live(&found).await,
            }
        })
        .await
    }

    fn begin(&self, key: &StorageKey) -> Begin {
        Begin::new(&self.0.shared.backend, &self.0.account, key, self.0.shared.config.fill_lease)
    }
}

/// One look, past its key.
struct Asker<'a> {
    cache: &'a ScopedCache,
    guest_key: &'a str,
    key: StorageKey,
    grace_seconds: u16,
}

impl Asker<'_> {
    /// A live entry is a hit, unless it can't be opened: then it is to be replaced.
    async fn live(&self, found: &Versioned) -> Result<Look, Error> {
        match self.cache.open_found(&self.key, found) {
            Some((value, _)) => Ok(Look::Found(Fetched::Hit(value))),
            None => self.take_over(found.version, None).await,
        }
    }

    /// Takes the lock of what is there: an entry of this version, and its value if that still serves.
    async fn take_over(&self, version: u64, value: Option<Value>) -> Result<Look, Error> {
        let shared = &self.cache.0.shared;
        let begun = Instant::now();
        if shared.flights.is_computing(&self.key) {
            return Ok(self.leave(value));
        }
        let lock = refresh_lock(&self.key, version);
        // Half of the time, so that what is in hand can be answered where the lock's server hangs.
        let patience = shared.time.map_or(Duration::MAX, |time| time / 2);
        let take = async {
            let _turn = self.cache.turn(&lock, 0).await?;
            Ok::<_, Error>(self.cache.begin(&lock).await?)
        };
        let fill = match timeout(patience, take).await {
            Ok(Ok(Begun::Won(lease))) => self.fill(version, Lease { key: lock, version: lease }, begun),
            Ok(Ok(_)) => return Ok(self.leave(value)),
            // The lock may be on a server that is down, while the entry's is not. Then each host has its own:
            // the store is over this version, so that only one of them succeeds.
            Ok(Err(_)) | Err(_) => {
                let fill = self.fill_without_lock(version, Lease { key: lock, version: 0 }, begun);
                let Some(fill) = fill else { return Ok(self.leave(value)) };
                fill
            }
        };
        Ok(Look::Found(match value {
            Some(value) => Fetched::Refresh(value, fill),
            None => Fetched::Vacant(fill),
        }))
    }

    /// Somebody else has the lock.
    fn leave(&self, value: Option<Value>) -> Look {
        value.map_or(Look::Held(self.key), |value| Look::Found(Fetched::Stale(value)))
    }

    fn fill(&self, version: u64, lease: Lease, begun: Instant) -> Fill {
        let seat = self.cache.0.shared.flights.join(&self.key);
        seat.compute(self.ends(begun));
        self.held(version, lease, begun, seat)
    }

    fn fill_without_lock(&self, version: u64, lease: Lease, begun: Instant) -> Option<Fill> {
        let seat = self.cache.0.shared.flights.join(&self.key);
        let is_alone = seat.compute_alone(self.ends(begun));
        is_alone.then(|| self.held(version, lease, begun, seat))
    }

    fn ends(&self, begun: Instant) -> Instant {
        begun + self.cache.0.shared.config.fill_lease
    }

    fn held(&self, version: u64, lease: Lease, begun: Instant, seat: Seat) -> Fill {
        Fill(Box::new(Held {
            cache: self.cache.clone(),
            guest_key: self.guest_key.to_owned(),
            key: self.key,
            version,
            lease,
            ends: self.ends(begun),
            grace_seconds: self.grace_seconds,
            seat: Some(seat),
            runtime: Handle::try_current().ok(),
            count: None,
        }))
    }
}
