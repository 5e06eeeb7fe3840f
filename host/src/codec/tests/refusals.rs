//! What must not open: altered, moved, foreign, oversized, downgraded and lying entries.

use super::*;

proptest! {
    #[test]
    fn no_bit_of_an_encrypted_entry_can_be_changed(
        value in any_value(),
        at: prop::sample::Index,
        bit in 0_u32..8,
        flag in 0_u32..32,
    ) {
        let sealer = sealer(&[KEY_1, KEY_2], true);
        let stored = seal(&sealer, value);
        let mut data = stored.data.to_vec();
        data[at.index(stored.data.len())] ^= 1 << bit;
        let altered = Stored { data: data.into(), ..stored };
        prop_assert!(sealer.open(&key('A'), &altered).is_err());
        let altered = Stored { flags: Flags(stored.flags.0 ^ 1 << flag), ..stored };
        prop_assert!(sealer.open(&key('A'), &altered).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_are_never_authentic(
        flags: u32,
        tame: bool,
        data in prop::collection::vec(any::<u8>(), 0..300),
        declared in prop::option::of(0..MAX as u32 * 2),
    ) {
        // Half of them get as far as the flags allow.
        let flags = Flags(if tame { flags & 0xffff_000f | 0x110 } else { flags });
        let mut data = data;
        if let Some(declared) = declared {
            data.splice(0..data.len().min(4), declared.to_be_bytes());
        }
        let stored = Stored { flags, data: data.into() };
        let _ = sealer(&[], true).open(&key('A'), &stored);
        prop_assert!(sealer(&[KEY_1], true).open(&key('A'), &stored).is_err());
    }

    #[test]
    fn an_altered_zlib_stream_never_panics_and_never_grows(
        at: prop::sample::Index,
        with: u8,
        bytes in 1024..MAX,
    ) {
        let sealer = sealer(&[], true);
        let stored = seal(&sealer, text(bytes).into_bytes().into());
        let mut data = stored.data.to_vec();
        data[at.index(stored.data.len())] = with;
        let altered = Stored { data: data.into(), ..stored };
        if let Ok(value) = sealer.open(&key('A'), &altered) {
            prop_assert_eq!(value.into_bytes().len(), bytes);
        }
    }
}

#[test]
fn every_bit_of_an_encrypted_entry_counts() {
    let sealer = sealer(&[KEY_1], true);
    let stored = seal(&sealer, "rates".into());
    for bit in 0..stored.data.len() * 8 {
        let mut data = stored.data.to_vec();
        data[bit / 8] ^= 1 << (bit % 8);
        let altered = Stored { data: data.into(), ..stored };
        let expected = if bit < 32 { Error::UnknownKey } else { Error::NotAuthentic };
        assert_eq!(sealer.open(&key('A'), &altered), Err(expected), "{bit}");
    }
    for bit in 0..32 {
        let altered = Stored { flags: Flags(stored.flags.0 ^ 1 << bit), ..stored.clone() };
        let expected = match bit {
            2 => Error::NotEncrypted,
            4..16 => Error::UnknownFormat,
            _ => Error::NotAuthentic,
        };
        assert_eq!(sealer.open(&key('A'), &altered), Err(expected), "{bit}");
    }
}

#[test]
fn a_truncated_or_lengthened_entry_does_not_open() {
    let sealer = sealer(&[KEY_1], true);
    let stored = seal(&sealer, "rates".into());
    for len in 0..stored.data.len() {
        let data = stored.data.slice(..len);
        let error = sealer.open(&key('A'), &Stored { data, ..stored }).err();
        assert_eq!(error, Some(Error::NotAuthentic), "{len}");
    }
    let data = [&stored.data[..], &[0]].concat().into();
    assert_eq!(sealer.open(&key('A'), &Stored { data, ..stored }), Err(Error::NotAuthentic));
}

#[test]
fn an_entry_moved_to_another_key_or_partition_does_not_open() {
    let codec = codec(&[KEY_1], true);
    let (acme, globex) = (codec.sealer(b"acme", true), codec.sealer(b"globex", true));
    let stored = seal(&acme, "rates".into());
    assert_eq!(acme.open(&key('B'), &stored), Err(Error::NotAuthentic));
    assert_eq!(globex.open(&key('A'), &stored), Err(Error::NotAuthentic));
    let elsewhere = StorageKey::parse(&key('A').as_str().replace("bank", "b4nk"));
    let elsewhere = elsewhere.expect("a storage key");
    assert_eq!(acme.open(&elsewhere, &stored), Err(Error::NotAuthentic));
}

#[test]
fn a_downgraded_entry_is_refused() {
    let plain = seal(&sealer(&[], true), "rates".into());
    assert_eq!(sealer(&[KEY_1], true).open(&key('A'), &plain), Err(Error::NotEncrypted));
    let compressed = seal(&sealer(&[], true), text(2000).as_str().into());
    assert_eq!(sealer(&[KEY_1], true).open(&key('A'), &compressed), Err(Error::NotEncrypted));
}

#[test]
fn an_encrypted_entry_without_a_key_is_a_miss() {
    let stored = seal(&sealer(&[KEY_1], true), "rates".into());
    assert_eq!(sealer(&[], true).open(&key('A'), &stored), Err(Error::NoKey));
}

#[test]
fn a_key_id_of_another_key_of_the_ring_does_not_open_the_entry() {
    let sealer_1 = sealer(&[KEY_1, KEY_2], true);
    let other = seal(&sealer(&[KEY_2], true), "rates".into());
    let mut data = seal(&sealer_1, "rates".into()).data.to_vec();
    data[..4].copy_from_slice(&other.data[..4]);
    let renamed = Stored { data: data.into(), ..other };
    assert_eq!(sealer_1.open(&key('A'), &renamed), Err(Error::NotAuthentic));
}

#[test]
fn formats_that_are_not_known_are_refused() {
    let data = Bytes::from_static(b"7");
    // A placeholder, no version, version 2, a reserved bit, a compressed integer.
    for flags in [0, 0x0010, 0x0210, 0x0130, 0x011b] {
        for sealer in [sealer(&[], true), sealer(&[KEY_1], true)] {
            let stored = Stored { flags: Flags(flags), data: data.clone() };
            assert_eq!(sealer.open(&key('A'), &stored), Err(Error::UnknownFormat), "{flags:#x}");
        }
    }
}

#[test]
fn values_that_are_not_of_their_kind_are_refused() {
    let sealer = sealer(&[], true);
    let cases = [(Kind::Text, "\u{1F600}".as_bytes()[..3].to_vec()), (Kind::Json, vec![0xff])];
    let integers = ["", "-", "9223372036854775808", "4 2", "x"];
    let integers = integers.map(|digits| (Kind::Integer, digits.as_bytes().to_vec()));
    for (kind, data) in cases.into_iter().chain(integers) {
        let stored = Stored { flags: Flags::entry(kind, 0), data: data.into() };
        assert_eq!(sealer.open(&key('A'), &stored), Err(Error::WrongKind), "{kind:?}");
    }
}

#[test]
fn values_over_the_bound_are_neither_sealed_nor_opened() {
    for keys in [&[][..], &[KEY_1]] {
        let codec = codec(keys, true);
        let sealer = codec.sealer(b"acme", false);
        let largest = seal(&sealer, vec![7; MAX].into());
        assert_eq!(largest.data.len(), codec.sealed_bytes_max());
        assert!(sealer.open(&key('A'), &largest).is_ok());
        let refused = sealer.seal(&key('A'), Kind::Bytes, &vec![7; MAX + 1].into(), 0, || NONCE);
        assert_eq!(refused, Err(Error::OverBound));

        let data = [&largest.data[..], &[0]].concat().into();
        let longer = Stored { data, ..largest };
        assert_eq!(sealer.open(&key('A'), &longer), Err(Error::OverBound));
    }
}

#[test]
fn a_zlib_bomb_is_refused() {
    let wide = Codec::new(CodecOptions { keyring: None, compress: true, value_bytes_max: 1 << 26 });
    let bomb = seal(&wide.sealer(b"acme", true), vec![0; 1 << 26].into());
    assert!(bomb.flags.is_compressed() && bomb.data.len() < 1 << 19);
    let narrow = Codec::new(CodecOptions { keyring: None, compress: true, value_bytes_max: 1 << 20 });
    let narrow = narrow.sealer(b"acme", true);
    assert_eq!(narrow.open(&key('A'), &bomb), Err(Error::OverBound));
    let mut lie = bomb.data.to_vec();
    lie[..4].copy_from_slice(&(1_u32 << 20).to_be_bytes());
    let lie = Stored { data: lie.into(), ..bomb };
    assert_eq!(narrow.open(&key('A'), &lie), Err(Error::NotInflatable));
}
