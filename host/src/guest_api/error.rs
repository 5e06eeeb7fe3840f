//! What a guest learns of an error: the reaction that it can have, and nothing else.
//!
//! The only place that logs an error of an operation, as its detail is lost here.

use wasmtime::component::ResourceTableError;

use super::bindings::strongroom::cache::types;
use crate::error::{Error, ErrorKind};

/// Why a host function does not answer a value: an error that the guest may handle, or a trap.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Answered to the guest.
    Answer(types::Error),
    /// Ends the guest: it used a handle that it does not have, or too many.
    Trap(wasmtime::Error),
}

impl Refusal {
    /// As the generated traits want it.
    pub(super) fn into_wit(self) -> wasmtime::Result<types::Error> {
        match self {
            Self::Answer(error) => Ok(error),
            Self::Trap(trap) => Err(trap),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::TooManyHandles { .. } => Self::Trap(wasmtime::Error::msg(error.to_string())),
            _ => Self::Answer(to_wit(&error)),
        }
    }
}

impl From<ResourceTableError> for Refusal {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

/// One case for each reaction. What only operators can mend is `unavailable` to a guest.
pub(super) fn to_wit(error: &Error) -> types::Error {
    match error.kind() {
        ErrorKind::InvalidKey => types::Error::InvalidKey,
        ErrorKind::InvalidTtl => types::Error::InvalidTtl,
        ErrorKind::ValueTooLarge { limit } => types::Error::ValueTooLarge(*limit as u64),
        ErrorKind::BatchTooLarge { keys } => types::Error::BatchTooLarge(saturated(*keys as u128)),
        ErrorKind::NotAnInteger => types::Error::NotAnInteger,
        ErrorKind::AccessDenied | ErrorKind::NotGranted(_) => types::Error::AccessDenied,
        ErrorKind::NoSuchScope => types::Error::NoSuchScope,
        ErrorKind::QuotaExceeded { retry_after } => {
            // Rounded up: whoever comes a moment too early is refused again.
            types::Error::QuotaExceeded(saturated(retry_after.as_nanos().div_ceil(1_000_000)))
        }
        ErrorKind::Unavailable => {
            log(error);
            types::Error::Unavailable
        }
        ErrorKind::TimedOut => {
            log(error);
            types::Error::TimedOut
        }
        // `TooManyHandles` traps before this; no entry of a batch fails with it.
        ErrorKind::InvalidConfig(_) | ErrorKind::TooManyHandles { .. } => {
            log(error);
            types::Error::Unavailable
        }
    }
}

/// At `debug`: during an outage every operation passes here, and the connection has warned of it once.
pub(super) fn log(error: &Error) {
    let cause = std::error::Error::source(error);
    tracing::debug!(%error, cause = cause.map(tracing::field::display), "a guest's operation failed");
}

fn saturated(number: u128) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
