//! Where entries live: the contract that every backend keeps.
//!
//! A backend sees storage keys, flags and sealed bytes. It knows nothing of tenants, kinds of values,
//! ciphers or guests. One contract suite (`tests/it/backend_contract.rs`) runs against each.

mod classic;
mod exptime;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod mark;
mod memcached;
mod memory;
mod negotiated;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use classic::Classic;
pub(crate) use mark::CHANCE_BITS;
pub use memcached::{
    Address, Credentials, Memcached, MemcachedOptions, Server, ServerHealth, ServerReport, ServerState,
};
#[cfg(feature = "tls")]
pub use memcached::{Tls, TlsFiles};
pub use memory::Memory;
pub use negotiated::Negotiated;

use crate::stored::{StorageKey, Stored};
use crate::ttl::Lifetime;

/// A place where entries live.
///
/// In what follows, an item is **live** if [`Flags::is_live`](crate::Flags::is_live) says so of its flags and
/// its remaining lifetime. What is not live (nothing, a fill's placeholder, an entry within its grace) is
/// **absent**, and every operation but [`begin_fill`](Backend::begin_fill) and a store under
/// [`Condition::Version`] MUST treat it so.
///
/// - An implementation MUST answer an item only under the very key it was stored under, and MUST answer its
///   bytes and flags as they were stored.
/// - It MUST NOT answer an item whose lifetime is over; it MAY lose any item at any time. It MUST accept
///   every lifetime, and an item's lifetime MAY end up to one second early or late.
/// - Each operation on one key MUST be atomic against all others, except where a method says otherwise.
/// - A write that answers `Ok` MUST have been acknowledged by where the entry lives.
/// - An operation MUST return within the backend's configured time, with [`Error::Unavailable`] where nothing
///   was changed, and with [`Error::OutcomeUnknown`] where a write may or may not have happened. Reads MUST
///   NOT answer `OutcomeUnknown`.
/// - Dropping a returned future MUST NOT affect any other operation. The dropped operation may happen or not.
/// - A version identifies one write of one key: two different writes of a key MUST NOT have the same version,
///   and a placeholder has one as well.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The entries under the keys: as many, and in the same order; absent ones are `None`. Where entries lie
    /// in several places, those that lie where it can't be reached MAY count as absent.
    ///
    /// # Errors
    ///
    /// [`Error::BatchTooLarge`] where the entries are together larger than `bytes_max`, of which no more than
    /// one value above `bytes_max` may have been held in any one place; otherwise [`Error::Unavailable`].
    async fn get_many(&self, keys: &[StorageKey], bytes_max: usize) -> Result<Vec<Option<Versioned>>, Error>;

    /// The entry under the key, or `None` where it is absent.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned>, Error>;

    /// Stores the entry where the condition holds, and answers what became of it. Whatever is stored ends an
    /// outstanding fill of the key.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], with the old entry untouched; [`Error::Unavailable`]; [`Error::OutcomeUnknown`].
    async fn store(
        &self,
        key: &StorageKey,
        entry: Stored,
        lifetime: Lifetime,
        condition: Condition,
    ) -> Result<StoreOutcome, Error>;

    /// Stores each entry unconditionally: as many results, in the same order. Where a key is repeated, its
    /// last entry stays. Not atomic as a whole.
    async fn store_many(
        &self,
        entries: Vec<(StorageKey, Stored)>,
        lifetime: Lifetime,
    ) -> Vec<Result<(), Error>>;

    /// Removes what is under the keys, an outstanding fill included, and answers for each whether it was
    /// live. A repeated key was live at most once. Whether it was live MAY be decided just before it is
    /// removed.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]; [`Error::OutcomeUnknown`].
    async fn delete_many(&self, keys: &[StorageKey]) -> Result<Vec<bool>, Error>;

    /// Gives a live entry a new lifetime (its grace comes on top), and answers whether it was live. An
    /// outstanding fill that is met in a race MAY be ended.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]; [`Error::OutcomeUnknown`].
    async fn touch(&self, key: &StorageKey, lifetime: Lifetime) -> Result<bool, Error>;

    /// Changes a live, unencrypted integer in place, keeping its lifetime, and answers the new number.
    ///
    /// [`Step::Up`] stops at `i64::MAX`, [`Step::Down`] at zero.
    ///
    /// # Errors
    ///
    /// [`Error::NotAnInteger`] where the entry is not an unencrypted [`Kind::Integer`](crate::Kind::Integer)
    /// of at least zero; [`Error::Unavailable`]; [`Error::OutcomeUnknown`].
    async fn count(&self, key: &StorageKey, step: Step) -> Result<Option<u64>, Error>;

    /// Takes the right to fill a key under which nothing is. It MUST be held for at least `lease`, and at
    /// most two seconds more. Where something is under the key, an implementation MUST answer that and change
    /// nothing.
    ///
    /// Exactly one of any number of callers MUST get [`Begun::Won`] per lease.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]; a right that was won but whose answer was lost ends with its lease.
    async fn begin_fill(&self, key: &StorageKey, lease: Duration) -> Result<Begun, Error>;

    /// Gives a fill back: removes its placeholder if it is still of this version. Does nothing otherwise.
    /// (A fill is completed by [`store`](Backend::store) under [`Condition::Version`].)
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]; [`Error::OutcomeUnknown`].
    async fn abandon_fill(&self, key: &StorageKey, version: u64) -> Result<(), Error>;

    /// A number for the one of several places (servers) in which the entry under the key lives: callers queue
    /// for each by itself. It is even, or the odd one after that where the entry is known to be large, and so
    /// has a way of its own. Another place MAY have the same number, and a key's MAY change at any time.
    fn place(&self, _key: &StorageKey) -> usize {
        0
    }

    /// The marks under the keys: as many, and in the same order; `None` where there is none. A mark is a
    /// number that only grows, under a key that is used for nothing else: the Unix time in milliseconds when
    /// it was made, times 2^20, and a part of that. One of a time far from now is none. Where it is kept in
    /// several places, the largest number that can be reached counts.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] where a mark can be reached nowhere.
    async fn read_marks(&self, keys: &[StorageKey]) -> Result<Vec<Option<u64>>, Error> {
        mark::read(self, keys).await
    }

    /// Makes a mark of this number (at least 1) where there is none, and answers the one that counts then.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]; [`Error::OutcomeUnknown`].
    async fn make_mark(&self, key: &StorageKey, number: u64) -> Result<u64, Error> {
        mark::write(self, key, mark::Write::Make(number)).await
    }

    /// Gives a mark a larger number: this one (at least 1), or the one after what is there where that is
    /// larger. Answers which it was. Where it is kept in several places, one that took it is enough: whoever
    /// reaches that one reads it.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]; [`Error::OutcomeUnknown`].
    async fn advance_mark(&self, key: &StorageKey, number: u64) -> Result<u64, Error> {
        mark::write(self, key, mark::Write::Advance(number)).await
    }
}

