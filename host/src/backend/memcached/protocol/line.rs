//! What a reply's line says, checked against the request that it must be an answer to.

use std::time::Duration;

use super::{Awaits, Found, Lease, Reply, Version, When};
use crate::limits::REPLY_LINE_BYTES_MAX;
use crate::stored::Flags;

/// How many digits any number of 64 bits can have without being too large.
const SAFE_DIGITS: usize = 19;

/// Longest number that counting answers.
const NUMBER_BYTES_MAX: usize = 20;

/// What came is not memcached's answer to what was asked. The connection can't be used any more.
///
/// Says nothing of what came: it may be somebody's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(in super::super) enum ProtocolError {
    #[error("the server keeps no versions: it was started with `-C`, and must not be")]
    NoVersions,
    #[error("a reply line is longer than {REPLY_LINE_BYTES_MAX} bytes")]
    LineTooLong,
    #[error("a reply does not follow the protocol")]
    Malformed,
    #[error("a reply belongs to another request")]
    WrongOpaque,
    #[error("a reply does not suit its request")]
    WrongReply,
    #[error("a reply announces {0} bytes, more than the server takes")]
    ValueTooLong(u64),
    #[error("the server has too many open connections")]
    TooManyConnections,
    #[error("the server asks for authentication")]
    Unauthenticated,
    #[error("the server does not know a request (ERROR)")]
    UnknownCommand,
    #[error("the server does not accept a request (CLIENT_ERROR)")]
    ClientError,
    #[error("the server failed (SERVER_ERROR)")]
    ServerError,
}

/// What the next reply must be an answer to.
#[derive(Clone, Copy)]
pub(in super::super) struct Expected {
    pub(in super::super) awaits: Awaits,
    pub(in super::super) opaque: u64,
}

/// What a line says.
pub(super) enum Line {
    Reply(Reply),
    Value(Found),
    Number(usize),
    Setting(Option<usize>),
    SettingsEnd,
}

impl Line {
    /// Reads a line without its end.
    pub(super) fn parse(
        line: &[u8],
        expected: Expected,
        value_bytes_max: usize,
    ) -> Result<Self, ProtocolError> {
        let mut words = line.split(|&byte| byte == b' ');
        let word = words.next().unwrap_or_default();
        if word.len() != 2 {
            return parse_long(word, line, expected.awaits);
        }
        let value_length = match (word, expected.awaits) {
            (b"VA", Awaits::Value | Awaits::Lease | Awaits::Number { .. }) => {
                Some(digits_of(words.next().unwrap_or_default())?)
            }
            _ => None,
        };
        let attributes = Attributes::parse(words)?;
        match (word, expected.awaits) {
            (b"MN", Awaits::Noop) => return Ok(Line::Reply(Reply::Noop)),
            _ if attributes.opaque != Some(expected.opaque) => return Err(ProtocolError::WrongOpaque),
            _ => {}
        }
        if let Some(length) = value_length {
            let too_long = ProtocolError::ValueTooLong(length);
            let length = usize::try_from(length).map_err(|_| too_long)?;
            return match expected.awaits {
                Awaits::Number { .. } if length <= NUMBER_BYTES_MAX => Ok(Line::Number(length)),
                Awaits::Number { .. } => Err(too_long),
                _ if length > value_bytes_max => Err(too_long),
                _ => attributes.found(length).map(Line::Value),
            };
        }
        let reply = match (word, expected.awaits) {
            (b"HD", Awaits::Item) => Reply::Found(attributes.found(0)?),
            (b"HD", Awaits::Stored(_) | Awaits::Deleted { .. }) => Reply::Done,
            (b"EN", Awaits::Value | Awaits::Lease | Awaits::Item) => Reply::Missing,
            (b"NS", Awaits::Stored(When::Nothing)) => Reply::NotStored,
            (b"NF", Awaits::Deleted { .. } | Awaits::Number { .. }) => Reply::Missing,
            (b"NF", Awaits::Stored(When::Version(_))) => Reply::Missing,
            (b"EX", Awaits::Deleted { conditional: true }) => Reply::Changed,
            (b"EX", Awaits::Number { conditional: true }) => Reply::Changed,
            (b"EX", Awaits::Stored(When::Version(_))) => Reply::Changed,
            _ => return Err(ProtocolError::WrongReply),
        };
        Ok(Line::Reply(reply))
    }
}

