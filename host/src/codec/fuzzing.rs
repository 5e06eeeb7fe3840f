//! Entries and files that anybody may have made: only what was sealed at that very place opens.

use std::sync::LazyLock;

pub(crate) use super::keyring::is_passphrase;
use super::{Codec, CodecOptions, FileSealer, Keyring, NONCE_BYTES, OVERHEAD_BYTES, Purpose, Secret};
use crate::input::Input;
use crate::stored::{Flags, Kind, StorageKey, Stored};
use crate::value::Value;
use bytes::Bytes;

/// Small, so that a bomb needs no large input.
const VALUE_BYTES_MAX: usize = 8 * 1024;

const PARTITIONS: [&[u8]; 2] = [b"one partition", b"another"];

/// Without keys; with one; with another, and the one before it; with a third one.
static CODECS: LazyLock<[Codec; 4]> = LazyLock::new(|| [codec(""), codec("A"), codec("EA"), codec("I")]);

/// The codec of these keys, the current one first.
fn codec(keys: &str) -> Codec {
    let mut secrets = keys.chars().map(|letter| {
        let text = format!("base64:{}=", letter.to_string().repeat(43));
        Secret::from_text(&text, Purpose::Encryption).expect("32 bytes")
    });
    let current = secrets.next();
    let keyring = current.map(|current| Keyring::new(current, secrets.collect()).expect("different keys"));
    Codec::new(CodecOptions { keyring, compress: true, value_bytes_max: VALUE_BYTES_MAX })
}

fn kind(input: &mut Input<'_>) -> Kind {
    input.one_of(&[Kind::Bytes, Kind::Text, Kind::Json, Kind::Integer])
}

fn key(letter: u8) -> StorageKey {
    StorageKey::new("bank", &[b'a' + letter % 4; 32])
}

/// An entry that nobody has sealed. With keys it never opens.
pub(crate) fn foreign(mut input: Input<'_>) {
    let codec = &CODECS[input.below(CODECS.len())];
    let kind = kind(&mut input);
    let flags = match input.below(6) {
        0 => Flags(u32::from(input.u16()) << 16 | u32::from(input.u16())),
        1 => Flags::entry(kind, 0),
        2 => Flags::entry(kind, input.u16()).encrypted(),
        3 => Flags::entry(kind, 0).compressed().encrypted(),
        _ => Flags::entry(kind, 0).compressed(),
    };
    let data = Bytes::from(input.expanded(VALUE_BYTES_MAX + 2 * OVERHEAD_BYTES));
    let stored = Stored { flags, data: data.clone() };
    let opened = codec.sealer(PARTITIONS[0], true).open(&key(0), &stored);
    let Ok(value) = opened else { return };

    assert!(!codec.is_encrypting(), "an entry opened that nobody has sealed");
    check_format(flags, &value);
    let raw = value.into_bytes();
    if flags.is_compressed() {
        assert_eq!(data[..4], u32::try_from(raw.len()).expect("bounded").to_be_bytes());
    } else if flags.kind() != Kind::Integer {
        assert_eq!(raw, data);
    }
}

fn check_format(flags: Flags, value: &Value) {
    assert!(flags.is_known_format());
    assert_eq!(value.kind(), flags.kind());
    assert!(value.bytes_len() <= VALUE_BYTES_MAX, "a value over the bound");
}

