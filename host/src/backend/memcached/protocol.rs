//! memcached's meta protocol, as far as this backend speaks it: requests to bytes, and bytes to
//! replies. No IO, no clock.
//!
//! # Layout
//!
//! One line per request, one line per reply, in order; a value follows its line. `O` is a number of
//! our own that comes back with the reply.
//!
//! | request | sent | answered |
//! |---|---|---|
//! | [`Read`](Request::Read) | `mg KEY f t c v O` | `VA LENGTH f t c O`, value; `EN O` |
//! | [`Look`](Request::Look) | `mg KEY f t c O` | `HD f t c O`; `EN O` |
//! | [`Lease`](Request::Lease) | `mg KEY f t c v N O` | as `Read`, and `W` (won) or `Z` (held) |
//! | [`Touch`](Request::Touch) | `mg KEY f t c T O` | as `Look`, with the old `t` |
//! | [`Store`](Request::Store) | `ms KEY LENGTH T F [ME or C] O`, value | `HD`, `NS`, `EX`, `NF` |
//! | [`Delete`](Request::Delete) | `md KEY [C] O` | `HD`, `EX`, `NF` |
//! | [`Count`](Request::Count) | `ma KEY MI or MD D [C] v O` | `VA LENGTH O`, digits; `EX`, `NF` |
//! | [`Noop`](Request::Noop) | `mn` | `MN` |
//! | [`Version`](Request::Version) | `version` | `VERSION 1.6.18` |
//! | [`Settings`](Request::Settings) | `stats settings` | `STAT NAME VALUE` many times, `END` |
//!
//! Any request can be answered by `ERROR`, `CLIENT_ERROR` or `SERVER_ERROR`, which carry no `O`: that
//! replies come in order is what tells whom they are for. 1.6.18 ignores some flags that it does not
//! know without a word, so nothing newer is used (`mg C`, `ms N`, `E`).

mod decode;
mod line;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use crate::backend::Step;
use crate::stored::{Flags, StorageKey, Stored};

pub(super) use crate::backend::exptime::Ttl;
pub(super) use decode::{Bounds, Decoder};
pub(super) use line::{Expected, ProtocolError};

/// What is asked of memcached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Request {
    /// The item, with its value.
    Read(StorageKey),
    /// The item, without its value.
    Look(StorageKey),
    /// The item, or a placeholder that lives for so long, made in its place.
    Lease(StorageKey, Ttl),
    /// A new lifetime for the item.
    Touch(StorageKey, Ttl),
    /// A new item.
    Store { key: StorageKey, entry: Stored, ttl: Ttl, when: When },
    /// No item, or none of this version.
    Delete { key: StorageKey, version: Option<u64> },
    /// Another number in an item of digits, or in one of this version. Wraps at 2^64.
    Count { key: StorageKey, step: Step, version: Option<u64> },
    /// Nothing.
    Noop,
    /// The server's version.
    Version,
    /// The server's settings.
    Settings,
}

/// When a [`Request::Store`] stores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum When {
    /// Always.
    Always,
    /// Where there is nothing, not even a placeholder.
    Nothing,
    /// Where there is an item of this version.
    Version(u64),
}

/// What memcached answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Reply {
    /// There is an item.
    Found(Found),
    /// There is none.
    Missing,
    /// Stored, or deleted.
    Done,
    /// Not stored, as there is an item.
    NotStored,
    /// Not done, as the item is of another version.
    Changed,
    /// The number after counting.
    Number(u64),
    /// Not counted, as the item does not hold digits.
    NotANumber,
    /// Not stored, and what was there is gone.
    TooLarge,
    /// The server has no memory for it.
    OutOfMemory,
    /// To [`Request::Noop`].
    Noop,
    /// To [`Request::Version`].
    Version(Version),
    /// To [`Request::Settings`]: the size limit of an item, in bytes.
    Settings { item_size_max: usize },
}

/// An item that memcached holds: an entry, or a placeholder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Found {
    pub(super) flags: Flags,
    /// For how long it will be kept; `None`: until evicted.
    pub(super) remaining: Option<Duration>,
    pub(super) version: u64,
    pub(super) lease: Lease,
    /// Length of the value, whether it is here or not; zero where it was not asked for.
    pub(super) length: usize,
    /// The value, unless it was not asked for, is of no use or is out of [`Bounds`].
    pub(super) data: Option<Bytes>,
}

impl Found {
    /// Whether this is an entry that counts: see [`Flags::is_live`].
    pub(super) fn is_live(&self) -> bool {
        self.flags.is_live(self.remaining)
    }
}

/// Who holds the placeholder of a [`Request::Lease`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lease {
    /// It isn't one.
    None,
    /// The asker (`W`).
    Won,
    /// Somebody else (`Z`).
    Held,
}

