//! From bytes to replies, however the bytes are cut into pieces.
//!
//! Each value that is handed out owns a buffer of its own size, so that keeping a small value never
//! keeps a large read buffer alive. A small one is copied out of the inbox; a large one is read from the
//! socket straight into its own buffer.

use std::mem;

use bytes::buf::Limit;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use memchr::memchr;

use super::line::{Expected, Line, ProtocolError, digits_of};
use super::{Awaits, Found, Reply};
use crate::limits::REPLY_LINE_BYTES_MAX;

/// How much is read at once. The replies to some hundred small requests.
const READ_BYTES: usize = 64 * 1024;

/// From here on a value gets its own buffer before it has arrived.
const LARGE_BYTES: usize = 16 * 1024;

/// `stats settings` has 77 lines in 1.6.18.
const SETTINGS_LINES_MAX: usize = 1024;

/// How much of what is announced is believed, and how much of that is held. What is not held is read and
/// thrown away.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Bounds {
    /// The server's own limit: a longer value can't be.
    pub(in super::super) announced_bytes_max: usize,
    /// Largest value that is held.
    pub(in super::super) value_bytes_max: usize,
    /// What may still be held of all values together. Nothing once one did not fit.
    pub(in super::super) batch_bytes_left: usize,
}

impl Bounds {
    /// Whether a value is to be held. Only live ones are of use, and to a fill those within their grace.
    fn admit(&mut self, found: &Found, awaits: Awaits) -> bool {
        let is_useful = found.is_live() || (awaits == Awaits::Lease && found.flags.is_entry());
        if !is_useful || found.length > self.value_bytes_max {
            return false;
        }
        let left = self.batch_bytes_left.checked_sub(found.length);
        self.batch_bytes_left = left.unwrap_or(0);
        left.is_some()
    }
}

/// Cuts bytes into replies.
#[derive(Default)]
pub(in super::super) struct Decoder {
    inbox: BytesMut,
    state: State,
    /// So much of the inbox is known to hold no end of line.
    searched: usize,
    settings: Settings,
}

#[derive(Default)]
enum State {
    #[default]
    Line,
    /// All of the value must be in the inbox first.
    Small(Found),
    /// The value goes into a buffer of its own, which has room for it and no more.
    Large(Found, BytesMut),
    /// So many bytes of the value are still to be thrown away.
    Skipped(Found, usize),
    /// As `Small`, for counting.
    Number(usize),
    /// The value is done; its `\r\n` comes.
    End(Reply),
}

/// Where a value goes next.
enum Step {
    To(State),
    /// No further until more has arrived.
    Wait(State),
}

#[derive(Default)]
struct Settings {
    lines: usize,
    item_size_max: Option<usize>,
}

impl Decoder {
    /// Where the next bytes that arrive belong. Never empty.
    pub(in super::super) fn space(&mut self) -> Limit<&mut BytesMut> {
        if let State::Large(found, value) = &mut self.state {
            let missing = found.length - value.len();
            return value.limit(missing);
        }
        self.inbox.reserve(READ_BYTES);
        (&mut self.inbox).limit(READ_BYTES)
    }

    /// Whether there are bytes that no reply has consumed.
    pub(in super::super) fn has_surplus(&self) -> bool {
        !self.inbox.is_empty() || !matches!(self.state, State::Line)
    }

    /// The next reply, or `None` until more has arrived.
    pub(in super::super) fn decode(
        &mut self,
        expected: Expected,
        bounds: &mut Bounds,
    ) -> Result<Option<Reply>, ProtocolError> {
        loop {
            self.state = match mem::take(&mut self.state) {
                State::Line => {
                    let Some(line) = self.line(expected, bounds)? else {
                        return Ok(None);
                    };
                    match line {
                        Line::Reply(reply) => return Ok(Some(reply)),
                        Line::Value(found) => begin_value(found, bounds, expected.awaits),
                        Line::Number(length) => State::Number(length),
                        Line::Setting(item_size_max) => self.setting(item_size_max)?,
                        Line::SettingsEnd => return self.end_settings().map(Some),
                    }
                }
                State::End(reply) if self.inbox.len() >= 2 => {
                    if !self.inbox.starts_with(b"\r\n") {
                        return Err(ProtocolError::Malformed);
                    }
                    self.inbox.advance(2);
                    return Ok(Some(reply));
                }
                state => match self.step(state)? {
                    Step::To(state) => state,
                    Step::Wait(state) => {
                        self.state = state;
                        return Ok(None);
                    }
                },
            }
        }
    }

