//! Entries there and back, in every form. What must not open is in `tests/refusals.rs`.

mod refusals;

use proptest::prelude::*;

use super::*;

const MAX: usize = 64 * 1024;
const NONCE: [u8; NONCE_BYTES] = *b"ABCDEFGHIJKLMNOPQRSTUVWX";

/// 32 times 1, 2 and 3.
const KEY_1: &str = "base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
const KEY_2: &str = "base64:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";
const KEY_3: &str = "base64:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM";

fn secret(text: &str) -> Secret {
    Secret::from_text(text, Purpose::Encryption).expect("a good secret")
}

/// A codec with these keys, the first of them current.
fn codec(keys: &[&str], compress: bool) -> Codec {
    let keyring = keys.split_first().map(|(current, previous)| {
        let previous = previous.iter().map(|key| secret(key)).collect();
        Keyring::new(secret(current), previous).expect("good keys")
    });
    Codec::new(CodecOptions { keyring, compress, value_bytes_max: MAX })
}

fn sealer(keys: &[&str], compress: bool) -> Sealer {
    codec(keys, compress).sealer(b"acme", true)
}

fn key(last: char) -> StorageKey {
    let item = "A".repeat(31);
    StorageKey::parse(&format!("bank:{item}{last}")).expect("a storage key")
}

fn seal(sealer: &Sealer, value: Value) -> Stored {
    sealer.seal(&key('A'), value.kind(), &value.into_bytes(), 60, || NONCE).expect("within the bound")
}

fn text(bytes: usize) -> String {
    "the quick brown fox, ".chars().cycle().take(bytes).collect()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks_exact(2);
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hex digit") as u8;
    pairs.map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn any_value() -> impl Strategy<Value = Value> {
    // Short and long ones, of which some shrink.
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..100),
        prop::collection::vec(any::<u8>(), 900..3000),
        prop::collection::vec(0_u8..4, 1000..MAX),
    ];
    prop_oneof![
        bytes.prop_map(Value::from),
        any::<String>().prop_map(Value::Text),
        ("[ -~]{1,30}", 0_usize..500).prop_map(|(part, times)| Value::Json(part.repeat(times))),
        any::<i64>().prop_map(Value::Integer),
    ]
}

proptest! {
    #[test]
    fn what_is_sealed_opens(
        value in any_value(),
        compress: bool,
        encrypt: bool,
        grace: u16,
        nonce: [u8; NONCE_BYTES],
    ) {
        let keys: &[&str] = if encrypt { &[KEY_1] } else { &[] };
        let codec = codec(keys, compress);
        let sealer = codec.sealer(b"acme", true);
        let stored = sealer.seal(&key('A'), value.kind(), &value.clone().into_bytes(), grace, || nonce)?;
        prop_assert!(stored.data.len() <= codec.sealed_bytes_max());
        prop_assert_eq!(stored.flags.kind(), value.kind());
        prop_assert_eq!(stored.flags.grace().as_secs(), u64::from(grace));
        prop_assert_eq!(stored.flags.is_encrypted(), encrypt);
        prop_assert!(compress || !stored.flags.is_compressed());
        // Whatever the deployment does about compression, entries open.
        prop_assert_eq!(codec.sealer(b"acme", false).open(&key('A'), &stored)?, value);
    }
}

#[test]
fn plain_entries_are_golden() {
    let sealer = sealer(&[], true);
    let cases = [
        (Value::from(b"\x00\xff".to_vec()), 0x003c_0110, "00ff"),
        (Value::from("rates"), 0x003c_0111, "7261746573"),
        (Value::Json("null".into()), 0x003c_0112, "6e756c6c"),
        (Value::from(-42), 0x003c_0113, "2d3432"),
        (Value::from(Vec::new()), 0x003c_0110, ""),
    ];
    for (value, flags, data) in cases {
        let stored = seal(&sealer, value.clone());
        assert_eq!((stored.flags, hex(&stored.data).as_str()), (Flags(flags), data));
        assert_eq!(sealer.open(&key('A'), &stored), Ok(value));
    }
}

