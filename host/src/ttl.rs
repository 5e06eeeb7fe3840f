//! Lifetimes of entries: whole seconds, checked where they come in.

use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// How long a backend keeps an entry: until evicted, or at least one second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lifetime {
    /// Until it is evicted.
    UntilEvicted,
    /// Whole seconds, never zero.
    Seconds(std::num::NonZeroU32),
    /// What is left to an entry that is written again: never made longer, however often that happens, and
    /// over at once where it is less than the backend can count.
    Remaining(Duration),
}

impl Lifetime {
    /// A lifetime of whole seconds; zero is `None`.
    ///
    /// ```
    /// use strongroom_host::Lifetime;
    ///
    /// assert!(Lifetime::seconds(0).is_none());
    /// assert_ne!(Lifetime::seconds(60), Some(Lifetime::UntilEvicted));
    /// ```
    pub fn seconds(seconds: u32) -> Option<Self> {
        std::num::NonZeroU32::new(seconds).map(Self::Seconds)
    }

    /// The lifetime with a grace added, as backends keep entries that have one.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        match self {
            Self::UntilEvicted => self,
            Self::Seconds(seconds) => {
                Self::Seconds(seconds.saturating_add(u32::try_from(grace.as_secs()).unwrap_or(u32::MAX)))
            }
            Self::Remaining(remaining) => Self::Remaining(remaining.saturating_add(grace)),
        }
    }

    /// The lifetime less a part of it, 0 to 1, rounded to whole seconds, of which at least one stays.
    pub(crate) fn shortened(self, part: f64) -> Self {
        match self {
            Self::Seconds(seconds) => {
                let left = f64::from(seconds.get()) * (1.0 - part);
                Self::seconds(left.round() as u32).unwrap_or(Self::Seconds(std::num::NonZeroU32::MIN))
            }
            other => other,
        }
    }

    /// The same as a duration; `None`: until evicted.
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::UntilEvicted => None,
            Self::Seconds(seconds) => Some(Duration::from_secs(u64::from(seconds.get()))),
            Self::Remaining(remaining) => Some(remaining),
        }
    }
}

/// What lifetimes a deployment allows, and which it gives where a guest asks for none.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct TtlPolicy {
    pub(crate) default: Option<std::num::NonZeroU32>,
    pub(crate) max: Option<std::num::NonZeroU32>,
}

impl TtlPolicy {
    /// Turns a guest's `ttl` into a lifetime.
    ///
    /// Where there is a cap and no default, entries live for the cap: "until evicted" is beyond it.
    pub(crate) fn lifetime(self, asked: Option<u32>) -> Result<Lifetime, Error> {
        let Some(asked) = asked else {
            let seconds = match (self.default, self.max) {
                (Some(default), Some(max)) => Some(default.min(max)),
                (default, max) => default.or(max),
            };
            return Ok(seconds.map_or(Lifetime::UntilEvicted, Lifetime::Seconds));
        };
        match std::num::NonZeroU32::new(asked) {
            Some(seconds) if self.max.is_none_or(|max| seconds <= max) => Ok(Lifetime::Seconds(seconds)),
            _ => Err(ErrorKind::InvalidTtl.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_lifetime_is_never_longer_and_never_nothing() {
        let shortened = |seconds, part| Lifetime::seconds(seconds).map(|ttl| ttl.shortened(part));
        assert_eq!(shortened(600, 0.05), Lifetime::seconds(570));
        assert_eq!(shortened(600, 0.0), Lifetime::seconds(600));
        assert_eq!(shortened(9, 0.05), Lifetime::seconds(9), "less than half a second");
        assert_eq!(shortened(1, 0.5), Lifetime::seconds(1));
        assert_eq!(shortened(1, 1.0), Lifetime::seconds(1));
        assert_eq!(shortened(u32::MAX, 0.0), Lifetime::seconds(u32::MAX));
        assert_eq!(Lifetime::UntilEvicted.shortened(0.5), Lifetime::UntilEvicted);
    }
}
