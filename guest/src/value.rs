//! Typed values: the only place that turns Rust values into what an entry holds, and back.
//!
//! | what the type serialises as          | kind of the entry | read by another language as |
//! |--------------------------------------|-------------------|-----------------------------|
//! | integer that an `i64` can hold       | `integer`         | a number; a counter         |
//! | string, `char`                       | `text`            | a string                    |
//! | bytes (`serde_bytes`, `set_bytes`)   | `bytes`           | bytes                       |
//! | anything else, and `None` (`null`)   | `json`            | JSON                        |
//!
//! `Some(x)` and one-field wrappers are stored as what they hold.

mod bytes;
mod scalar;
#[cfg(test)]
mod tests;

use serde::{Serialize, de::DeserializeOwned};

use crate::bindings::strongroom::cache::types::{ValueParam, ValueResult};
use crate::error::Error;

/// What an entry holds.
// In the signature of a trait that `#[cached]` names, and still nameless outside of the crate.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Bytes(Vec<u8>),
    Text(String),
    Json(String),
    Integer(i64),
}

impl Value {
    /// What `None` is stored as.
    pub(crate) fn nothing() -> Self {
        Self::Json("null".to_owned())
    }

    /// Its size as the host counts it, or a little more.
    pub(crate) fn bytes_len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Integer(_) => 20,
        }
    }

    pub(crate) fn from_wit(value: ValueResult) -> Self {
        match value {
            ValueResult::Bytes(bytes) => Self::Bytes(bytes),
            ValueResult::Text(text) => Self::Text(text),
            ValueResult::Json(json) => Self::Json(json),
            ValueResult::Integer(number) => Self::Integer(number),
        }
    }

    pub(crate) fn to_wit(&self) -> ValueParam<'_> {
        match self {
            Self::Bytes(bytes) => ValueParam::Bytes(bytes),
            Self::Text(text) => ValueParam::Text(text),
            Self::Json(json) => ValueParam::Json(json),
            Self::Integer(number) => ValueParam::Integer(*number),
        }
    }
}

/// Writes a Rust value.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Value, Error> {
    Ok(encode_some(value)?.unwrap_or_else(Value::nothing))
}

/// Writes a Rust value, unless it is `None` (or a `Some` of it): what serialises as none, and not as `()`.
///
/// The probe ends at the first thing that `T` serialises, so JSON costs a single pass.
pub(crate) fn encode_some<T: Serialize + ?Sized>(value: &T) -> Result<Option<Value>, Error> {
    match value.serialize(scalar::Probe) {
        Ok(value) => Ok(Some(value)),
        Err(scalar::Refusal::Nothing) => Ok(None),
        // serde_json would write `null`, which reads back as something else than was stored.
        Err(scalar::Refusal::NotFinite) => Err(Error::encode::<T>()),
        Err(scalar::Refusal::NotScalar) => serde_json::to_string(value)
            .map(|json| Some(Value::Json(json)))
            // The cause may quote the value, so it goes no further.
            .map_err(|_| Error::encode::<T>()),
    }
}

/// Whether it is `None`, as [`encode_some`] has it.
pub(crate) fn is_none<T: Serialize + ?Sized>(value: &T) -> bool {
    matches!(value.serialize(scalar::Probe), Err(scalar::Refusal::Nothing))
}

/// Reads an entry of any kind that can mean a `T`.
pub(crate) fn decode<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    // The causes are left out: serde quotes the value in them.
    match value {
        Value::Json(json) => serde_json::from_str(&json).map_err(|cause| {
            Error::decode::<T>(format!(
                "JSON that differs at line {}, column {}",
                cause.line(),
                cause.column()
            ))
        }),
        Value::Text(text) => {
            T::deserialize(serde_json::Value::String(text)).map_err(|_| Error::decode::<T>("text"))
        }
        Value::Integer(number) => {
            T::deserialize(serde_json::Value::from(number)).map_err(|_| Error::decode::<T>("an integer"))
        }
        Value::Bytes(bytes) => {
            T::deserialize(bytes::Reader(bytes)).map_err(|bytes::Mismatch| Error::decode::<T>("bytes"))
        }
    }
}

/// Reads an entry as bytes. Text is its UTF-8; JSON and integers are no bytes, so that a list of
/// numbers is never taken for the digits that it is written with.
pub(crate) fn decode_bytes(value: Value) -> Result<Vec<u8>, Error> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        Value::Text(text) => Ok(text.into_bytes()),
        Value::Json(_) => Err(Error::decode::<[u8]>("JSON")),
        Value::Integer(_) => Err(Error::decode::<[u8]>("an integer")),
    }
}
