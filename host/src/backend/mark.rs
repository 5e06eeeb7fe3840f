//! Marks: numbers that only grow, as entries of any backend.
//!
//! A mark is 8 bytes, big-endian: the Unix time in milliseconds at which it was made, and [`CHANCE_BITS`]
//! more. Anything else under its key, and any time that is [far ahead](AHEAD_MAX), could not have been
//! written by this version, and is as good as lost. So there is always a next one, whatever somebody puts
//! there.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::{Backend, Condition, Error, StoreOutcome, Versioned};
use crate::stored::{Flags, Kind, StorageKey, Stored};
use crate::ttl::Lifetime;

/// Bytes of a stored mark.
pub(super) const MARK_BYTES: usize = 8;

/// How often a mark that others keep changing is tried again.
pub(super) const ATTEMPTS_MAX: usize = 16;

/// Bits of a mark below the time.
pub(crate) const CHANCE_BITS: u32 = 20;

/// How far a mark may be ahead of this host's clock: further than any two clocks are apart, also where one of
/// them has begun in 1970.
const AHEAD_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How a mark is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Write {
    /// This number, where there is none.
    Make(u64),
    /// This number, where there is none or a smaller one.
    AtLeast(u64),
    /// This number, or the one after what is there where that is larger.
    Advance(u64),
}

impl Write {
    /// What to do about what was found: nothing, as this number counts, or to store one under a condition.
    pub(super) fn over(self, found: Option<&Versioned>) -> Result<u64, (u64, Condition)> {
        let condition = found.map_or(Condition::Absent, |found| Condition::Version(found.version));
        match (self, found.and_then(decode)) {
            (Self::Make(_), Some(there)) => Ok(there),
            (Self::AtLeast(number), Some(there)) if there >= number => Ok(there),
            (Self::Advance(number), Some(there)) => Err((number.max(there + 1), condition)),
            (Self::Make(number) | Self::AtLeast(number) | Self::Advance(number), _) => {
                Err((number, condition))
            }
        }
    }
}

pub(super) fn encode(number: u64) -> Stored {
    Stored { flags: Flags::entry(Kind::Bytes, 0), data: Bytes::copy_from_slice(&number.to_be_bytes()) }
}

pub(super) fn decode(found: &Versioned) -> Option<u64> {
    decode_at(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), found)
}

fn decode_at(unix: Duration, found: &Versioned) -> Option<u64> {
    let number = u64::from_be_bytes(found.entry.data.as_ref().try_into().ok()?);
    let is_in_time = u128::from(number >> CHANCE_BITS) <= (unix + AHEAD_MAX).as_millis();
    let is_mark = found.entry.flags == Flags::entry(Kind::Bytes, 0) && number != 0 && is_in_time;
    is_mark.then_some(number)
}

pub(super) fn contended() -> Error {
    Error::Unavailable { reason: "a generation number is changed as fast as it is read".to_owned() }
}

/// [`Backend::read_marks`] for backends that keep each entry once.
pub(super) async fn read<B: Backend + ?Sized>(
    backend: &B,
    keys: &[StorageKey],
) -> Result<Vec<Option<u64>>, Error> {
    match backend.get_many(keys, keys.len() * MARK_BYTES).await {
        // Somebody has put something larger in the place of one.
        Err(Error::BatchTooLarge { .. }) => {
            let mut numbers = Vec::with_capacity(keys.len());
            for key in keys {
                numbers.push(backend.get(key).await?.as_ref().and_then(decode));
            }
            Ok(numbers)
        }
        found => Ok(found?.iter().map(|found| found.as_ref().and_then(decode)).collect()),
    }
}

/// [`Backend::make_mark`] and [`Backend::advance_mark`] for backends that keep each entry once.
pub(super) async fn write<B: Backend + ?Sized>(
    backend: &B,
    key: &StorageKey,
    write: Write,
) -> Result<u64, Error> {
    for _ in 0..ATTEMPTS_MAX {
        let found = backend.get(key).await?;
        let (number, condition) = match write.over(found.as_ref()) {
            Ok(number) => return Ok(number),
            Err(store) => store,
        };
        let stored = backend.store(key, encode(number), Lifetime::UntilEvicted, condition).await?;
        if stored == StoreOutcome::Stored {
            return Ok(number);
        }
    }
    Err(contended())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Duration = Duration::from_millis(1_795_000_000_000);

    fn decoded(number: u64) -> Option<u64> {
        decode_at(TODAY, &Versioned { entry: encode(number), version: 1, remaining: None })
    }

    #[test]
    fn what_is_far_ahead_of_every_clock_is_no_mark() {
        let last = ((TODAY + AHEAD_MAX).as_millis() as u64 + 1) << CHANCE_BITS;
        for number in [1, 1_795_000_000_000 << CHANCE_BITS, last - 1] {
            assert_eq!(decoded(number), Some(number));
        }
        for number in [0, last, i64::MAX.unsigned_abs(), i64::MAX.unsigned_abs() + 1, u64::MAX] {
            assert_eq!(decoded(number), None, "{number}");
        }
    }
}
