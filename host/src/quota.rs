//! Quotas: how much of the cache one stack may use on this host.
//!
//! They bound what extensions do, through a [`CacheCtx`](crate::CacheCtx). What the host does itself, through
//! [`Cache::open`](crate::Cache::open), is not counted; its operations queue fairly like all others.
//!
//! A quota is counted on each host by itself. Two buckets (of `governor`, which counts by GCRA) hold one
//! second's worth each: a stack that was quiet may do that much at once. One unit takes whole nanoseconds, so
//! that rates above some ten million a second come out a little larger (600 million as a billion).

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::RateLimiter;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use quick_cache::sync::Cache as BoundedMap;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::error::ErrorKind;
use crate::fair::Flow;
use crate::limits::{BATCH_BYTES_MAX, BATCH_KEYS_MAX, GIVE_BACKS_MAX, REFRESHES_MAX, STACKS_MAX};
use crate::scope::Partition;

/// After how long to try again where too many operations are under way: a few exchanges with a server.
const CONCURRENT_RETRY: Duration = Duration::from_millis(10);

/// What one stack may do on one host. What is not set is not limited.
///
/// ```
/// use std::num::NonZeroU32;
/// use strongroom_host::{Config, Quota};
///
/// let quota = Quota::UNLIMITED.operations_per_second(NonZeroU32::new(5000).expect("not zero"));
/// let config = Config::new().quota(quota).stack_quota("acme", Quota::UNLIMITED)?;
/// # Ok::<(), strongroom_host::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Quota {
    pub(crate) operations: Option<NonZeroU32>,
    pub(crate) bytes_written: Option<NonZeroU32>,
    pub(crate) concurrent: Option<NonZeroU32>,
}

impl Quota {
    /// No limit at all.
    pub const UNLIMITED: Self = Self { operations: None, bytes_written: None, concurrent: None };

    /// Operations a second. Each key of a batch is one, and opening a cache is; so a batch has at most as
    /// many keys.
    #[must_use]
    pub const fn operations_per_second(mut self, operations: NonZeroU32) -> Self {
        self.operations = Some(operations);
        self
    }

    /// Bytes of values written a second, before compression and without what an entry costs besides. One
    /// value of the largest size, at least, can be written at once; a batch has at most as many bytes as can
    /// be.
    #[must_use]
    pub const fn bytes_written_per_second(mut self, bytes: NonZeroU32) -> Self {
        self.bytes_written = Some(bytes);
        self
    }

    /// Operations under way at the same time, those that wait for another caller's fill included.
    #[must_use]
    pub const fn concurrent_operations(mut self, operations: NonZeroU32) -> Self {
        self.concurrent = Some(operations);
        self
    }
}

/// The quotas of a deployment: of every stack, unless it has its own.
#[derive(Clone, Default)]
pub(crate) struct Quotas {
    pub(crate) default: Quota,
    pub(crate) stacks: HashMap<String, Change>,
}

impl Quotas {
    pub(crate) fn of(&self, stack: Option<&str>) -> Quota {
        let change = stack.and_then(|stack| self.stacks.get(stack)).copied().unwrap_or_default();
        Quota {
            operations: change.operations.unwrap_or(self.default.operations),
            bytes_written: change.bytes_written.unwrap_or(self.default.bytes_written),
            concurrent: change.concurrent.unwrap_or(self.default.concurrent),
        }
    }
}

/// How one stack's quota differs from that of all others.
#[derive(Clone, Copy, Default)]
pub(crate) struct Change {
    pub(crate) operations: Option<Option<NonZeroU32>>,
    pub(crate) bytes_written: Option<Option<NonZeroU32>>,
    pub(crate) concurrent: Option<Option<NonZeroU32>>,
}

impl Change {
    /// In everything.
    pub(crate) fn to(quota: Quota) -> Self {
        Self {
            operations: Some(quota.operations),
            bytes_written: Some(quota.bytes_written),
            concurrent: Some(quota.concurrent),
        }
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>;

/// The library's clock, as governor wants it.
#[derive(Clone)]
struct Ticks(Clock);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.now()
    }
}

/// One stack of one service: what it has used, and its place in the queues.
pub(crate) struct Account {
    pub(crate) flow: Flow,
    /// Fills that are given back at once, for callers who are gone.
    pub(crate) give_backs: Semaphore,
    /// Operations that ask for generation numbers out of turn at once.
    pub(crate) refreshes: Semaphore,
    operations: Option<Bucket>,
    bytes_written: Option<Bucket>,
    batch_keys_max: usize,
    batch_bytes_max: usize,
    concurrent: Option<NonZeroU32>,
    under_way: AtomicU32,
}

