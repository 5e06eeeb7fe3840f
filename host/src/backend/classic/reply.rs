//! What a reply may look like, checked byte by byte before the client library sees it. No IO.
//!
//! The library believes what it reads: it allocates whatever length is announced, takes any key's value for
//! the one that was asked for, and any line that is no error for a success. So this file knows the grammar of
//! each reply that may come now, and refuses the first byte that does not fit.
//!
//! | asked | answered |
//! |---|---|
//! | `version` | `VERSION TEXT` |
//! | `gets KEY` | `END`; `VALUE KEY FLAGS LENGTH CAS`, value, `END` |
//! | `get KEY...` | `VALUE KEY FLAGS LENGTH` and value for each that is there, `END` |
//! | `add` | `STORED`, `NOT_STORED` |
//! | `cas` | `STORED`, `EXISTS`, `NOT_FOUND` |
//! | `mn` | `MN`, from a server that knows the meta commands |

use std::mem;

use super::item::HEADER_BYTES;
use crate::limits::REPLY_LINE_BYTES_MAX;
use crate::stored::StorageKey;

/// The largest value that memcached can be told to take (`-I 1g`). Nobody has a longer one.
const SERVER_VALUE_BYTES_MAX: u64 = 1 << 30;

/// Why a reply was refused. The connection can't be used any more.
///
/// Says nothing of what came: it may be somebody's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Violation {
    #[error("the server keeps no versions: it was started with `-C`, and must not be")]
    NoVersions,
    #[error("a reply line is longer than {REPLY_LINE_BYTES_MAX} bytes")]
    LineTooLong,
    #[error("a reply does not follow the protocol")]
    Malformed,
    #[error("a reply is about another key")]
    WrongKey,
    #[error("the server sent what it was not asked for")]
    Unasked,
    #[error("a reply announces {0} bytes, more than any server takes")]
    ValueTooLong(u64),
    /// An item that is not ours to read. Its CAS id, where that was asked for.
    #[error("an item is larger than the configured limit")]
    Oversized { cas: Option<u64> },
    #[error("the items are together larger than asked for")]
    BatchTooLarge,
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
    /// An item that was to be stored. What was there is untouched.
    #[error("an item is larger than the server takes")]
    ItemTooLarge,
    #[error("the server is out of memory")]
    OutOfMemory,
}

/// What may come now.
#[derive(Debug)]
pub(super) enum Expected {
    /// Not one byte.
    Nothing,
    /// To `version`.
    Version,
    /// To `gets`, with an item of up to so many bytes.
    Value { key: StorageKey, bytes_max: usize },
    /// To `get`, with items of up to so many bytes, and so many together. No key is repeated.
    Values { keys: Vec<StorageKey>, bytes_max: usize, batch_bytes_left: usize },
    /// To `add`.
    Added,
    /// To `cas`.
    Swapped,
    /// To `mn`.
    Noop,
}

/// What has come, as far as the library does not tell.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Seen {
    /// `NOT_FOUND`, which the library takes for an error.
    pub(super) not_found: bool,
    /// The keys whose items have client flags, and so are none of this backend's.
    pub(super) foreign: Vec<StorageKey>,
}

/// Checks the reply to one request.
#[derive(Debug)]
pub(super) struct ReplyCheck {
    expected: Expected,
    state: State,
    line: Vec<u8>,
    /// Where to look first for the key of the next value: they mostly come as they were asked for.
    next_key: usize,
    seen: Seen,
}

#[derive(Debug)]
enum State {
    /// The reply is whole.
    Done,
    Line,
    /// So many bytes of a value are still to come.
    Value(usize),
    /// Just these bytes, and then what follows.
    Literal(&'static [u8], After),
}

#[derive(Clone, Copy, Debug)]
enum After {
    Done,
    Line,
}

impl ReplyCheck {
    pub(super) fn new(expected: Expected) -> Self {
        let state = if matches!(expected, Expected::Nothing) { State::Done } else { State::Line };
        Self { expected, state, line: Vec::new(), next_key: 0, seen: Seen::default() }
    }

    /// Whether all of the reply has come.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(super) fn seen(&mut self) -> Seen {
        mem::take(&mut self.seen)
    }

    /// Looks at the next bytes of the reply, however it was cut.
    pub(super) fn check(&mut self, mut bytes: &[u8]) -> Result<(), Violation> {
        while !bytes.is_empty() {
            let (state, rest) = match mem::replace(&mut self.state, State::Done) {
                State::Done => return Err(self.unasked(bytes)),
                State::Line => self.check_line(bytes)?,
                State::Value(left) if left > bytes.len() => (State::Value(left - bytes.len()), &[][..]),
                State::Value(left) => (self.after_value(), &bytes[left..]),
                State::Literal(literal, after) => check_literal(literal, after, bytes)?,
            };
            self.state = state;
            bytes = rest;
        }
        Ok(())
    }

    /// What came is nobody's. The server's parting words have a meaning all the same.
    fn unasked(&self, bytes: &[u8]) -> Violation {
        let is_parting = matches!(self.expected, Expected::Nothing) && bytes.starts_with(b"ERROR Too many");
        if is_parting { Violation::TooManyConnections } else { Violation::Unasked }
    }

    fn after_value(&self) -> State {
        match self.expected {
            Expected::Values { .. } => State::Literal(b"\r\n", After::Line),
            _ => State::Literal(b"\r\nEND\r\n", After::Done),
        }
    }

