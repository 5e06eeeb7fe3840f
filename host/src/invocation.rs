//! What one invocation may do with the cache, whatever its stack's quota is.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::ErrorKind;

/// What one invocation may do with the cache. What is not set is not limited, but for handles, of which
/// [`limited_store`](crate::limited_store) allows 1024.
///
/// Once operations, bytes or time are used up, every operation answers
/// [`is_quota_exceeded`](crate::Error::is_quota_exceeded), with no
/// [`retry_after`](crate::Error::retry_after), and nothing is done. One handle too many traps.
///
/// ```
/// use std::time::Duration;
/// use strongroom_host::{Cache, CacheCtx, InvocationLimits};
///
/// let limits = InvocationLimits::UNLIMITED.operations(10_000).bytes(64 << 20).time(Duration::from_secs(5));
/// let ctx = CacheCtx::builder(&Cache::in_memory()).service("fx").stack("acme").limits(limits).build()?;
/// # Ok::<(), strongroom_host::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct InvocationLimits {
    operations: Option<u64>,
    bytes: Option<u64>,
    handles: Option<NonZeroU32>,
    time: Option<Duration>,
}

impl InvocationLimits {
    /// No limit at all.
    pub const UNLIMITED: Self = Self { operations: None, bytes: None, handles: None, time: None };

    /// Operations. Each key of a batch is one, and opening a cache is.
    #[must_use]
    pub const fn operations(mut self, operations: u64) -> Self {
        self.operations = Some(operations);
        self
    }

    /// Bytes of values, read and written. What reads answer is counted afterwards, so the last one may go
    /// beyond.
    #[must_use]
    pub const fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// Caches and fills that the guest has at the same time; a cache counts for as long as a fill of it does.
    /// More than 1024 has no effect.
    #[must_use]
    pub const fn handles(mut self, handles: NonZeroU32) -> Self {
        self.handles = Some(handles);
        self
    }

    /// Wall time, from when the [`CacheCtx`](crate::CacheCtx) was built. It ends what the guest does with the
    /// cache, a wait for another caller's fill included, but for what was sent already, which has its own
    /// time; what it computes itself, the embedder ends.
    #[must_use]
    pub const fn time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }
}

/// What is left to one invocation.
pub(crate) struct Budget {
    limits: InvocationLimits,
    ends: Option<Instant>,
    operations: AtomicU64,
    bytes: AtomicU64,
    handles: AtomicU32,
}

impl Budget {
    pub(crate) fn new(limits: InvocationLimits) -> Self {
        let ends = limits.time.and_then(|time| Instant::now().checked_add(time));
        let (operations, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { limits, ends, operations, bytes, handles: AtomicU32::new(0) }
    }

    /// Counts operations that write so many bytes, if there is room for them.
    pub(crate) fn spend(&self, operations: usize, bytes: usize) -> Result<(), ErrorKind> {
        if self.ends.is_some_and(|ends| Instant::now() >= ends) {
            return Err(OVER);
        }
        spend(&self.operations, operations, self.limits.operations)?;
        spend(&self.bytes, bytes, self.limits.bytes)
    }

    /// Counts what a read has answered.
    pub(crate) fn was_read(&self, bytes: usize) {
        if self.limits.bytes.is_some() {
            self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// So much of a wait as there is time for.
    pub(crate) fn wait(&self, wait: Duration) -> Duration {
        self.ends.map_or(wait, |ends| wait.min(ends.saturating_duration_since(Instant::now())))
    }

    /// Counts one handle more, until what is answered is dropped.
    pub(crate) fn handle(self: &Arc<Self>) -> Result<HandleCount, ErrorKind> {
        let before = self.handles.fetch_add(1, Ordering::Relaxed);
        let count = HandleCount(Arc::clone(self));
        match self.limits.handles {
            Some(most) if before >= most.get() => Err(ErrorKind::TooManyHandles { limit: most.get() }),
            _ => Ok(count),
        }
    }
}

/// One handle that the guest has.
pub(crate) struct HandleCount(Arc<Budget>);

impl Drop for HandleCount {
    fn drop(&mut self) {
        self.0.handles.fetch_sub(1, Ordering::Relaxed);
    }
}

/// There is no time after which to try again.
const OVER: ErrorKind = ErrorKind::QuotaExceeded { retry_after: Duration::MAX };

/// Adds to what was used, where it stays within the limit. What does not fit is not counted: a smaller one
/// may. (What is refused for its bytes, or by the stack's quota, has cost its operations.)
fn spend(used: &AtomicU64, amount: usize, limit: Option<u64>) -> Result<(), ErrorKind> {
    let Some(limit) = limit else { return Ok(()) };
    let amount = amount as u64;
    let fits = |used: u64| used.checked_add(amount).filter(|sum| *sum <= limit);
    used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map(drop).map_err(|_| OVER)
}

#[cfg(test)]
mod tests;