/// In which protocol a memcached server is spoken to.
///
/// All hosts of a deployment must use the same: what is written in one is not found in the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Protocol {
    /// The meta commands, by [`Memcached`].
    #[default]
    Meta,
    /// The commands from before them, by [`Classic`].
    Classic,
    /// Whichever the server knows, by [`Negotiated`].
    Auto,
}

/// The backend for a memcached server, which is connected to when it is first needed.
pub fn over(options: MemcachedOptions, protocol: Protocol) -> Arc<dyn Backend> {
    match protocol {
        Protocol::Meta => Arc::new(Memcached::new(options)),
        Protocol::Classic => Arc::new(Classic::new(options)),
        Protocol::Auto => Arc::new(Negotiated::new(options)),
    }
}

/// Reaches a memcached server once, on a connection of its own.
///
/// # Errors
///
/// [`Error::Unavailable`] where it can't be reached, or does not speak the protocol, with the reason.
pub async fn reach(options: &MemcachedOptions, protocol: Protocol) -> Result<(), Error> {
    match protocol {
        Protocol::Meta => Memcached::new(options.clone()).report().await.map(drop),
        Protocol::Classic | Protocol::Auto => classic::probe(options).await.map(drop),
    }
}

/// An entry as stored, with the version of the write that stored it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Versioned {
    /// The entry.
    pub entry: Stored,
    /// Which write it was.
    pub version: u64,
    /// How long the backend will still keep it, grace included; `None`: until evicted.
    pub remaining: Option<Duration>,
}

/// When [`Backend::store`] stores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// Always.
    Always,
    /// Only where the key is absent.
    Absent,
    /// Only where the key is live.
    Present,
    /// Only where what is under the key, live or not, is of this version. The lease of a fill is
    /// such a version.
    Version(u64),
}

/// What became of a [`Backend::store`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreOutcome {
    /// Stored.
    Stored,
    /// Not stored: there is a live entry ([`Condition::Absent`]), or a live one of another version.
    Exists,
    /// Not stored: the key is absent ([`Condition::Present`]), or absent and of another version.
    Missing,
}

/// How [`Backend::count`] changes a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Add this much.
    Up(u64),
    /// Take this much away.
    Down(u64),
}

impl Step {
    /// The number after the step, or `None` where `number` is not a counter's (negative).
    pub fn apply(self, number: i64) -> Option<i64> {
        let number = u64::try_from(number).ok()?;
        let next = match self {
            Self::Up(delta) => number.saturating_add(delta).min(i64::MAX.unsigned_abs()),
            Self::Down(delta) => number.saturating_sub(delta),
        };
        i64::try_from(next).ok()
    }
}

/// What [`Backend::begin_fill`] found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Begun {
    /// A live entry.
    Live(Versioned),
    /// An entry within its grace.
    Stale(Versioned),
    /// An entry of this version that is too large to be answered.
    Unreadable(u64),
    /// There was nothing: the caller holds the fill, whose lease is this version.
    Won(u64),
    /// Somebody else holds the fill.
    Held,
}

impl Begun {
    /// What an entry is, by its flags and how long it will be kept.
    pub(crate) fn of(found: Versioned) -> Self {
        let is_live = found.entry.flags.is_live(found.remaining);
        if is_live { Self::Live(found) } else { Self::Stale(found) }
    }
}

/// Why a backend could not do what it was asked. No variant carries a key or a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The entries are together larger than was allowed.
    #[error("the entries of the batch are larger than allowed; the first {fit} fit")]
    BatchTooLarge {
        /// How many of the first keys' entries fit.
        fit: usize,
    },
    /// The sealed entry is larger than the backend takes. What was stored is untouched.
    #[error("the sealed entry is larger than the {limit} bytes that the backend takes")]
    TooLarge {
        /// The largest sealed entry that it takes, in bytes.
        limit: usize,
    },
    /// A counter operation on something else.
    #[error("the entry is not a counter")]
    NotAnInteger,
    /// Nothing was changed.
    #[error("the backend is unavailable: {reason}")]
    Unavailable {
        /// For the operator's log.
        reason: String,
    },
    /// A write was sent, and no reply came: it may or may not have happened.
    #[error("no reply to a write: {reason}")]
    OutcomeUnknown {
        /// For the operator's log.
        reason: String,
    },
}
