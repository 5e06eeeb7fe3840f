//! Seals values into entries and opens entries into values: compress, then encrypt, and back.
//!
//! What comes back from a backend is foreign: anybody who can write to memcached may have made it.
//! So opening decides nothing by trial, checks every length before it allocates, and never panics;
//! what can't be opened is an [`Error`], which the pipeline counts by [reason](Error::reason) and
//! answers as a miss.
//!
//! ```text
//! neither    : the value as is; an integer as decimal digits, so that memcached itself can count
//! compressed : see `compression`
//! encrypted  : see `envelope`; what it holds is one of the above
//! ```
//!
//! Which of them an entry is stands in its flags (see `stored`). A codec with keys opens nothing
//! that is not encrypted: otherwise whoever can write to memcached could plant entries in plain
//! (downgrade).
//!
//! Compression comes first because ciphertext does not shrink. It lets the length of an entry tell
//! about its content, which is why callers choose it per partition.

mod compression;
mod encryption;
mod envelope;
mod file;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod keyring;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

pub(crate) use encryption::NONCE_BYTES;
pub(crate) use envelope::OVERHEAD_BYTES;
pub(crate) use file::FileSealer;
pub(crate) use keyring::{Keyring, Purpose, Secret};

use crate::stored::{Flags, Kind, StorageKey, Stored};
use crate::value::Value;
use envelope::{AssociatedData, HEADER_BYTES, TAG_BYTES};
use keyring::PartitionKeys;

/// How a deployment seals its entries.
#[derive(Debug)]
pub(crate) struct CodecOptions {
    /// With keys every entry is encrypted, and none is opened that is not.
    pub(crate) keyring: Option<Keyring>,
    /// Whether values are compressed, where their partition allows it.
    pub(crate) compress: bool,
    /// Largest value before it is sealed and after it is opened.
    pub(crate) value_bytes_max: usize,
}

/// One deployment's way to seal entries. Makes a [`Sealer`] for each partition.
#[derive(Debug)]
pub(crate) struct Codec {
    keyring: Option<Arc<Keyring>>,
    compress: bool,
    value_bytes_max: usize,
}

impl Codec {
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self {
            keyring: options.keyring.map(Arc::new),
            compress: options.compress,
            value_bytes_max: options.value_bytes_max,
        }
    }

    /// Whether entries are encrypted: then counters must be changed here, as memcached can't.
    pub(crate) fn is_encrypting(&self) -> bool {
        self.keyring.is_some()
    }

    /// The longest that the data of an entry can be. A backend need not read a longer one.
    pub(crate) fn sealed_bytes_max(&self) -> usize {
        let overhead = if self.is_encrypting() { OVERHEAD_BYTES } else { 0 };
        self.value_bytes_max.saturating_add(overhead)
    }

    /// The sealer of one partition. It costs a few hash blocks and one key schedule, and allocates
    /// little: make one per open cache, not one per operation.
    ///
    /// `partition` frames the partition's identity injectively: equal frames share a data key, and
    /// different frames never do. `compress: false` switches compression off for this partition;
    /// entries that were compressed before still open.
    pub(crate) fn sealer(&self, partition: &[u8], compress: bool) -> Sealer {
        Sealer {
            keys: self.keyring.as_ref().map(|ring| ring.partition(partition)),
            compress: self.compress && compress,
            value_bytes_max: self.value_bytes_max,
        }
    }
}

/// Seals and opens the entries of one partition.
#[derive(Debug)]
pub(crate) struct Sealer {
    keys: Option<PartitionKeys>,
    compress: bool,
    value_bytes_max: usize,
}