/// The lines that begin with a longer word: those from before the meta commands, and errors.
fn parse_long(word: &[u8], line: &[u8], awaits: Awaits) -> Result<Line, ProtocolError> {
    let rest = line.get(word.len() + 1..).unwrap_or_default();
    match (word, awaits) {
        (b"VERSION", Awaits::Version) => Ok(Line::Reply(Reply::Version(parse_version(rest)?))),
        (b"STAT", Awaits::Settings) => match rest.strip_prefix(b"item_size_max ") {
            Some(number) => {
                let number = usize::try_from(digits_of(number)?);
                number.map(|number| Line::Setting(Some(number))).map_err(|_| ProtocolError::Malformed)
            }
            None if rest == b"cas_enabled no" => Err(ProtocolError::NoVersions),
            None => Ok(Line::Setting(None)),
        },
        (b"END", Awaits::Settings) => Ok(Line::SettingsEnd),
        (b"CLIENT_ERROR", Awaits::Number { .. })
            if rest == b"cannot increment or decrement non-numeric value" =>
        {
            Ok(Line::Reply(Reply::NotANumber))
        }
        (b"CLIENT_ERROR", _) if rest == b"unauthenticated" => Err(ProtocolError::Unauthenticated),
        (b"CLIENT_ERROR", _) => Err(ProtocolError::ClientError),
        (b"SERVER_ERROR", Awaits::Stored(_)) if rest == b"object too large for cache" => {
            Ok(Line::Reply(Reply::TooLarge))
        }
        (b"SERVER_ERROR", _) if rest.starts_with(b"out of memory") => Ok(Line::Reply(Reply::OutOfMemory)),
        (b"SERVER_ERROR", _) => Err(ProtocolError::ServerError),
        (b"ERROR", _) if rest == b"Too many open connections" => Err(ProtocolError::TooManyConnections),
        (b"ERROR", _) => Err(ProtocolError::UnknownCommand),
        _ => Err(ProtocolError::Malformed),
    }
}

/// The words after a reply's name, each a letter and mostly a number.
#[derive(Default)]
struct Attributes {
    flags: Option<Flags>,
    remaining: Option<Option<Duration>>,
    version: Option<u64>,
    opaque: Option<u64>,
    won: bool,
    held: bool,
}

impl Attributes {
    fn parse<'a>(words: impl Iterator<Item = &'a [u8]>) -> Result<Self, ProtocolError> {
        let mut this = Self::default();
        for word in words {
            match word {
                [b'f', digits @ ..] => {
                    let flags = u32::try_from(digits_of(digits)?);
                    this.flags = Some(Flags(flags.map_err(|_| ProtocolError::Malformed)?));
                }
                b"t-1" => this.remaining = Some(None),
                [b't', digits @ ..] => {
                    this.remaining = Some(Some(Duration::from_secs(digits_of(digits)?)));
                }
                [b'c', digits @ ..] => this.version = Some(digits_of(digits)?),
                [b'O', digits @ ..] => this.opaque = Some(digits_of(digits)?),
                b"W" => this.won = true,
                b"Z" => this.held = true,
                // Somebody has marked the item stale by hand. That is no concern of ours.
                b"X" => {}
                _ => return Err(ProtocolError::Malformed),
            }
        }
        Ok(this)
    }

    fn found(self, length: usize) -> Result<Found, ProtocolError> {
        let lease = match (self.won, self.held) {
            (true, _) => Lease::Won,
            (_, true) => Lease::Held,
            _ => Lease::None,
        };
        Ok(Found {
            flags: self.flags.ok_or(ProtocolError::Malformed)?,
            remaining: self.remaining.ok_or(ProtocolError::Malformed)?,
            version: self.version.ok_or(ProtocolError::Malformed)?,
            lease,
            length,
            data: None,
        })
    }
}

/// Reads `1.6.18` with whatever may follow (`-debian`, `_1-gabcdef`).
fn parse_version(text: &[u8]) -> Result<Version, ProtocolError> {
    let mut parts = text.splitn(3, |&byte| byte == b'.').map(|part| {
        let digits = part.iter().take_while(|byte| byte.is_ascii_digit()).count();
        u32::try_from(digits_of(&part[..digits])?).map_err(|_| ProtocolError::Malformed)
    });
    let mut part = || parts.next().unwrap_or(Err(ProtocolError::Malformed));
    Ok(Version { major: part()?, minor: part()?, patch: part()? })
}

/// Reads a number of digits and nothing else.
pub(super) fn digits_of(text: &[u8]) -> Result<u64, ProtocolError> {
    let malformed = ProtocolError::Malformed;
    if text.is_empty() {
        return Err(malformed);
    }
    let digit = |byte: u8| Some(byte.wrapping_sub(b'0')).filter(|&digit| digit <= 9).map(u64::from);
    let mut number = 0u64;
    // So many digits can't overflow.
    let (safe, rest) = text.split_at(text.len().min(SAFE_DIGITS));
    for &byte in safe {
        number = number * 10 + digit(byte).ok_or(malformed)?;
    }
    for &byte in rest {
        let digit = digit(byte).ok_or(malformed)?;
        number = number.checked_mul(10).and_then(|number| number.checked_add(digit)).ok_or(malformed)?;
    }
    Ok(number)
}
