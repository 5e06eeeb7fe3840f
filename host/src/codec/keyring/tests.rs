//! Secrets from text and rings of keys; the golden values come from another implementation
//! (Python's `cryptography`).

use argon2::ParamsBuilder;

use super::*;
use crate::codec::tests::hex;

fn secret(text: &str) -> Secret {
    Secret::from_text(text, Purpose::Encryption).expect("a good secret")
}

/// `base64:` and 32 bytes, of which the last ones count.
fn numbered(number: u64) -> Secret {
    use base64::engine::general_purpose::STANDARD;

    let mut bytes = [0; SECRET_BYTES];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    secret(&format!("{BASE64}{}", STANDARD.encode(bytes)))
}

/// Appendix A of RFC 5869, with SHA-256: salt, input, info and what comes of it.
#[test]
fn the_vectors_of_hkdf_hold() {
    let range = |range: std::ops::RangeInclusive<u8>| range.collect::<Vec<_>>();
    let cases = [
        (
            range(0x00..=0x0c),
            vec![0x0b; 22],
            range(0xf0..=0xf9),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            range(0x60..=0xaf),
            range(0x00..=0x4f),
            range(0xb0..=0xff),
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            concat!(
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e59",
                "0e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
            ),
        ),
        (
            Vec::new(),
            vec![0x0b; 22],
            Vec::new(),
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ];
    for (salt, input, info, extracted, expanded) in cases {
        let secret = Secret::extract(&salt, &input);
        assert_eq!(hex(secret.as_bytes()), extracted);
        // The info in one piece and in two, as data keys have it.
        let (head, tail) = info.split_at(info.len() / 2);
        for info in [&[&info[..]][..], &[head, tail]] {
            let mut out = vec![0; expanded.len() / 2];
            secret.expand(info, &mut out);
            assert_eq!(hex(&out), expanded);
        }
    }
}

/// Section 5.3 of RFC 9106. It has a secret and associated data, which ours has not.
#[test]
fn the_vector_of_argon2id_holds() {
    let params = ParamsBuilder::new()
        .m_cost(32)
        .t_cost(3)
        .p_cost(4)
        .output_len(SECRET_BYTES)
        .data([4; 12][..].try_into().expect("short"))
        .build()
        .expect("the RFC's");
    let argon2 = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params);
    let key = argon2id(&argon2.expect("short"), &[1; 32], &[2; 16]).expect("little memory");
    assert_eq!(hex(&*key), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
}

/// Argon2id, version 0x13, m = 65536, t = 3, p = 4, as Python's `cryptography` and the reference program make
/// it.
#[test]
fn a_passphrase_is_stretched_by_the_documented_parameters() {
    let key = stretch("correct horse battery staple").expect("64 MiB");
    assert_eq!(hex(&*key), "f234df75212c9b748ef70bc31931c01af805ca6b3022ae34d7d45b2b1f7d6322");
    assert_eq!((ARGON2_KIB, ARGON2_PASSES, ARGON2_LANES), (65_536, 3, 4), "the RFC's second recommendation");
}

#[test]
fn whatever_holds_a_secret_wipes_it() {
    use argon2::Block;
    use zeroize::ZeroizeOnDrop;

    fn wiped<T: ZeroizeOnDrop>() {}
    wiped::<Secret>();
    // What a secret passes on its way to the cipher: features of these crates, all of them off by default.
    // HKDF and HMAC hold hashes and nothing else.
    wiped::<Zeroizing<Vec<Block>>>();
    wiped::<blake2::Blake2bVarCore>();
    wiped::<Sha256>();
    wiped::<aes::Aes256Enc>();
    wiped::<aes_gcm::AesGcm<aes::Aes256Enc, aes_gcm::aead::consts::U12>>();
}

#[test]
fn a_secret_of_32_bytes_is_golden() {
    let text = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let encryption = secret(text);
    assert_eq!(
        hex(encryption.as_bytes()),
        "0bdd25a16f4a561a7d5f87168b8c38b744effd6a673788d5a439f588bd44f755"
    );
    assert_eq!(hex(&encryption.key_id().0), "08b5d13d");
    let keys = Secret::from_text(text, Purpose::Keys).expect("a good secret");
    assert_eq!(hex(keys.as_bytes()), "d24e09fc5d5eed839f47639fd0eb5746fa2326b48555244ac65c52c5ac422f29");
}

#[test]
fn what_is_no_good_passphrase_is_refused() {
    let bare = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    for text in ["x", "1234567", bare, bare.trim_end_matches('='), &"0f".repeat(32)] {
        assert!(Secret::from_text(text, Purpose::Encryption).is_err(), "{text}");
    }
}

#[test]
fn a_passphrase_is_golden() {
    let passphrase = secret("correct horse battery staple");
    assert_eq!(
        hex(passphrase.as_bytes()),
        "c6b6b5532e31c6c9dff4f2d2943f34afc4f5d94714623a5736a882c737a9641a"
    );
}

#[test]
fn the_padding_of_base64_is_optional() {
    let padded = secret("base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    let unpadded = secret("base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    assert_eq!(padded.as_bytes(), unpadded.as_bytes());
}

#[test]
fn a_bad_secret_is_one_clear_line_that_does_not_show_it() {
    let cases = [
        ("", KeyError::Empty),
        ("base64:", KeyError::Length(0)),
        ("base64:c2VjcmV0", KeyError::Length(6)),
        ("base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", KeyError::Length(33)),
        ("base64:not base64 at all", KeyError::Base64),
        // The other alphabet, and bits that would be dropped.
        ("base64:__________________________________________8=", KeyError::Base64),
        ("base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", KeyError::Base64),
    ];
    for (text, expected) in cases {
        let error = Secret::from_text(text, Purpose::Encryption).expect_err("a bad secret");
        assert_eq!(error, expected, "{text}");
        let line = error.to_string();
        assert!(!line.contains('\n') && (text.is_empty() || !line.contains(text) || text == BASE64));
    }
}

#[test]
fn secrets_print_as_redacted() {
    assert_eq!(format!("{:?}", numbered(1)), "[redacted]");
    let ring = Arc::new(Keyring::new(numbered(1), vec![numbered(2)]).expect("two keys"));
    let text = format!("{ring:?} {:?}", ring.partition(b"acme"));
    let id = numbered(1).key_id();
    let expected = format!("MasterKey {{ id: {id:?}, secret: [redacted] }}");
    assert_eq!(text.matches("secret: [redacted]").count(), 2);
    assert!(text.contains(&expected) && text.ends_with("PartitionKeys([redacted])"), "{text}");
}

#[test]
fn a_key_that_is_there_twice_counts_once() {
    let previous = vec![numbered(1), numbered(2), numbered(2), numbered(1), numbered(3)];
    let ring = Keyring::new(numbered(1), previous).expect("three keys");
    assert_eq!(ring.keys().count(), 3);
}

#[test]
fn two_keys_with_one_id_are_refused() {
    let (a, b) = (19471, 105609);
    assert_eq!(numbered(a).key_id(), numbered(b).key_id());
    let refused = Keyring::new(numbered(a), vec![numbered(b)]).map(|_| ());
    assert_eq!(refused, Err(KeyError::SameId));
    let refused = Keyring::new(numbered(0), vec![numbered(a), numbered(b)]).map(|_| ());
    assert_eq!(refused, Err(KeyError::SameId));
}

#[test]
fn previous_keys_are_derived_when_they_are_asked_for() {
    let ring = Keyring::new(numbered(1), vec![numbered(2), numbered(3)]).expect("three keys");
    let keys = Arc::new(ring).partition(b"acme");
    assert!(keys.previous.iter().all(|key| key.get().is_none()));
    assert!(keys.find(numbered(3).key_id()).is_some());
    assert!(keys.previous[0].get().is_none() && keys.previous[1].get().is_some());
    assert!(keys.find(numbered(1).key_id()).is_some());
    assert!(keys.find(numbered(4).key_id()).is_none());
}
