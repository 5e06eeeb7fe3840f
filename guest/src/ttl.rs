//! How long an entry lives: from the units that people use to the whole seconds of the contract.

use std::time::Duration;

/// How long an entry lives.
///
/// Lifetimes are whole seconds, and an entry may live up to a second longer or shorter than
/// it was given. Any entry may also vanish earlier.
///
/// ```
/// use std::time::Duration;
/// use strongroom::Ttl;
///
/// const RATES: Ttl = Ttl::minutes(10);
/// assert_eq!(RATES, Ttl::seconds(600));
/// assert_eq!(Ttl::from(Duration::from_millis(1500)), Ttl::seconds(2));
/// ```
///
/// # Zero
///
/// A lifetime of zero is never taken for "at once" or "for ever": the host answers
/// [`Error::InvalidTtl`](crate::Error::InvalidTtl) and stores nothing. It is an error and not a
/// panic, since lifetimes are often computed (what remains of a token's), and an extension should
/// not end because its cache had nothing to do. To store without a lifetime of your own, say
/// [`Ttl::host_default`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ttl(Option<u32>);

impl Ttl {
    /// The lifetime that the host gives to entries without one. Where the operator configured none,
    /// the entry lives until it is evicted.
    pub const fn host_default() -> Self {
        Self(None)
    }

    /// A lifetime in seconds.
    pub const fn seconds(seconds: u32) -> Self {
        Self(Some(seconds))
    }

    /// A lifetime in minutes. Like all units, it stops at the longest lifetime there is, 136 years.
    pub const fn minutes(minutes: u32) -> Self {
        Self::seconds(minutes.saturating_mul(60))
    }

    /// A lifetime in hours.
    pub const fn hours(hours: u32) -> Self {
        Self::seconds(hours.saturating_mul(60 * 60))
    }

    /// A lifetime in days of 24 hours.
    pub const fn days(days: u32) -> Self {
        Self::seconds(days.saturating_mul(24 * 60 * 60))
    }

    /// As the contract wants it: `None` for the host's default.
    pub(crate) const fn to_wit(self) -> Option<u32> {
        self.0
    }
}

impl From<Duration> for Ttl {
    /// Rounds up to whole seconds, so that only a duration of zero becomes a lifetime of zero.
    fn from(duration: Duration) -> Self {
        Self::seconds(whole_seconds(duration))
    }
}

/// Rounded up to whole seconds, and stopping at the most that the contract can say.
pub(crate) fn whole_seconds(duration: Duration) -> u32 {
    let part = u64::from(duration.subsec_nanos() > 0);
    let seconds = duration.as_secs().saturating_add(part);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_agree() {
        assert_eq!(Ttl::minutes(2), Ttl::seconds(120));
        assert_eq!(Ttl::hours(2), Ttl::minutes(120));
        assert_eq!(Ttl::days(2), Ttl::hours(48));
    }

    #[test]
    fn units_stop_at_the_longest_lifetime() {
        assert_eq!(Ttl::days(u32::MAX), Ttl::seconds(u32::MAX));
        assert_eq!(Ttl::from(Duration::MAX), Ttl::seconds(u32::MAX));
    }

    #[test]
    fn a_duration_is_rounded_up_and_only_zero_is_zero() {
        assert_eq!(Ttl::from(Duration::ZERO), Ttl::seconds(0));
        assert_eq!(Ttl::from(Duration::from_nanos(1)), Ttl::seconds(1));
        assert_eq!(Ttl::from(Duration::from_secs(1)), Ttl::seconds(1));
        assert_eq!(Ttl::from(Duration::from_millis(1001)), Ttl::seconds(2));
    }

    #[test]
    fn the_host_default_is_no_lifetime_on_the_wire_and_zero_stays_zero() {
        assert_eq!(Ttl::host_default().to_wit(), None);
        assert_eq!(Ttl::default(), Ttl::host_default());
        assert_eq!(Ttl::seconds(0).to_wit(), Some(0));
    }
}
