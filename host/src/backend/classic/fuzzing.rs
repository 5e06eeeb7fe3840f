//! Replies over the classic protocol that say anything, checked before the client library sees them.

use super::item::HEADER_BYTES;
use super::reply::{Expected, ReplyCheck, Violation};
use crate::backend::fuzzing::{Cut, reply};
use crate::input::Input;
use crate::stored::StorageKey;

const VALUE_BYTES_MAX: usize = 20_000;
const BATCH_BYTES_MAX: usize = 30_000;

fn key(letter: u8) -> StorageKey {
    StorageKey::new("", &[letter; 32])
}

fn expected(choice: usize) -> Expected {
    let keys = || [b'a', b'b', b'c'].map(key).to_vec();
    match choice {
        0 => Expected::Nothing,
        1 => Expected::Version,
        2 => Expected::Value { key: key(b'a'), bytes_max: VALUE_BYTES_MAX },
        3 => Expected::Values { keys: keys(), bytes_max: VALUE_BYTES_MAX, batch_bytes_left: BATCH_BYTES_MAX },
        4 => Expected::Added,
        5 => Expected::Swapped,
        _ => Expected::Noop,
    }
}

/// Whether some bytes are a reply to what was asked: the same wherever they are cut. What passes the check
/// has values of what was asked for only, each once and within its bounds.
pub(in crate::backend) fn check(mut input: Input<'_>) {
    let choice = input.below(7);
    let cut = Cut::new(&mut input);
    let bytes = reply(&mut input);
    let one_by_one = outcome(choice, &bytes, Cut::Bytes);
    for cut in [Cut::Whole, cut] {
        // Which violation it is may depend on how much of a surplus has come.
        let outcome = outcome(choice, &bytes, cut);
        assert_eq!(outcome.is_ok(), one_by_one.is_ok(), "cut as {cut:?}: {outcome:?}, {one_by_one:?}");
        if choice != 0 {
            assert_eq!(outcome, one_by_one, "cut as {cut:?}");
        }
    }
    if one_by_one == Ok(true) && matches!(choice, 2 | 3) {
        check_values(&bytes, if choice == 2 { 1 } else { 3 });
    }
}

/// Whether the reply is whole.
fn outcome(choice: usize, bytes: &[u8], cut: Cut<'_>) -> Result<bool, Violation> {
    let mut check = ReplyCheck::new(expected(choice));
    let mut rest = bytes;
    for length in cut.lengths() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(length.min(rest.len()));
        check.check(piece)?;
        rest = after;
    }
    Ok(check.is_done())
}

/// Reads a reply of values a second time, knowing that it is one.
fn check_values(mut bytes: &[u8], values_max: usize) {
    let mut keys = Vec::new();
    let mut together = 0;
    while let Some(rest) = bytes.strip_prefix(b"VALUE ") {
        let end = rest.iter().position(|byte| *byte == b'\n').expect("a line ends");
        let line = str::from_utf8(&rest[..end]).expect("a line is ASCII").trim_end();
        let words: Vec<_> = line.split(' ').collect();
        let length: usize = words[2].parse().expect("a length");
        assert!(length <= VALUE_BYTES_MAX, "a value over the bound");
        together += length.saturating_sub(HEADER_BYTES);
        keys.push(words[0]);
        bytes = rest[end + 1 + length..].strip_prefix(b"\r\n").expect("a value ends so");
    }
    assert_eq!(bytes, b"END\r\n");
    assert!(together <= BATCH_BYTES_MAX || values_max == 1, "values over the bound of all together");
    let asked = [b'a', b'b', b'c'].map(key);
    assert!(keys.iter().all(|found| asked[..values_max].iter().any(|key| key.as_str() == *found)));
    let found = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), found, "a value came twice");
}