    fn check_line<'a>(&mut self, bytes: &'a [u8]) -> Result<(State, &'a [u8]), Violation> {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let length = end.map_or(bytes.len(), |end| end + 1);
        if self.line.len() + length > REPLY_LINE_BYTES_MAX {
            return Err(Violation::LineTooLong);
        }
        self.line.extend_from_slice(&bytes[..length]);
        if end.is_none() {
            return Ok((State::Line, &[]));
        }
        let line = mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r\n").ok_or(Violation::Malformed)?;
        Ok((self.judge(line)?, &bytes[length..]))
    }

    /// What a whole line means.
    fn judge(&mut self, line: &[u8]) -> Result<State, Violation> {
        if let Some(value) = line.strip_prefix(b"VALUE ") {
            return self.judge_value(value);
        }
        let is_store = matches!(self.expected, Expected::Added | Expected::Swapped);
        match (line, &self.expected) {
            (b"END", Expected::Value { .. } | Expected::Values { .. }) => Ok(State::Done),
            (b"STORED", Expected::Added | Expected::Swapped) => Ok(State::Done),
            (b"NOT_STORED", Expected::Added) | (b"MN", Expected::Noop) => Ok(State::Done),
            (b"EXISTS", Expected::Swapped) => Ok(State::Done),
            (b"NOT_FOUND", Expected::Swapped) => {
                self.seen.not_found = true;
                Ok(State::Done)
            }
            (line, Expected::Version) if line.starts_with(b"VERSION ") => Ok(State::Done),
            (line, _) => Err(error_line(line, is_store)),
        }
    }

    /// The rest of a line that announces a value.
    fn judge_value(&mut self, line: &[u8]) -> Result<State, Violation> {
        let mut words = line.split(|&byte| byte == b' ');
        let mut word = || words.next().ok_or(Violation::Malformed);
        let (key, flags, length) = (word()?, digits(word()?)?, digits(word()?)?);
        let cas = words.next().map(digits).transpose()?;
        if words.next().is_some() {
            return Err(Violation::Malformed);
        }
        if length > SERVER_VALUE_BYTES_MAX {
            return Err(Violation::ValueTooLong(length));
        }
        let length = usize::try_from(length).map_err(|_| Violation::ValueTooLong(length))?;
        let (key, bytes_max) = match (&mut self.expected, cas) {
            (Expected::Value { key: asked, .. }, _) if asked.as_bytes() != key => {
                return Err(Violation::WrongKey);
            }
            (Expected::Value { .. }, Some(0)) => return Err(Violation::NoVersions),
            (Expected::Value { key, bytes_max }, Some(_)) => (*key, *bytes_max),
            (Expected::Values { keys, bytes_max, batch_bytes_left }, None) => {
                let key = take_key(keys, &mut self.next_key, key).ok_or(Violation::WrongKey)?;
                let value_bytes = length.saturating_sub(HEADER_BYTES);
                *batch_bytes_left =
                    batch_bytes_left.checked_sub(value_bytes).ok_or(Violation::BatchTooLarge)?;
                (key, *bytes_max)
            }
            _ => return Err(Violation::Malformed),
        };
        if length > bytes_max {
            return Err(Violation::Oversized { cas });
        }
        if flags != 0 {
            self.seen.foreign.push(key);
        }
        Ok(State::Value(length))
    }
}

/// Takes the key out of those that are still to be answered.
fn take_key(keys: &mut Vec<StorageKey>, next: &mut usize, key: &[u8]) -> Option<StorageKey> {
    let is_asked = |asked: &StorageKey| asked.as_bytes() == key;
    let found = keys.iter().skip(*next).position(is_asked).map(|position| *next + position);
    let found = found.or_else(|| keys.iter().position(is_asked))?;
    *next = found;
    Some(keys.remove(found))
}

fn check_literal<'a>(
    literal: &'static [u8],
    after: After,
    bytes: &'a [u8],
) -> Result<(State, &'a [u8]), Violation> {
    let length = literal.len().min(bytes.len());
    if bytes[..length] != literal[..length] {
        return Err(Violation::Malformed);
    }
    let state = match (&literal[length..], after) {
        ([], After::Done) => State::Done,
        ([], After::Line) => State::Line,
        (rest, after) => State::Literal(rest, after),
    };
    Ok((state, &bytes[length..]))
}

/// The meaning of a line that is no proper answer. Only where an item was to be stored can it be the
/// item's fault.
fn error_line(line: &[u8], is_store: bool) -> Violation {
    let word = line.split(|&byte| byte == b' ').next().unwrap_or_default();
    let rest = line.get(word.len() + 1..).unwrap_or_default();
    match word {
        b"ERROR" if rest == b"Too many open connections" => Violation::TooManyConnections,
        b"ERROR" => Violation::UnknownCommand,
        b"CLIENT_ERROR" if rest == b"unauthenticated" => Violation::Unauthenticated,
        b"CLIENT_ERROR" => Violation::ClientError,
        b"SERVER_ERROR" if is_store && rest == b"object too large for cache" => Violation::ItemTooLarge,
        b"SERVER_ERROR" if rest.starts_with(b"out of memory") => Violation::OutOfMemory,
        b"SERVER_ERROR" => Violation::ServerError,
        _ => Violation::Malformed,
    }
}

/// Reads a number of digits and nothing else.
fn digits(text: &[u8]) -> Result<u64, Violation> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number = str::from_utf8(text).ok().filter(|_| is_number).and_then(|text| text.parse().ok());
    number.ok_or(Violation::Malformed)
}
