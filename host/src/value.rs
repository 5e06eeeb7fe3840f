//! The values that entries hold, as the pipeline's callers see them.

use std::fmt;

use bytes::Bytes;

use crate::stored::Kind;

/// A value of one of the four kinds that the WIT contract knows.
///
/// `Debug` prints the kind and the length, never the content.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Any bytes.
    Bytes(Bytes),
    /// UTF-8 text.
    Text(String),
    /// A JSON document; never parsed.
    Json(String),
    /// A whole number.
    Integer(i64),
}

impl Value {
    /// The value's kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Bytes(_) => Kind::Bytes,
            Self::Text(_) => Kind::Text,
            Self::Json(_) => Kind::Json,
            Self::Integer(_) => Kind::Integer,
        }
    }

    /// How many bytes the value counts: an integer as its decimal digits.
    pub fn bytes_len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Integer(number) => {
                let digits = number.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
                digits + usize::from(number.is_negative())
            }
        }
    }

    /// The value's bytes as they are sealed: an integer as decimal digits.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Text(text) | Self::Json(text) => text.into(),
            Self::Integer(number) => number.to_string().into(),
        }
    }

    /// Reads sealed bytes back; `None` where they can't be of that kind.
    ///
    /// Trailing spaces of an integer are memcached's: it keeps a counter's width when the number gets
    /// shorter.
    pub(crate) fn from_bytes(kind: Kind, bytes: Bytes) -> Option<Self> {
        match kind {
            Kind::Bytes => Some(Self::Bytes(bytes)),
            Kind::Text => String::from_utf8(bytes.into()).ok().map(Self::Text),
            Kind::Json => String::from_utf8(bytes.into()).ok().map(Self::Json),
            Kind::Integer => {
                let digits = str::from_utf8(&bytes).ok()?;
                digits.trim_end_matches(' ').parse().ok().map(Self::Integer)
            }
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Json(text) => write!(f, "Json({} bytes)", text.len()),
            Self::Integer(_) => f.write_str("Integer"),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}