impl Sealer {
    /// Seals a value's bytes for their place. `nonce` must draw 24 random bytes; it is called only where they
    /// are needed.
    ///
    /// # Errors
    ///
    /// [`Error::OverBound`] if the value is larger than the deployment allows.
    pub(crate) fn seal(
        &self,
        key: &StorageKey,
        kind: Kind,
        raw: &Bytes,
        grace_seconds: u16,
        nonce: impl FnOnce() -> [u8; NONCE_BYTES],
    ) -> Result<Stored, Error> {
        let flags = Flags::entry(kind, grace_seconds);
        if raw.len() > self.value_bytes_max {
            return Err(Error::OverBound);
        }
        // memcached counts digits, not zlib streams; and a number never shrinks.
        let compress = self.compress && kind != Kind::Integer;

        let Some(keys) = &self.keys else {
            let packed = compress.then(|| compression::deflate(raw, 0, 0)).flatten();
            return Ok(match packed {
                Some(packed) => Stored { flags: flags.compressed(), data: packed.into() },
                None => Stored { flags, data: raw.clone() },
            });
        };

        let packed = compress.then(|| compression::deflate(raw, HEADER_BYTES, TAG_BYTES)).flatten();
        let (flags, buffer) = match packed {
            Some(packed) => (flags.compressed(), packed),
            None => (flags, envelope::with_room(raw)),
        };
        let flags = flags.encrypted();
        let data = envelope::seal(keys, AssociatedData::new(flags, key).as_slice(), nonce(), buffer)?;
        Ok(Stored { flags, data: data.into() })
    }

    /// Opens what a backend answered for `key`.
    ///
    /// # Errors
    ///
    /// The reason why it is not an entry that this sealer's partition can have stored under `key`.
    pub(crate) fn open(&self, key: &StorageKey, stored: &Stored) -> Result<Value, Error> {
        let flags = stored.flags;
        if !flags.is_known_format() || (flags.is_compressed() && flags.kind() == Kind::Integer) {
            return Err(Error::UnknownFormat);
        }
        let body = self.decrypt(key, stored)?;
        // Compressed or not: what is kept compressed is smaller than the value.
        if body.len() > self.value_bytes_max {
            return Err(Error::OverBound);
        }
        let raw = if flags.is_compressed() {
            compression::inflate(&body, self.value_bytes_max)?.into()
        } else {
            body
        };
        Value::from_bytes(flags.kind(), raw).ok_or(Error::WrongKind)
    }

    /// The entry's data without encryption; the same bytes, not a copy, where it had none.
    fn decrypt(&self, key: &StorageKey, stored: &Stored) -> Result<Bytes, Error> {
        match (&self.keys, stored.flags.is_encrypted()) {
            (None, false) => Ok(stored.data.clone()),
            (None, true) => Err(Error::NoKey),
            (Some(_), false) => Err(Error::NotEncrypted),
            (Some(keys), true) => {
                if stored.data.len() > self.value_bytes_max.saturating_add(OVERHEAD_BYTES) {
                    return Err(Error::OverBound);
                }
                let associated = AssociatedData::new(stored.flags, key);
                envelope::open(keys, associated.as_slice(), &stored.data).map(Bytes::from)
            }
        }
    }
}

/// Why an entry could not be opened; every one of them is a miss.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the entry's format is not known")]
    UnknownFormat,
    #[error("the entry is not encrypted, and encryption is on")]
    NotEncrypted,
    #[error("the entry is encrypted, and there is no key")]
    NoKey,
    #[error("the entry is encrypted with a key that is not in the keyring")]
    UnknownKey,
    #[error("the entry is not authentic: altered, moved from another place, or cut short")]
    NotAuthentic,
    #[error("the value is larger than allowed")]
    OverBound,
    #[error("the entry does not inflate to what it says")]
    NotInflatable,
    #[error("the value is not of the kind that the entry says")]
    WrongKind,
}

impl Error {
    /// The label under which it is counted.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::UnknownFormat => "unknown_format",
            Self::NotEncrypted => "not_encrypted",
            Self::NoKey => "no_key",
            Self::UnknownKey => "unknown_key",
            Self::NotAuthentic => "not_authentic",
            Self::OverBound => "over_bound",
            Self::NotInflatable => "not_inflatable",
            Self::WrongKind => "wrong_kind",
        }
    }
}
