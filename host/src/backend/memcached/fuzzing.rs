//! Replies of servers that say anything: decoded as one whole and in pieces, and held against a second,
//! simpler reading of the same bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes};
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(in crate::backend) use super::connection::fuzzing::callers;

use super::discovery;
use super::greeting::{End, Facts, greet};
use super::protocol::{Awaits, Bounds, Decoder, Expected, Found, ProtocolError, Reply, When};
use crate::backend::fuzzing::{Cut, reply};
use crate::input::Input;

const AWAITS: &[Awaits] = &[
    Awaits::Value,
    Awaits::Lease,
    Awaits::Item,
    Awaits::Stored(When::Always),
    Awaits::Stored(When::Nothing),
    Awaits::Stored(When::Version(7)),
    Awaits::Deleted { conditional: false },
    Awaits::Deleted { conditional: true },
    Awaits::Number { conditional: false },
    Awaits::Number { conditional: true },
    Awaits::Noop,
    Awaits::Version,
    Awaits::Settings,
];

/// What came of some bytes.
#[derive(PartialEq, Debug)]
struct Decoded {
    replies: Vec<Reply>,
    error: Option<ProtocolError>,
    bytes_left: usize,
    has_surplus: bool,
}

/// Decodes the replies to a few requests. However the bytes are cut, the outcome is the same, and each reply
/// is one to its request.
pub(in crate::backend) fn decoder(mut input: Input<'_>) {
    let count = 1 + input.below(8);
    let expected: Vec<_> = (0..count).map(|_| input.one_of(AWAITS)).collect();
    let first_opaque = input.number().min(u64::MAX - 8);
    let bounds = Bounds {
        announced_bytes_max: input.one_of(&[0, 100, 20_000, 1 << 20]),
        value_bytes_max: input.one_of(&[0, 10, 18_000, 40_000]),
        batch_bytes_left: input.one_of(&[0, 15, 30_000, 80_000]),
    };
    let expected: Vec<_> =
        (first_opaque..).zip(expected).map(|(opaque, awaits)| Expected { awaits, opaque }).collect();
    let cut = Cut::new(&mut input);
    let bytes = reply(&mut input);

    let mut ends = Vec::new();
    let one_by_one = decode(&expected, bounds, &bytes, Cut::Bytes, |at| ends.push(at));
    for cut in [Cut::Whole, cut] {
        assert_eq!(decode(&expected, bounds, &bytes, cut, |_| ()), one_by_one, "cut as {cut:?}");
    }

    let mut held = 0;
    let mut start = 0;
    for ((reply, expected), end) in one_by_one.replies.iter().zip(&expected).zip(ends) {
        check(reply, *expected, &bytes[start..end]);
        if let Reply::Found(Found { data: Some(data), .. }) = reply {
            assert!(data.len() <= bounds.value_bytes_max, "a value over the bound is held");
            held += data.len();
        }
        start = end;
    }
    assert!(held <= bounds.batch_bytes_left, "values are held over the bound of all together");
}

/// Feeds the decoder as a socket does. `replied`: is told at which byte a reply was complete.
fn decode(
    expected: &[Expected],
    mut bounds: Bounds,
    bytes: &[u8],
    cut: Cut<'_>,
    mut replied: impl FnMut(usize),
) -> Decoded {
    let mut decoder = Decoder::default();
    let mut replies = Vec::new();
    let mut lengths = cut.lengths();
    let mut rest = bytes;
    let error = 'decoding: loop {
        while let Some(expected) = expected.get(replies.len()) {
            match decoder.decode(*expected, &mut bounds) {
                Ok(Some(reply)) => {
                    replied(bytes.len() - rest.len());
                    replies.push(reply);
                }
                Ok(None) => break,
                Err(error) => break 'decoding Some(error),
            }
        }
        if rest.is_empty() {
            break None;
        }
        let mut space = decoder.space();
        let length = lengths.next().unwrap_or(usize::MAX).min(rest.len()).min(space.remaining_mut());
        assert!(length > 0, "there is always room for more");
        space.put_slice(&rest[..length]);
        rest = &rest[length..];
    };
    // After an error nobody asks, as the connection is over.
    let has_surplus = error.is_none() && decoder.has_surplus();
    Decoded { replies, error, bytes_left: bounds.batch_bytes_left, has_surplus }
}

