//! Fetch, and the right to fill what is vacant.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::ScopedCache;
use super::pipeline::check_key;
use crate::backend::{Begun, Condition, StoreOutcome};
use crate::error::{Error, ErrorKind};
use crate::key::PartitionKey;
use crate::limits::WAIT_MILLISECONDS_MAX;
use crate::random;
use crate::stored::StorageKey;
use crate::value::Value;

/// How long to wait, about, before looking again whether another caller's fill is done.
const POLL: Duration = Duration::from_millis(20);

/// What [`ScopedCache::fetch`] found.
#[derive(Debug)]
pub enum Fetched {
    /// The value.
    Hit(Value),
    /// There is no value, and this caller is to compute it.
    Vacant(Fill),
    /// There is no value, another caller is computing it, and the wait ran out: compute it, and don't store
    /// it.
    Busy,
}

/// The right to compute the value of one key.
///
/// Dropping it gives the right back; so does the end of its lease, wherever the caller is.
pub struct Fill {
    cache: ScopedCache,
    guest_key: String,
    key: StorageKey,
    lease: u64,
    grace_seconds: u16,
    is_open: bool,
}

impl ScopedCache {
    /// The value under the key, or the right to compute it.
    ///
    /// `grace`: seconds, at most 65535, for which the value may be served beyond its lifetime while one
    /// caller refreshes it; kept with the value when the fill is completed. `wait`: how long to wait for
    /// another caller's fill, at most 30 seconds; more is taken as that.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_ttl`] for a longer grace; see [`ScopedCache`].
    pub async fn fetch(&self, key: &str, grace: u32, wait: Duration) -> Result<Fetched, Error> {
        check_key(key)?;
        let grace_seconds = u16::try_from(grace).map_err(|_| ErrorKind::InvalidTtl)?;
        let wait = wait.min(Duration::from_millis(u64::from(WAIT_MILLISECONDS_MAX)));
        let deadline = Instant::now() + wait;
        loop {
            let fetched = match self.try_fetch(key, grace_seconds).await {
                // Nobody can be waited for: compute, and don't store.
                Err(error) if error.is_unavailable() && self.answers_miss() => Some(Fetched::Busy),
                fetched => fetched?,
            };
            if let Some(fetched) = fetched {
                self.0.shared.telemetry.looked_up(matches!(fetched, Fetched::Hit(_)));
                return Ok(fetched);
            }
            if Instant::now() >= deadline {
                self.0.shared.telemetry.looked_up(false);
                return Ok(Fetched::Busy);
            }
            sleep(random::jittered(POLL).min(deadline - Instant::now())).await;
        }
    }

    /// One look; `None` where somebody else holds the fill.
    async fn try_fetch(&self, guest_key: &str, grace_seconds: u16) -> Result<Option<Fetched>, Error> {
        self.read_under_generations(move |keys| async move {
            let shared = &self.0.shared;
            let key = keys.storage_key(guest_key);
            let lease = match shared.backend.begin_fill(&key, shared.config.fill_lease).await? {
                Begun::Held => return Ok(None),
                Begun::Won(lease) => lease,
                Begun::Live(found) => match self.open_found(&key, &found) {
                    Some((value, _)) => return Ok(Some(Fetched::Hit(value))),
                    // What can't be opened is a miss, and may be replaced as long as it is the same.
                    None => found.version,
                },
            };
            let cache = self.clone();
            let guest_key = guest_key.to_owned();
            Ok(Some(Fetched::Vacant(Fill { cache, guest_key, key, lease, grace_seconds, is_open: true })))
        })
        .await
    }
}

impl Fill {
    /// Stores the computed value. Answers `false` where the lease was lost before: its time ran out, or the
    /// entry was written, deleted or cleared meanwhile. A fill completes once; a failed attempt may be
    /// repeated within the lease.
    ///
    /// # Errors
    ///
    /// As [`ScopedCache::set`].
    pub async fn complete(&mut self, value: Value, ttl: Option<u32>) -> Result<bool, Error> {
        let shared = &self.cache.0.shared;
        let lifetime = shared.config.ttl.lifetime(ttl)?;
        shared.check_value(&value)?;
        if !self.is_open {
            return Ok(false);
        }
        let (kind, bytes) = (value.kind(), &value.into_bytes());
        let this = &*self;
        let store = move |keys: Arc<PartitionKey>| async move {
            if keys.storage_key(&this.guest_key) != this.key {
                // Cleared meanwhile: what was to be filled can't be reached any more.
                return Ok(StoreOutcome::Missing);
            }
            let entry = this.cache.seal(&this.key, kind, bytes, this.grace_seconds)?;
            Ok(shared.backend.store(&this.key, entry, lifetime, Condition::Version(this.lease)).await?)
        };
        let outcome = this.cache.under_generations(store).await?;
        self.is_open = false;
        Ok(outcome == StoreOutcome::Stored)
    }

    /// Gives the right back, so that another caller may have it.
    ///
    /// # Errors
    ///
    /// See [`ScopedCache`]; the lease ends by itself then.
    pub async fn abandon(mut self) -> Result<(), Error> {
        if self.is_open {
            self.cache.0.shared.backend.abandon_fill(&self.key, self.lease).await?;
            // Not before: a caller who goes away meanwhile leaves it to `drop`.
            self.is_open = false;
        }
        Ok(())
    }
}

impl Drop for Fill {
    /// Gives back a fill whose caller is gone, in the background.
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        // Outside a runtime there is nothing to do it on, and the lease ends by itself.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let backend = self.cache.0.shared.backend.clone();
            let (key, lease) = (self.key, self.lease);
            runtime.spawn(async move {
                if backend.abandon_fill(&key, lease).await.is_err() {
                    tracing::debug!("a fill could not be given back; it ends with its lease");
                }
            });
        }
    }
}

impl std::fmt::Debug for Fill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fill").field("is_open", &self.is_open).finish_non_exhaustive()
    }
}
