//! A lifetime as memcached takes it, in every protocol that it speaks.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::ttl::Lifetime;

/// Up to here memcached takes a lifetime as relative, beyond it as an absolute Unix time.
pub(super) const RELATIVE_SECONDS_MAX: u32 = 30 * 24 * 60 * 60;

/// memcached keeps absolute times as `int32`; one beyond it is over at once.
const ABSOLUTE_SECONDS_MAX: u32 = i32::MAX.unsigned_abs();

/// An absolute time that is long over.
const OVER: u32 = RELATIVE_SECONDS_MAX + 1;

/// One second can be over at once on a server whose clock ticks in whole seconds; two last at least
/// one.
const SECONDS_MIN: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

/// The number that stands for a lifetime in a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ttl(pub(super) u32);

impl Ttl {
    /// Of what is over as soon as it is stored.
    pub(super) const OVER: Self = Self(OVER);

    /// Of a lifetime with the grace that comes on top, at the given Unix time.
    pub(super) fn new(lifetime: Lifetime, grace: Duration, unix_seconds: u64) -> Self {
        let seconds = match lifetime {
            Lifetime::UntilEvicted => return Self(0),
            Lifetime::Seconds(seconds) => seconds.max(SECONDS_MIN).get(),
            Lifetime::Remaining(remaining) => u32::try_from(remaining.as_secs()).unwrap_or(u32::MAX),
        };
        match seconds.saturating_add(u32::try_from(grace.as_secs()).unwrap_or(u32::MAX)) {
            0 => Self::OVER,
            seconds @ ..=RELATIVE_SECONDS_MAX => Self(seconds),
            seconds => {
                let end = unix_seconds.saturating_add(u64::from(seconds));
                Self(u32::try_from(end).map_or(ABSOLUTE_SECONDS_MAX, |end| end.min(ABSOLUTE_SECONDS_MAX)))
            }
        }
    }

    /// As it stands on the wire.
    pub(super) fn get(self) -> u32 {
        self.0
    }
}