/// An entry that was sealed, and then altered, or moved. With keys it opens where nothing has changed, and
/// nowhere else.
pub(crate) fn altered(mut input: Input<'_>) {
    let sealed_by = input.below(CODECS.len());
    let opened_by = if input.flag() { input.below(CODECS.len()) } else { sealed_by };
    let kind = kind(&mut input);
    let grace = input.u16();
    let place = [input.below(2), input.below(2)];
    let moved_to = [place[0] ^ input.below(2), place[1] ^ input.below(2)];
    let nonce = [input.byte(); NONCE_BYTES];
    let alteration = Alteration::new(&mut input);
    let sealer = CODECS[sealed_by].sealer(PARTITIONS[place[0]], input.flag());
    let raw = raw(kind, &mut input);

    let sealed = sealer.seal(&key(place[1] as u8), kind, &raw, grace, || nonce).expect("within the bound");
    assert!(sealed.data.len() <= CODECS[sealed_by].sealed_bytes_max(), "a backend would not read it");
    let flags = Flags(sealed.flags.0 ^ alteration.flags);
    let data = alteration.apply(&sealed.data);
    let is_same = (flags, &data[..]) == (sealed.flags, &sealed.data[..]);

    let sealer = CODECS[opened_by].sealer(PARTITIONS[moved_to[0]], true);
    let stored = Stored { flags, data: data.into() };
    let opened = sealer.open(&key(moved_to[1] as u8), &stored);
    // The third codec has the key of the second.
    let knows_key = sealed_by == opened_by || (sealed_by, opened_by) == (1, 2);
    if opened_by == 0 {
        // Nothing tells who wrote it. What has not changed is read all the same.
        assert!(!(is_same && sealed_by == 0) || opened.is_ok());
    } else {
        assert_eq!(opened.is_ok(), is_same && knows_key && place == moved_to, "{opened:?}");
    }
    if let Ok(value) = opened {
        check_format(flags, &value);
        assert!(!is_same || value.into_bytes() == raw, "another value than was sealed");
    }
}

/// Bytes that are of the kind.
fn raw(kind: Kind, input: &mut Input<'_>) -> Bytes {
    match kind {
        Kind::Integer => (input.number().cast_signed()).to_string().into(),
        Kind::Bytes => input.expanded(VALUE_BYTES_MAX).into(),
        Kind::Text | Kind::Json => {
            let text = input.expanded(VALUE_BYTES_MAX / 3);
            String::from_utf8_lossy(&text).into_owned().into()
        }
    }
}

/// A file that was sealed, and then altered, or moved.
pub(crate) fn altered_file(mut input: Input<'_>) {
    let sealed_by = 1 + input.below(3);
    let opened_by = if input.flag() { 1 + input.below(3) } else { sealed_by };
    let names: [&[u8]; 3] = [b"", b"a.recent", b"b.recent"];
    let (sealed_as, opened_as) = (input.below(3), input.below(3));
    let nonce = [input.byte(); NONCE_BYTES];
    let alteration = Alteration::new(&mut input);
    let body = input.expanded(VALUE_BYTES_MAX);
    let sealer = |codec: usize| -> FileSealer {
        CODECS[codec].file_sealer(b"files").expect("a codec with keys seals files")
    };
    let sealed = sealer(sealed_by).seal(names[sealed_as], &body, nonce).expect("short");
    let file = alteration.apply(&sealed);
    let is_same = file == sealed && sealed_as == opened_as;
    let knows_key = sealed_by == opened_by || (sealed_by, opened_by) == (1, 2);
    let opened = sealer(opened_by).open(names[opened_as], &file);
    assert_eq!(opened.as_ref().ok(), (is_same && knows_key).then_some(&body));
}

/// What is done to sealed bytes.
struct Alteration<'a> {
    flags: u32,
    /// Places and what is put there, or taken away.
    steps: Vec<(u8, usize, &'a [u8])>,
}

impl<'a> Alteration<'a> {
    fn new(input: &mut Input<'a>) -> Self {
        let flags = if input.below(4) == 0 { 1 << input.below(32) } else { 0 };
        let steps = (0..input.below(4)).map(|_| {
            let (kind, place, len) = (input.byte(), usize::from(input.u16()), input.below(8));
            (kind, place, input.take(len))
        });
        Self { flags, steps: steps.collect() }
    }

    fn apply(&self, sealed: &[u8]) -> Vec<u8> {
        let mut data = sealed.to_vec();
        for (kind, place, bytes) in &self.steps {
            let at = place % (data.len() + 1);
            match kind % 5 {
                0 => data.truncate(at),
                1 => data.extend_from_slice(bytes),
                2 => drop(data.splice(at..at, bytes.iter().copied())),
                3 => drop(data.drain(at..(at + bytes.len()).min(data.len()))),
                _ => data[at..].iter_mut().zip(*bytes).for_each(|(byte, with)| *byte ^= with),
            }
        }
        data
    }
}
