//! Why an operation failed: from the contract's variant to the error that an author handles.

use std::time::Duration;

use crate::bindings::strongroom::cache::types as wit;

/// Why an operation on the cache failed.
///
/// A miss is no error: reads answer `Ok(None)`. A message says what to do, and holds neither
/// keys nor values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key (or namespace) is empty or too long.
    #[error(
        "the key or namespace is empty or too long: \
         a key has 1 to 1024 bytes, a namespace 1 to 256"
    )]
    InvalidKey,

    /// The lifetime is zero, or beyond the host's cap.
    #[error(
        "the lifetime is zero, or longer than the host allows: \
         give a shorter one, or `Ttl::host_default()`"
    )]
    InvalidTtl,

    /// The value is too large. What was stored under the key is untouched.
    #[error("the value is larger than the {limit} bytes that the host allows: store less")]
    #[non_exhaustive]
    ValueTooLarge {
        /// The most bytes that a value may have.
        limit: u64,
    },

    /// The batch asks for too much at once.
    #[error("the batch is too large: split it into batches of at most {limit} keys")]
    #[non_exhaustive]
    BatchTooLarge {
        /// The most keys to put in one batch.
        limit: u32,
    },

    /// A counter operation met an entry that is not an integer, or is a negative one.
    #[error("the entry is not a counter: delete it, or count under another key")]
    NotAnInteger,

    /// The host has not granted this extension the scope.
    #[error(
        "this extension may not open the scope: ask whoever runs it to grant the scope, \
         or open another one"
    )]
    AccessDenied,

    /// This invocation has no stack, or no session.
    #[error("this invocation has no such scope: go on without, or open another scope")]
    NoSuchScope,

    /// Too much was asked in too short a time, or all in all by this invocation. Nothing was changed.
    #[error("too much was asked of the cache: {}", when(*.retry_after))]
    #[non_exhaustive]
    QuotaExceeded {
        /// How long to wait before trying again; [`Duration::MAX`]: this invocation can't any more.
        retry_after: Duration,
    },

    /// The cache can't be reached, and nothing was changed. Out of [`Cache::update`](crate::Cache::update) it
    /// also means that others were faster each time.
    #[error(
        "the cache is out of reach, or others changed the entry first each time; nothing was changed: \
         go to the source of the value"
    )]
    Unavailable,

    /// A write got no answer in time. Reads never answer this.
    #[error("the cache did not answer in time: the write may or may not have happened")]
    TimedOut,

    /// The entry is there, and is not what was asked for.
    #[error(
        "the entry doesn't read as `{wanted}`, it is {found}: other code wrote it, or another \
         version of the type; read it as what it is, or set it anew"
    )]
    #[non_exhaustive]
    Decode {
        /// The Rust type that was asked for.
        wanted: &'static str,
        /// What the entry is instead. Never holds any of the value.
        found: String,
    },

    /// The value can't be stored, because it can't be written as JSON.
    #[error(
        "a `{given}` can't be stored: its numbers must be finite, the keys of its maps strings or \
         numbers, and its `Serialize` must not fail"
    )]
    #[non_exhaustive]
    Encode {
        /// The Rust type that was to be stored.
        given: &'static str,
    },
}

impl Error {
    /// Whether the same call may succeed later. For now, go on as after a miss.
    ///
    /// ```
    /// use strongroom::Error;
    ///
    /// assert!(Error::Unavailable.is_transient());
    /// assert!(!Error::InvalidKey.is_transient());
    /// ```
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::QuotaExceeded { .. } | Self::Unavailable | Self::TimedOut)
    }

    /// Whether the entry is there but not of the wanted type. Setting it anew or deleting it helps.
    pub fn is_wrong_type(&self) -> bool {
        matches!(self, Self::Decode { .. } | Self::NotAnInteger)
    }

    /// Total on purpose: a case that is new in the contract doesn't compile until it has its place here.
    pub(crate) fn from_wit(error: wit::Error) -> Self {
        match error {
            wit::Error::InvalidKey => Self::InvalidKey,
            wit::Error::InvalidTtl => Self::InvalidTtl,
            wit::Error::ValueTooLarge(limit) => Self::ValueTooLarge { limit },
            wit::Error::BatchTooLarge(limit) => Self::BatchTooLarge { limit },
            wit::Error::NotAnInteger => Self::NotAnInteger,
            wit::Error::AccessDenied => Self::AccessDenied,
            wit::Error::NoSuchScope => Self::NoSuchScope,
            wit::Error::QuotaExceeded(milliseconds) => {
                let retry_after = Duration::from_millis(milliseconds.into());
                Self::QuotaExceeded {
                    retry_after: if milliseconds == u32::MAX { Duration::MAX } else { retry_after },
                }
            }
            wit::Error::Unavailable => Self::Unavailable,
            wit::Error::TimedOut => Self::TimedOut,
        }
    }

    pub(crate) fn decode<T: ?Sized>(found: impl Into<String>) -> Self {
        Self::Decode { wanted: std::any::type_name::<T>(), found: found.into() }
    }

    pub(crate) fn encode<T: ?Sized>() -> Self {
        Self::Encode { given: std::any::type_name::<T>() }
    }
}

/// When to try again, in words.
fn when(retry_after: Duration) -> String {
    match retry_after {
        Duration::MAX => "this invocation has reached its limit; go to the source of the value".to_owned(),
        retry_after => format!("try again in {} ms", retry_after.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_by_itself_is_transient() {
        let transient = [wit::Error::QuotaExceeded(20), wit::Error::Unavailable, wit::Error::TimedOut];
        let lasting = [
            wit::Error::InvalidKey,
            wit::Error::InvalidTtl,
            wit::Error::ValueTooLarge(1),
            wit::Error::BatchTooLarge(1),
            wit::Error::NotAnInteger,
            wit::Error::AccessDenied,
            wit::Error::NoSuchScope,
        ];
        assert!(transient.iter().all(|e| Error::from_wit(*e).is_transient()));
        assert!(!lasting.iter().any(|e| Error::from_wit(*e).is_transient()));
        assert!(!Error::decode::<u8>("text").is_transient());
    }

    #[test]
    fn limits_and_times_reach_the_message() {
        let message = |error| Error::from_wit(error).to_string();
        assert!(message(wit::Error::ValueTooLarge(2_097_152)).contains("2097152 bytes"));
        assert!(message(wit::Error::BatchTooLarge(128)).contains("at most 128 keys"));
        assert!(message(wit::Error::QuotaExceeded(250)).contains("in 250 ms"));
        assert!(
            message(wit::Error::QuotaExceeded(u32::MAX)).contains("this invocation has reached its limit")
        );
    }

    #[test]
    fn a_wrong_type_is_told_from_other_errors() {
        assert!(Error::decode::<u8>("text").is_wrong_type());
        assert!(Error::NotAnInteger.is_wrong_type());
        assert!(!Error::encode::<u8>().is_wrong_type());
        assert!(!Error::NoSuchScope.is_wrong_type());
    }
}
