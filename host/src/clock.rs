//! The clock, as a value: so that tests can move it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A clock that only goes forward, read as the time since some fixed moment.
///
/// ```
/// use std::time::Duration;
/// use strongroom_host::Clock;
///
/// let clock = Clock::manual();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(3));
/// assert_eq!(clock.now() - before, Duration::from_secs(3));
/// ```
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { start: Instant },
    Manual { nanoseconds: Arc<AtomicU64> },
}

impl Clock {
    /// The system's monotonic clock.
    pub fn system() -> Self {
        Self(Source::System { start: Instant::now() })
    }

    /// A clock that stands still until it is [advanced](Clock::advance). Clones are the same clock.
    pub fn manual() -> Self {
        // Not zero, so that a time before the clock was made can be told from "never".
        let hour = Duration::from_secs(3600).as_nanos() as u64;
        Self(Source::Manual { nanoseconds: Arc::new(AtomicU64::new(hour)) })
    }

    /// The time since the clock's fixed moment.
    pub fn now(&self) -> Duration {
        match &self.0 {
            Source::System { start } => start.elapsed(),
            Source::Manual { nanoseconds } => Duration::from_nanos(nanoseconds.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock forward. The system's can't be moved, and is left alone.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { nanoseconds } = &self.0 {
            let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
            nanoseconds.fetch_add(by, Ordering::SeqCst);
        }
    }
}
