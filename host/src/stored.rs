//! What the pipeline, the codec and the backends hand to each other: a storage key, and an entry
//! as it is stored.
//!
//! # Flags
//!
//! The 32 client flags that memcached keeps beside every item:
//!
//! | bits | meaning |
//! |---|---|
//! | 0-1 | kind: 0 bytes, 1 text, 2 JSON, 3 integer |
//! | 2 | encrypted |
//! | 3 | compressed |
//! | 4 | always set: this is an entry. A fill's placeholder has flags 0 and is never read as one |
//! | 5-7 | zero |
//! | 8-15 | format version, 1 |
//! | 16-31 | grace, in seconds |
//!
//! The flags are part of what encryption authenticates, so none can be changed unnoticed.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

use crate::limits::PREFIX_BYTES_MAX;

/// Length of the part of a [`StorageKey`] that is the same for every deployment: `:` and 24 bytes in
/// base64url.
const SUFFIX_BYTES: usize = 1 + ITEM_TEXT_BYTES;

/// 24 bytes in base64url.
const ITEM_TEXT_BYTES: usize = 32;

/// Longest storage key, well below memcached's 250 bytes.
pub(crate) const STORAGE_KEY_BYTES_MAX: usize = PREFIX_BYTES_MAX + SUFFIX_BYTES;

/// The key that a backend sees: `{prefix}:` and 32 characters of base64url.
///
/// It holds no guest bytes, is at most 97 bytes long and needs no escaping in any memcached command.
/// Only the key derivation makes one; it is `Copy` and lives inline, because every operation makes one.
#[derive(Clone, Copy)]
pub struct StorageKey {
    text: [u8; STORAGE_KEY_BYTES_MAX],
    len: u8,
}

impl StorageKey {
    /// Joins a deployment's prefix and an item's base64url text. Callers have checked the prefix.
    pub(crate) fn new(prefix: &str, item: &[u8; ITEM_TEXT_BYTES]) -> Self {
        let prefix = prefix.as_bytes();
        let mut text = [0; STORAGE_KEY_BYTES_MAX];
        let len = prefix.len() + SUFFIX_BYTES;
        text[..prefix.len()].copy_from_slice(prefix);
        text[prefix.len()] = b':';
        text[prefix.len() + 1..len].copy_from_slice(item);
        Self { text, len: len as u8 }
    }

    /// Reads a storage key that an operator or a test has written down.
    ///
    /// Returns `None` for anything that the key derivation could not have made.
    ///
    /// ```
    /// use strongroom_host::StorageKey;
    ///
    /// assert!(StorageKey::parse("bank:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").is_some());
    /// assert!(StorageKey::parse("flush_all").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (prefix, item) = text.split_once(':')?;
        let item: &[u8; ITEM_TEXT_BYTES] = item.as_bytes().try_into().ok()?;
        let base64url = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (is_prefix(prefix) && item.iter().all(base64url)).then(|| Self::new(prefix, item))
    }

    /// A key of the backend's own, with the same prefix, so that it goes the same way through whatever routes
    /// by prefix.
    pub(crate) fn beside(&self, item: &[u8; 24]) -> Self {
        let mut key = *self;
        let item_text = usize::from(self.len) - ITEM_TEXT_BYTES..usize::from(self.len);
        // It always fits: 24 bytes are 32 characters.
        let _ = URL_SAFE_NO_PAD.encode_slice(item, &mut key.text[item_text]);
        key
    }

    /// The key as it stands on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }

    /// The key as text, for operators. Never for guests or logs.
    pub fn as_str(&self) -> &str {
        // Prefix and base64url are ASCII, so there is always a text.
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl PartialEq for StorageKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for StorageKey {}

impl std::hash::Hash for StorageKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for StorageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorageKey([redacted])")
    }
}

/// Whether `text` can be a deployment's prefix: 0 to 64 characters of `[A-Za-z0-9._/-]`.
pub(crate) fn is_prefix(text: &str) -> bool {
    text.len() <= PREFIX_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'/' | b'-'))
}

/// What kind of value an entry holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Any bytes.
    Bytes,
    /// UTF-8 text.
    Text,
    /// A JSON document, as text.
    Json,
    /// A signed 64-bit number, as decimal digits.
    Integer,
}

/// The 32 client flags that a backend keeps beside every item: what kind of value it is, and how it was
/// sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags(pub u32);

impl Flags {
    /// The flags of a fill's placeholder: not an entry.
    pub const PLACEHOLDER: Self = Self(0);

    const ENCRYPTED: u32 = 1 << 2;
    const COMPRESSED: u32 = 1 << 3;
    const ENTRY: u32 = 1 << 4;
    const RESERVED: u32 = 0b111 << 5;
    const VERSION: u32 = 1 << 8;
    const VERSION_MASK: u32 = 0xff << 8;

    /// Flags of an entry of this format version that is neither encrypted nor compressed.
    pub fn entry(kind: Kind, grace_seconds: u16) -> Self {
        let kind = match kind {
            Kind::Bytes => 0,
            Kind::Text => 1,
            Kind::Json => 2,
            Kind::Integer => 3,
        };
        Self(kind | Self::ENTRY | Self::VERSION | u32::from(grace_seconds) << 16)
    }

    /// The same, encrypted.
    #[must_use]
    pub fn encrypted(self) -> Self {
        Self(self.0 | Self::ENCRYPTED)
    }

    /// The same, compressed.
    #[must_use]
    pub fn compressed(self) -> Self {
        Self(self.0 | Self::COMPRESSED)
    }

    /// What kind of value the entry holds.
    pub fn kind(self) -> Kind {
        match self.0 & 0b11 {
            0 => Kind::Bytes,
            1 => Kind::Text,
            2 => Kind::Json,
            _ => Kind::Integer,
        }
    }

    /// Whether the entry is encrypted.
    pub fn is_encrypted(self) -> bool {
        self.0 & Self::ENCRYPTED != 0
    }

    /// Whether the entry is compressed.
    pub fn is_compressed(self) -> bool {
        self.0 & Self::COMPRESSED != 0
    }

    /// Whether this is an entry at all, rather than a fill's placeholder.
    pub fn is_entry(self) -> bool {
        self.0 & Self::ENTRY != 0
    }

    /// Whether this build knows the format: version 1, and no bit set that has no meaning.
    pub fn is_known_format(self) -> bool {
        self.is_entry() && self.0 & Self::VERSION_MASK == Self::VERSION && self.0 & Self::RESERVED == 0
    }

    /// For how long past its lifetime the entry may still be served by `fetch`. The backend keeps it for its
    /// lifetime and this.
    pub fn grace(self) -> Duration {
        Duration::from_secs(u64::from(self.0 >> 16))
    }

    /// Whether an item with these flags counts as an entry for every operation but `fetch`, given how long
    /// the backend will still keep it (`None`: until evicted).
    ///
    /// A placeholder does not, nor does an entry whose lifetime is over and which is kept for its grace only.
    pub fn is_live(self, remaining: Option<Duration>) -> bool {
        let grace = self.grace();
        self.is_entry() && (grace.is_zero() || remaining.is_none_or(|remaining| remaining > grace))
    }
}

/// An entry as a backend keeps it: sealed, with the flags that say how.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// How `data` is to be read.
    pub flags: Flags,
    /// The sealed value.
    pub data: Bytes,
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("flags", &self.flags)
            .field("bytes", &self.data.len())
            .finish_non_exhaustive()
    }
}