/// Sealed by Python's `cryptography` and `zlib`. What a new compressor makes of the same text may
/// differ, but these must open for as long as the format has this version.
#[test]
fn golden_compressed_entries_open() {
    let compressed = concat!(
        "000007d078da2bc94855282ccd4cce56482aca2fcf5348cbafd0512819151c151c151c151c151c15",
        "1c151c4a82003c13ca12",
    );
    let both = concat!(
        "8dc310c84142434445464748494a4b4c4d4e4f5051525354555657589ceb609462aad74f3d6486f8",
        "84a6b4af6d30517efa28186ff9afd1f239c201f7a5f195d566f459796ab9238e5985d247111df693",
        "fbd5746f9058444a9658777a63ce",
    );
    let cases = [
        (sealer(&[], true), Value::Text(text(2000)), 0x003c_0119, compressed),
        (sealer(&[KEY_1], true), Value::Json(text(2000)), 0x003c_011e, both),
    ];
    for (sealer, value, flags, data) in cases {
        let stored = Stored { flags: Flags(flags), data: unhex(data).into() };
        assert_eq!(sealer.open(&key('A'), &stored), Ok(value.clone()));
        assert_eq!(seal(&sealer, value).flags, Flags(flags));
    }
}

/// Sealed by Python's `cryptography`.
#[test]
fn encrypted_entries_are_golden() {
    let sealer = sealer(&[KEY_1], true);
    let text = concat!(
        "8dc310c84142434445464748494a4b4c4d4e4f505152535455565758ee8a1321696e3cf71bcdbe3c",
        "6f631c1d4c3d06668e",
    );
    let integer = concat!(
        "8dc310c84142434445464748494a4b4c4d4e4f505152535455565758b1df55e037cc78b63e42e5b1",
        "a44171b389db1a",
    );
    let cases = [(Value::from("rates"), 0x003c_0115, text), (Value::from(-42), 0x003c_0117, integer)];
    for (value, flags, data) in cases {
        let stored = seal(&sealer, value.clone());
        assert_eq!((stored.flags, hex(&stored.data).as_str()), (Flags(flags), data));
        assert_eq!(sealer.open(&key('A'), &stored), Ok(value));
    }
}

#[test]
fn the_longest_prefix_seals_and_opens() {
    let item = "A".repeat(32);
    let key = StorageKey::parse(&format!("{}:{item}", "p".repeat(64))).expect("a storage key");
    let sealer = sealer(&[KEY_1], true);
    let stored = sealer.seal(&key, Kind::Integer, &"7".into(), 0, || NONCE).expect("within the bound");
    assert_eq!(sealer.open(&key, &stored), Ok(7.into()));
}

#[test]
fn after_a_rotation_old_entries_open_until_their_key_is_dropped() {
    let old = seal(&sealer(&[KEY_1], true), "rates".into());
    let rotated = sealer(&[KEY_3, KEY_2, KEY_1], true);
    assert_eq!(rotated.open(&key('A'), &old), Ok("rates".into()));
    let new = seal(&rotated, "rates".into());
    assert_ne!(new.data[..4], old.data[..4]);
    assert_eq!(sealer(&[KEY_1, KEY_3], true).open(&key('A'), &new), Ok("rates".into()));
    assert_eq!(sealer(&[KEY_1], true).open(&key('A'), &new), Err(Error::UnknownKey));
}

#[test]
fn plain_bytes_are_sealed_and_opened_without_a_copy() {
    let sealer = sealer(&[], true);
    let bytes = Bytes::from(vec![7; 100]);
    let stored = seal(&sealer, Value::Bytes(bytes.clone()));
    assert_eq!(stored.data.as_ptr(), bytes.as_ptr());
    let Ok(Value::Bytes(opened)) = sealer.open(&key('A'), &stored) else {
        panic!("opens as bytes");
    };
    assert_eq!(opened.as_ptr(), bytes.as_ptr());
}

#[test]
fn a_nonce_is_drawn_only_to_encrypt() {
    let stored = sealer(&[], true).seal(&key('A'), Kind::Text, &"rates".into(), 0, || panic!("drawn"));
    assert!(stored.is_ok());
}

#[test]
fn compression_can_be_off_for_a_partition_or_a_deployment() {
    let value = Value::Text(text(2000));
    let is_compressed = |deployment, partition| {
        let sealer = codec(&[], deployment).sealer(b"acme", partition);
        seal(&sealer, value.clone()).flags.is_compressed()
    };
    assert!(is_compressed(true, true));
    assert!(!is_compressed(false, true) && !is_compressed(true, false));
}

#[test]
fn debug_and_errors_show_no_secret() {
    let codec = codec(&[KEY_1, KEY_2], true);
    let text = format!("{codec:?} {:?}", codec.sealer(b"acme", true));
    assert!(text.contains("[redacted]") && !text.contains("1, 1, 1, 1"), "{text}");
}
