//! Every limit of the SDK, each with its unit at the end of its name, and the reason for its number.
//!
//! Those that `#[cached]` checks at compile time stand with its options, in the macros' `attr.rs`.

/// The most bytes of a key, as in the contract.
pub(crate) const KEY_BYTES_MAX: usize = 1024;

/// The longest text that is the key of a call as it is, in bytes, and how much a longer one keeps of its
/// head: with the hash that takes the place of the rest it stays below [`KEY_BYTES_MAX`].
pub(crate) const KEY_TEXT_BYTES_MAX: usize = 900;

/// The most bytes of a computed value that is handed to the host, 16 MiB. Hosts allow 2 MiB of a value unless
/// configured, and end an extension that hands over more than about 18 MiB in one call, which must never
/// happen to a function for the size of what it computed.
pub(crate) const HANDED_OVER_BYTES_MAX: usize = 16 << 20;

/// The most keys of a batch, as in the contract.
pub(crate) const BATCH_KEYS_MAX: usize = 1000;

/// The most bytes of values in a batch that is stored, 8 MiB: half of what a host takes, which leaves room
/// for keys. A larger value goes alone.
pub(crate) const BATCH_BYTES_MAX: usize = 8 << 20;

/// How many computations ask the cache at a time. Each holds a cache and a fill meanwhile, and a host ends
/// an extension that holds more than 1024 handles: half of them are left for the extension itself.
pub(crate) const COMPUTATIONS_MAX: usize = 256;

/// How often a change is tried before the entry counts as too contended. Of all who try at once one succeeds
/// each time, so this many callers can change one entry at the same moment.
pub(crate) const UPDATE_ATTEMPTS_MAX: u32 = 100;

/// The most that a counter can hold, 2^63 - 1: it is stored as an integer of the contract.
pub(crate) const COUNT_MAX: u64 = i64::MAX as u64;