impl Account {
    fn new(quota: Quota, clock: &Clock, value_bytes_max: usize) -> Self {
        let value_bytes_max = u32::try_from(value_bytes_max).unwrap_or(u32::MAX);
        let burst = quota.bytes_written.map(|bytes| bytes.max(at_least(value_bytes_max)));
        let limited = |burst: Option<NonZeroU32>, max: usize| {
            burst.map_or(max, |burst| max.min(usize::try_from(burst.get()).unwrap_or(usize::MAX)))
        };
        Self {
            flow: Flow::new(),
            give_backs: Semaphore::new(GIVE_BACKS_MAX),
            refreshes: Semaphore::new(REFRESHES_MAX),
            operations: quota.operations.map(|rate| bucket(rate, rate, clock)),
            bytes_written: quota.bytes_written.zip(burst).map(|(rate, burst)| bucket(rate, burst, clock)),
            batch_keys_max: limited(quota.operations, BATCH_KEYS_MAX),
            batch_bytes_max: limited(burst, BATCH_BYTES_MAX),
            concurrent: quota.concurrent,
            under_way: AtomicU32::new(0),
        }
    }

    /// How many keys one batch may have, and how many bytes it may write.
    pub(crate) fn batch_max(&self) -> (usize, usize) {
        (self.batch_keys_max, self.batch_bytes_max)
    }

    /// Counts operations and what they write, if the quota has room for them.
    pub(crate) fn admit(
        self: &Arc<Self>,
        operations: usize,
        bytes_written: usize,
    ) -> Result<UnderWay, ErrorKind> {
        let under_way = self.begin()?;
        self.spend(operations, bytes_written)?;
        Ok(under_way)
    }

    /// The same for what does not count as under way. What is refused for its bytes may have cost its
    /// operations.
    pub(crate) fn spend(&self, operations: usize, bytes_written: usize) -> Result<(), ErrorKind> {
        take(self.operations.as_ref(), operations)?;
        take(self.bytes_written.as_ref(), bytes_written)
    }

    fn begin(self: &Arc<Self>) -> Result<UnderWay, ErrorKind> {
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        let under_way = UnderWay(Arc::clone(self));
        if self.concurrent.is_some_and(|most| before >= most.get()) {
            return Err(ErrorKind::QuotaExceeded { retry_after: CONCURRENT_RETRY });
        }
        Ok(under_way)
    }
}

/// An operation that counts as under way until this is dropped.
pub(crate) struct UnderWay(Arc<Account>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

fn bucket(rate: NonZeroU32, burst: NonZeroU32, clock: &Clock) -> Bucket {
    let quota = governor::Quota::per_second(rate).allow_burst(burst);
    RateLimiter::direct_with_clock(quota, Ticks(clock.clone()))
}

/// Takes so much from a bucket, or nothing.
fn take(bucket: Option<&Bucket>, amount: usize) -> Result<(), ErrorKind> {
    let Some(bucket) = bucket else { return Ok(()) };
    let Some(amount) = NonZeroU32::new(u32::try_from(amount).unwrap_or(u32::MAX)) else { return Ok(()) };
    match bucket.check_n(amount) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(later)) => {
            // At least a millisecond, as zero would say: now.
            let retry_after = later.wait_time_from(bucket.clock().now()).max(Duration::from_millis(1));
            Err(ErrorKind::QuotaExceeded { retry_after })
        }
        // Never, as values and batches are checked against the burst before; no wait would help.
        Err(_) => Err(ErrorKind::QuotaExceeded { retry_after: Duration::MAX }),
    }
}

fn at_least(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

/// The accounts of all stacks that this host has served lately.
pub(crate) struct Accounts {
    known: BoundedMap<Partition, Arc<Account>>,
    quotas: Quotas,
    value_bytes_max: usize,
    clock: Clock,
}

impl Accounts {
    pub(crate) fn new(quotas: Quotas, value_bytes_max: usize, clock: Clock) -> Self {
        Self { known: BoundedMap::new(STACKS_MAX), quotas, value_bytes_max, clock }
    }

    /// The account of a partition's stack. What runs without a stack has one for each service.
    pub(crate) fn of(&self, partition: &Partition) -> Arc<Account> {
        let owner = partition.owner();
        let account = || {
            let quota = self.quotas.of(owner.stack_name());
            Ok(Arc::new(Account::new(quota, &self.clock, self.value_bytes_max)))
        };
        let made: Result<_, std::convert::Infallible> = self.known.get_or_insert_with(&owner, account);
        let Ok(account) = made;
        account
    }
}

#[cfg(test)]
mod tests;