    /// Goes on with a value.
    fn step(&mut self, state: State) -> Result<Step, ProtocolError> {
        let here = self.inbox.len();
        Ok(match state {
            State::Small(mut found) if here >= found.length => {
                found.data = Some(Bytes::copy_from_slice(&self.inbox[..found.length]));
                self.inbox.advance(found.length);
                Step::To(State::End(Reply::Found(found)))
            }
            State::Large(mut found, mut value) if value.len() + here >= found.length => {
                self.move_into(&found, &mut value);
                found.data = Some(value.freeze());
                Step::To(State::End(Reply::Found(found)))
            }
            State::Large(found, mut value) => {
                self.move_into(&found, &mut value);
                Step::Wait(State::Large(found, value))
            }
            State::Skipped(found, left) if here >= left => {
                self.inbox.advance(left);
                Step::To(State::End(Reply::Found(found)))
            }
            State::Skipped(found, left) => {
                self.inbox.clear();
                Step::Wait(State::Skipped(found, left - here))
            }
            State::Number(length) if here >= length => {
                let digits = self.inbox[..length].trim_ascii_end();
                let number = digits_of(digits)?;
                self.inbox.advance(length);
                Step::To(State::End(Reply::Number(number)))
            }
            state => Step::Wait(state),
        })
    }

    fn move_into(&mut self, found: &Found, value: &mut BytesMut) {
        let count = self.inbox.len().min(found.length - value.len());
        value.put_slice(&self.inbox[..count]);
        self.inbox.advance(count);
    }

    /// Takes the next line out of the inbox.
    fn line(&mut self, expected: Expected, bounds: &Bounds) -> Result<Option<Line>, ProtocolError> {
        let unsearched = &self.inbox[self.searched..];
        let Some(position) = memchr(b'\n', unsearched) else {
            self.searched = self.inbox.len();
            return if self.searched < REPLY_LINE_BYTES_MAX {
                Ok(None)
            } else {
                Err(ProtocolError::LineTooLong)
            };
        };
        let end = self.searched + position;
        if end >= REPLY_LINE_BYTES_MAX {
            return Err(ProtocolError::LineTooLong);
        }
        let text = self.inbox[..end].strip_suffix(b"\r").ok_or(ProtocolError::Malformed)?;
        let line = Line::parse(text, expected, bounds.announced_bytes_max)?;
        self.inbox.advance(end + 1);
        self.searched = 0;
        Ok(Some(line))
    }

    fn setting(&mut self, item_size_max: Option<usize>) -> Result<State, ProtocolError> {
        self.settings.lines += 1;
        self.settings.item_size_max = item_size_max.or(self.settings.item_size_max);
        match self.settings.lines {
            ..=SETTINGS_LINES_MAX => Ok(State::Line),
            _ => Err(ProtocolError::Malformed),
        }
    }

    fn end_settings(&mut self) -> Result<Reply, ProtocolError> {
        let item_size_max = mem::take(&mut self.settings).item_size_max;
        let item_size_max = item_size_max.ok_or(ProtocolError::Malformed)?;
        Ok(Reply::Settings { item_size_max })
    }
}

fn begin_value(found: Found, bounds: &mut Bounds, awaits: Awaits) -> State {
    let length = found.length;
    if !bounds.admit(&found, awaits) {
        State::Skipped(found, length)
    } else if length < LARGE_BYTES {
        State::Small(found)
    } else {
        State::Large(found, BytesMut::with_capacity(length))
    }
}
