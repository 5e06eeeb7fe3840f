//! The form of a file of recent keys.
//!
//! ```text
//! file  = "SRRECENT" | version 1 (1) | form (1): 0 in plain, 1 sealed | body, sealed or not
//! body  = page*, to the end
//! page  = service | stack | session | namespace | number of keys (4) | key*
//! key   = text | last asked, in microseconds since 1970 (8) | reads (8) | writes (8)
//! names, text = length in bytes (2) | UTF-8; a length of 0 is "none", as none of them is ever empty
//! ```
//!
//! Numbers are big-endian. A page's keys are newest first.
//!
//! - **Sealed** where the deployment encrypts: the form of entries (see `codec/envelope`), under a data key
//!   of
//!   this purpose's own. The associated data is the ten bytes before the body and the file's name, so that no
//!   file passes for another one, or for another version.
//! - A host that encrypts reads sealed files only, and one that does not reads plain ones only. What can't be
//!   read is skipped, whole, and counted.
//! - The reader takes nothing that a writer does not write: every length is within its limit, and what it
//!   allocates is a small multiple of what it was given, whatever the numbers in there say.

use std::sync::Arc;

use super::{Page, Seen};
use crate::codec::{self, FileSealer, NONCE_BYTES};
use crate::limits::KEY_BYTES_MAX;
use crate::scope::{Namespace, Partition};

const MAGIC: &[u8; 8] = b"SRRECENT";
const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const SEALED: u8 = 1;
const HEAD_BYTES: usize = MAGIC.len() + 2;

/// Why a file is skipped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unreadable {
    /// Not of this form and version.
    Foreign,
    /// In plain where the deployment encrypts, or the other way round.
    OtherForm,
    /// Sealed with a key that is not in the ring, altered, or under another name.
    NotAuthentic,
    /// Cut short, or of lengths that no writer writes.
    Damaged,
}

fn head(form: u8) -> [u8; HEAD_BYTES] {
    let mut head = [VERSION; HEAD_BYTES];
    head[..MAGIC.len()].copy_from_slice(MAGIC);
    head[HEAD_BYTES - 1] = form;
    head
}

fn associated(head: &[u8; HEAD_BYTES], name: &str) -> Vec<u8> {
    [head, name.as_bytes()].concat()
}

/// The bytes of the file of this name.
///
/// # Errors
///
/// The cipher's, beyond 64 GiB.
pub(super) fn write(
    pages: &[Page],
    name: &str,
    sealer: Option<&FileSealer>,
    nonce: [u8; NONCE_BYTES],
) -> Result<Vec<u8>, codec::Error> {
    let Some(sealer) = sealer else {
        let mut file = head(PLAIN).to_vec();
        write_body(pages, &mut file);
        return Ok(file);
    };
    let mut body = Vec::new();
    write_body(pages, &mut body);
    let head = head(SEALED);
    let sealed = sealer.seal(&associated(&head, name), &body, nonce)?;
    Ok([&head[..], &sealed].concat())
}

/// Reads the file of this name: of the partitions that are wanted.
///
/// # Errors
///
/// Why it is to be skipped.
pub(super) fn read(
    file: &[u8],
    name: &str,
    sealer: Option<&FileSealer>,
    is_wanted: impl Fn(&Partition) -> bool,
) -> Result<Vec<Page>, Unreadable> {
    let (head, body) = file.split_first_chunk::<HEAD_BYTES>().ok_or(Unreadable::Foreign)?;
    let form = head[HEAD_BYTES - 1];
    if *head != self::head(form) {
        return Err(Unreadable::Foreign);
    }
    match (form, sealer) {
        (PLAIN, None) => read_body(body, is_wanted),
        (SEALED, Some(sealer)) => {
            let opened = sealer.open(&associated(head, name), body).map_err(|_| Unreadable::NotAuthentic)?;
            read_body(&opened, is_wanted)
        }
        (PLAIN | SEALED, _) => Err(Unreadable::OtherForm),
        _ => Err(Unreadable::Foreign),
    }
}

fn write_body(pages: &[Page], body: &mut Vec<u8>) {
    for page in pages {
        for name in page.partition.identifiers() {
            write_text(name, body);
        }
        write_text(page.namespace.as_ref().map(Namespace::as_str), body);
        let count = u32::try_from(page.keys.len()).expect("a page has a thousand keys at most");
        body.extend(count.to_be_bytes());
        for (key, seen) in &page.keys {
            write_text(Some(key), body);
            for number in [seen.last_asked, seen.reads, seen.writes] {
                body.extend(number.to_be_bytes());
            }
        }
    }
}

fn write_text(text: Option<&str>, body: &mut Vec<u8>) {
    let text = text.unwrap_or_default();
    let len = u16::try_from(text.len()).expect("names and keys are at most 1024 bytes");
    body.extend(len.to_be_bytes());
    body.extend(text.as_bytes());
}

fn read_body(mut rest: &[u8], is_wanted: impl Fn(&Partition) -> bool) -> Result<Vec<Page>, Unreadable> {
    let mut pages = Vec::new();
    while !rest.is_empty() {
        let page = read_page(&mut rest, &is_wanted).ok_or(Unreadable::Damaged)?;
        if is_wanted(&page.partition) {
            pages.push(page);
        }
    }
    Ok(pages)
}

/// Reads a page; without its keys where it is not wanted.
fn read_page(rest: &mut &[u8], is_wanted: impl Fn(&Partition) -> bool) -> Option<Page> {
    let mut partition = Partition::service(read_text(rest)??).ok()?;
    if let Some(stack) = read_text(rest)? {
        partition = partition.stack(stack).ok()?;
    }
    if let Some(session) = read_text(rest)? {
        partition = partition.session(session).ok()?;
    }
    let namespace = read_text(rest)?.map(Namespace::new).transpose().ok()?;
    let count = u32::from_be_bytes(read_bytes(rest)?);
    let is_wanted = is_wanted(&partition);
    let mut keys = Vec::new();
    for _ in 0..count {
        let key = read_text(rest)?.filter(|key| key.len() <= KEY_BYTES_MAX)?;
        let [last_asked, reads, writes] = [read_number(rest)?, read_number(rest)?, read_number(rest)?];
        if is_wanted {
            keys.push((Arc::from(key), Seen { last_asked, reads, writes }));
        }
    }
    Some(Page { partition, namespace, keys })
}

fn read_text<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a str>> {
    let len = usize::from(u16::from_be_bytes(read_bytes(rest)?));
    let (text, after) = rest.split_at_checked(len)?;
    *rest = after;
    let text = std::str::from_utf8(text).ok()?;
    Some((len > 0).then_some(text))
}

fn read_number(rest: &mut &[u8]) -> Option<u64> {
    read_bytes(rest).map(u64::from_be_bytes)
}

fn read_bytes<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*bytes)
}

/// A file that says anything, in plain. What is read of one is all that was in it.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(mut input: crate::input::Input<'_>) {
    let with_head = input.flag();
    let mut file = if with_head { head(PLAIN).to_vec() } else { Vec::new() };
    file.extend(input.expanded(8192));
    let Ok(pages) = read(&file, "name", None, |_| true) else { return };
    assert_eq!(write(&pages, "name", None, [0; NONCE_BYTES]), Ok(file.clone()), "it is read in one way only");
    let none = read(&file, "name", None, |_| false);
    assert_eq!(none, Ok(Vec::new()), "what is not wanted is checked all the same, and left out");
}

#[cfg(test)]
mod tests;
