//! An item as this backend keeps it: what the protocol has no place for, in front of the value.
//!
//! # Layout
//!
//! | bytes | |
//! |---|---|
//! | 0 | the format, `0xc1` |
//! | 1-4 | the [flags](crate::stored), big-endian |
//! | 5-12 | the version, big-endian |
//! | 13-20 | when it is over, its grace included: Unix time in milliseconds, big-endian; 0: when evicted |
//! | 21- | the sealed value; empty for a fill's placeholder |
//!
//! The version is a random number of ours and not the server's CAS id, for three reasons: it outlives a
//! touch, which has to write the item again; it is known before the item is stored; and a server that was
//! restarted counts its CAS ids from the start, so that an old one would fit a new item.
//!
//! memcached's own expiry can't be asked for in this protocol, and counts in whole seconds. It is set a
//! little later than the one in the item, which decides.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;

use crate::backend::Versioned;
use crate::backend::exptime::Ttl;
use crate::stored::{Flags, Stored};
use crate::ttl::Lifetime;

/// What stands in front of a value, in bytes.
pub(super) const HEADER_BYTES: usize = 21;

/// Neither a digit nor a letter, so that no other program's text looks like an item.
const FORMAT: u8 = 0xc1;

/// A time that is long over.
const OVER: UnixMillis = UnixMillis(1);

/// A moment, in milliseconds of Unix time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct UnixMillis(pub(super) u64);

/// An entry or a placeholder, as it was stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Item {
    pub(super) stored: Stored,
    pub(super) version: u64,
    /// `None`: until evicted.
    pub(super) expires: Option<UnixMillis>,
}

impl Item {
    /// An item that begins its life now.
    pub(super) fn new(stored: Stored, version: u64, lifetime: Lifetime, now: UnixMillis) -> Self {
        let mut item = Self { stored, version, expires: None };
        item.renew(lifetime, now);
        item
    }

    /// What takes an item's place when it is deleted: it is over already.
    pub(super) fn tombstone(version: u64) -> Self {
        let stored = Stored { flags: Flags::PLACEHOLDER, data: Bytes::new() };
        Self { stored, version, expires: Some(OVER) }
    }

    /// Gives the item a new lifetime, with its grace on top.
    pub(super) fn renew(&mut self, lifetime: Lifetime, now: UnixMillis) {
        let lifetime = lifetime.with_grace(self.stored.flags.grace()).duration();
        self.expires = lifetime.map(|lifetime| {
            let millis = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
            UnixMillis(now.0.saturating_add(millis))
        });
    }

    /// The item as bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.stored.data.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.stored.flags.0.to_be_bytes());
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(&self.expires.map_or(0, |expires| expires.0).to_be_bytes());
        bytes.extend_from_slice(&self.stored.data);
        bytes
    }

    /// The item in some bytes; `None` for what is over, and for what this backend did not write.
    pub(super) fn decode(bytes: Vec<u8>, now: UnixMillis) -> Option<Self> {
        let (&format, rest) = bytes.split_first()?;
        let (flags, rest) = rest.split_first_chunk()?;
        let (version, rest) = rest.split_first_chunk()?;
        let (expires, _) = rest.split_first_chunk()?;
        let expires = match u64::from_be_bytes(*expires) {
            0 => None,
            millis => Some(UnixMillis(millis)),
        };
        if format != FORMAT || expires.is_some_and(|expires| expires <= now) {
            return None;
        }
        let (flags, version) = (Flags(u32::from_be_bytes(*flags)), u64::from_be_bytes(*version));
        let data = Bytes::from(bytes).split_off(HEADER_BYTES);
        Some(Self { stored: Stored { flags, data }, version, expires })
    }

    /// How long the item will still be kept; `None`: until evicted.
    pub(super) fn remaining(&self, now: UnixMillis) -> Option<Duration> {
        self.expires.map(|expires| Duration::from_millis(expires.0.saturating_sub(now.0)))
    }

    /// Whether this is an entry that counts: see [`Flags::is_live`].
    pub(super) fn is_live(&self, now: UnixMillis) -> bool {
        self.stored.flags.is_live(self.remaining(now))
    }

    /// The item as callers see it.
    pub(super) fn into_versioned(self, now: UnixMillis) -> Versioned {
        let remaining = self.remaining(now);
        Versioned { entry: self.stored, version: self.version, remaining }
    }

    /// memcached's own expiry: at least a second after the item's.
    pub(super) fn ttl(&self, now: UnixMillis) -> Ttl {
        let Some(remaining) = self.remaining(now) else {
            return Ttl::new(Lifetime::UntilEvicted, Duration::ZERO, 0);
        };
        if remaining.is_zero() {
            return Ttl::OVER;
        }
        let seconds = u32::try_from(remaining.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        // Its first second may be shorter.
        let seconds = NonZeroU32::MIN.saturating_add(seconds);
        Ttl::new(Lifetime::Seconds(seconds), Duration::ZERO, now.0 / 1000)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_250);

    fn item(flags: u32, data: &[u8], expires: Option<u64>) -> Item {
        let stored = Stored { flags: Flags(flags), data: Bytes::copy_from_slice(data) };
        Item { stored, version: 7, expires: expires.map(UnixMillis) }
    }

    #[test]
    fn the_layout_is_as_documented() {
        let bytes = item(0x0102_0304, b"xy", Some(NOW.0)).encode();
        let expected = [&[0xc1, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 7][..], &NOW.0.to_be_bytes(), b"xy"];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn what_is_over_or_foreign_is_no_item() {
        assert!(Item::decode(item(0x110, b"x", Some(NOW.0 + 1)).encode(), NOW).is_some());
        assert!(Item::decode(item(0x110, b"x", Some(NOW.0)).encode(), NOW).is_none());
        assert!(Item::decode(Item::tombstone(1).encode(), NOW).is_none());
        let whole = item(0x110, b"", None).encode();
        for length in 0..whole.len() {
            assert!(Item::decode(whole[..length].to_vec(), NOW).is_none(), "{length} bytes");
        }
        assert!(Item::decode(b"some other program's value".to_vec(), NOW).is_none());
    }

    #[test]
    fn the_server_keeps_an_item_for_longer_than_the_item_says() {
        let ttl = |expires: Option<u64>| item(0x110, b"", expires).ttl(NOW).get();
        assert_eq!(ttl(None), 0);
        assert_eq!(ttl(Some(NOW.0)), Ttl::OVER.get());
        assert_eq!(ttl(Some(NOW.0 + 1)), 2);
        assert_eq!(ttl(Some(NOW.0 + 1000)), 2);
        assert_eq!(ttl(Some(NOW.0 + 1001)), 3);
        let days = 30 * 24 * 60 * 60;
        assert_eq!(ttl(Some(NOW.0 + (days - 1) * 1000)), days as u32);
        assert_eq!(
            ttl(Some(NOW.0 + days * 1000)),
            1_800_000_000 + days as u32 + 1,
            "absolute beyond 30 days"
        );
        assert_eq!(ttl(Some(u64::MAX)), i32::MAX.unsigned_abs(), "no later than memcached can count");
    }

    proptest! {
        #[test]
        fn decoding_is_the_reverse_of_encoding(
            flags: u32,
            data: Vec<u8>,
            version: u64,
            expires in proptest::option::of(NOW.0 + 1..),
        ) {
            let item = Item { version, ..item(flags, &data, expires) };
            prop_assert_eq!(Item::decode(item.encode(), NOW), Some(item));
        }
    }
}