/// A memcached version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) patch: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What a request's reply must be like: all that is kept of a request that is on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Awaits {
    /// To [`Request::Read`].
    Value,
    /// To [`Request::Lease`]: an entry within its grace is of use, too.
    Lease,
    /// To [`Request::Look`] and [`Request::Touch`].
    Item,
    /// To [`Request::Store`].
    Stored(When),
    /// To [`Request::Delete`]; `conditional`: of one version only.
    Deleted { conditional: bool },
    /// To [`Request::Count`]; `conditional`: of one version only.
    Number { conditional: bool },
    /// To [`Request::Noop`].
    Noop,
    /// To [`Request::Version`].
    Version,
    /// To [`Request::Settings`].
    Settings,
}

impl Request {
    pub(super) fn awaits(&self) -> Awaits {
        match self {
            Self::Read(_) => Awaits::Value,
            Self::Lease(..) => Awaits::Lease,
            Self::Look(_) | Self::Touch(..) => Awaits::Item,
            Self::Store { when, .. } => Awaits::Stored(*when),
            Self::Delete { version, .. } => Awaits::Deleted { conditional: version.is_some() },
            Self::Count { version, .. } => Awaits::Number { conditional: version.is_some() },
            Self::Noop => Awaits::Noop,
            Self::Version => Awaits::Version,
            Self::Settings => Awaits::Settings,
        }
    }

    /// Whether something may be changed by it that matters if the reply is lost. (A lost lease ends
    /// by itself.)
    pub(super) fn is_write(&self) -> bool {
        match self {
            Self::Touch(..) | Self::Store { .. } | Self::Delete { .. } | Self::Count { .. } => true,
            Self::Read(_) | Self::Look(_) | Self::Lease(..) => false,
            Self::Noop | Self::Version | Self::Settings => false,
        }
    }

    /// The key that it is about.
    pub(super) fn key(&self) -> Option<&StorageKey> {
        match self {
            Self::Read(key) | Self::Look(key) | Self::Lease(key, _) | Self::Touch(key, _) => Some(key),
            Self::Store { key, .. } | Self::Delete { key, .. } | Self::Count { key, .. } => Some(key),
            Self::Noop | Self::Version | Self::Settings => None,
        }
    }

    /// The value that follows the line, and then `\r\n`.
    pub(super) fn data(&self) -> Option<&Bytes> {
        match self {
            Self::Store { entry, .. } => Some(&entry.data),
            _ => None,
        }
    }

    /// Appends the request's line.
    ///
    /// It consists of words of ours, numbers and a [`StorageKey`], and so can't be anything but one
    /// request.
    pub(super) fn encode(&self, opaque: u64, out: &mut BytesMut) {
        match self {
            Self::Read(key) => command(out, b"mg ", key, b" f t c v"),
            Self::Look(key) => command(out, b"mg ", key, b" f t c"),
            Self::Lease(key, ttl) => {
                command(out, b"mg ", key, b" f t c v");
                number(out, b" N", u64::from(ttl.get()));
            }
            Self::Touch(key, ttl) => {
                command(out, b"mg ", key, b" f t c");
                number(out, b" T", u64::from(ttl.get()));
            }
            Self::Store { key, entry, ttl, when } => {
                command(out, b"ms ", key, b"");
                number(out, b" ", entry.data.len() as u64);
                number(out, b" T", u64::from(ttl.get()));
                number(out, b" F", u64::from(entry.flags.0));
                match when {
                    When::Always => {}
                    When::Nothing => out.put_slice(b" ME"),
                    When::Version(version) => number(out, b" C", *version),
                }
            }
            Self::Delete { key, version } => {
                command(out, b"md ", key, b"");
                condition(out, *version);
            }
            Self::Count { key, step, version } => {
                command(out, b"ma ", key, b" v");
                match step {
                    Step::Up(delta) => number(out, b" MI D", *delta),
                    Step::Down(delta) => number(out, b" MD D", *delta),
                }
                condition(out, *version);
            }
            Self::Noop => return out.put_slice(b"mn\r\n"),
            Self::Version => return out.put_slice(b"version\r\n"),
            Self::Settings => return out.put_slice(b"stats settings\r\n"),
        }
        number(out, b" O", opaque);
        out.put_slice(b"\r\n");
    }
}

fn command(out: &mut BytesMut, verb: &[u8], key: &StorageKey, flags: &[u8]) {
    out.put_slice(verb);
    out.put_slice(key.as_bytes());
    out.put_slice(flags);
}

fn condition(out: &mut BytesMut, version: Option<u64>) {
    if let Some(version) = version {
        number(out, b" C", version);
    }
}

/// Appends a name and a number. Not by `write!`, which takes longer than all the rest of a request.
fn number(out: &mut BytesMut, name: &[u8], number: u64) {
    out.put_slice(name);
    out.put_slice(itoa::Buffer::new().format(number).as_bytes());
}