/// Holds a reply against the bytes that it was made of.
fn check(reply: &Reply, expected: Expected, bytes: &[u8]) {
    let at = bytes.windows(2).position(|pair| pair == b"\r\n").expect("a reply has a line");
    let (line, data) = (&bytes[..at], &bytes[at + 2..]);
    let suits = match (expected.awaits, reply) {
        (Awaits::Noop, Reply::Noop)
        | (Awaits::Version, Reply::Version(_))
        | (Awaits::Settings, Reply::Settings { .. })
        | (Awaits::Number { .. }, Reply::NotANumber)
        | (Awaits::Stored(_), Reply::TooLarge)
        | (_, Reply::OutOfMemory) => return,
        (Awaits::Value | Awaits::Lease | Awaits::Item, Reply::Found(_) | Reply::Missing) => true,
        (Awaits::Stored(_) | Awaits::Deleted { .. }, Reply::Done) => true,
        (Awaits::Stored(When::Nothing), Reply::NotStored) => true,
        (Awaits::Stored(When::Version(_)), Reply::Missing | Reply::Changed) => true,
        (Awaits::Deleted { .. } | Awaits::Number { .. }, Reply::Missing) => true,
        (Awaits::Deleted { conditional } | Awaits::Number { conditional }, Reply::Changed) => conditional,
        (Awaits::Number { .. }, Reply::Number(_)) => true,
        _ => false,
    };
    assert!(suits, "{reply:?} is no reply to {:?}", expected.awaits);

    let words: Vec<_> = line.split(|byte| *byte == b' ').collect();
    let mut opaques = words[1..].iter().filter_map(|word| word.strip_prefix(b"O"));
    let opaque = opaques.next_back().and_then(number);
    assert_eq!(opaque, Some(expected.opaque), "a reply to another request was taken");

    match reply {
        Reply::Found(found) if expected.awaits != Awaits::Item => {
            assert_eq!(number(words[1]), Some(found.length as u64), "a value of another length");
            let (value, end) = data.split_at(found.length);
            assert_eq!(end, b"\r\n");
            assert!(found.data.as_ref().is_none_or(|data| data == value), "other bytes than were sent");
        }
        Reply::Number(counted) => {
            let digits = data.strip_suffix(b"\r\n").expect("a value ends so").trim_ascii_end();
            assert_eq!(number(digits), Some(*counted));
        }
        _ => assert!(data.is_empty(), "more was taken than the line"),
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    str::from_utf8(digits).ok()?.parse().ok()
}

/// A server's greeting: whatever it is cut into, it is the same.
pub(in crate::backend) fn greeting(mut input: Input<'_>) {
    let cut = Cut::new(&mut input);
    let bytes = Bytes::from(reply(&mut input));
    let outcome = |cut| {
        let mut stream = Scripted { left: bytes.clone(), lengths: Box::new(Cut::lengths(cut)) };
        let greeted = greet(&mut stream).now_or_never().expect("nothing has to be waited for");
        greeted.map_err(|end| end.to_string())
    };
    let one_by_one = outcome(Cut::Bytes);
    for cut in [Cut::Whole, cut] {
        let outcome = outcome(cut);
        // What comes after the greeting is noticed if it is there already, and later otherwise.
        if outcome != Err(End::Surplus.to_string()) {
            assert_eq!(outcome, one_by_one, "cut as {cut:?}");
        }
    }
    if let Ok(Facts { version, item_size_max }) = one_by_one {
        let said = format!("VERSION {version}");
        assert!(bytes.starts_with(b"VERSION ") && (version.major, version.minor) >= (1, 6), "{said}");
        assert!(bytes.windows(20).any(|window| window.starts_with(b"STAT item_size_max ")));
        assert!(item_size_max > 0 || memchr::memmem::find(&bytes, b"item_size_max 0").is_some());
    }
}

/// A cluster's answer about its servers.
pub(in crate::backend) fn discovery(mut input: Input<'_>) {
    // All beginnings of it are read.
    discovery::fuzz(&input.expanded(4096));
}

/// A peer that says what it says, whatever it is told.
struct Scripted<'a> {
    left: Bytes,
    lengths: Box<dyn Iterator<Item = usize> + 'a>,
}

impl AsyncRead for Scripted<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = self.lengths.next().unwrap_or(usize::MAX);
        let length = length.min(self.left.len()).min(space.remaining());
        space.put_slice(&self.left.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Scripted<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
