//! Secrets from text and rings of keys; the golden values come from another implementation
//! (Python's `cryptography`).

use super::*;

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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
