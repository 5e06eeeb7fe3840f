//! XAES-256-GCM against its published vectors and against the `xaes-256-gcm` crate.

use proptest::prelude::*;
use xaes_256_gcm::Xaes256Gcm;
use xaes_256_gcm::aead::{Aead, KeyInit as _, Payload};

use super::*;

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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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

#[test]
fn the_accumulated_vector_of_the_specification_holds() {
    let (mut random, mut digest) = (Shake128::default(), Shake128::default());
    for _ in 0..10_000 {
        let key = random.squeeze_array();
        let nonce = random.squeeze_array();
        let [plain_bytes] = random.squeeze_array();
        let plain = random.squeeze(plain_bytes.into());
        let [aad_bytes] = random.squeeze_array();
        let aad = random.squeeze(aad_bytes.into());

        let sealed = sealed(&key, &nonce, &aad, &plain);
        assert_eq!(opened(&key, &nonce, &aad, &sealed), Some(plain));
        digest.absorb(&sealed);
    }
    assert_eq!(hex(&digest.squeeze(32)), "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
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

/// SHAKE-128 (FIPS 202), which the accumulated vector is made with. Were it wrong, that vector
/// would not hold.
#[derive(Default)]
struct Shake128 {
    lanes: [u64; 25],
    at: usize,
    is_squeezing: bool,
}

impl Shake128 {
    const RATE: usize = 168;

    fn xor(&mut self, at: usize, byte: u8) {
        self.lanes[at / 8] ^= u64::from(byte) << (8 * (at % 8));
    }

    fn absorb(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.xor(self.at, byte);
            self.at += 1;
            if self.at == Self::RATE {
                self.permute();
            }
        }
    }

    fn squeeze(&mut self, bytes: usize) -> Vec<u8> {
        if !self.is_squeezing {
            self.is_squeezing = true;
            self.xor(self.at, 0x1f);
            self.xor(Self::RATE - 1, 0x80);
            self.permute();
        }
        let next = || {
            if self.at == Self::RATE {
                self.permute();
            }
            self.at += 1;
            self.lanes[(self.at - 1) / 8].to_le_bytes()[(self.at - 1) % 8]
        };
        std::iter::repeat_with(next).take(bytes).collect()
    }

    fn squeeze_array<const N: usize>(&mut self) -> [u8; N] {
        self.squeeze(N).try_into().expect("as many as asked for")
    }

    /// Keccak-f[1600].
    fn permute(&mut self) {
        self.at = 0;
        let a = &mut self.lanes;
        let mut lfsr = 1_u8;
        for _ in 0..24 {
            // Theta.
            let parity: [u64; 5] = std::array::from_fn(|x| (0..5).fold(0, |sum, y| sum ^ a[x + 5 * y]));
            for (i, lane) in a.iter_mut().enumerate() {
                *lane ^= parity[(i + 4) % 5] ^ parity[(i + 1) % 5].rotate_left(1);
            }
            // Rho and pi.
            let (mut x, mut y, mut moved) = (1, 0, a[1]);
            for t in 1..=24_u32 {
                (x, y) = (y, (2 * x + 3 * y) % 5);
                let rotated = moved.rotate_left(t * (t + 1) / 2 % 64);
                moved = std::mem::replace(&mut a[x + 5 * y], rotated);
            }
            // Chi.
            for row in a.chunks_exact_mut(5) {
                let old: [u64; 5] = std::array::from_fn(|x| row[x]);
                for (x, lane) in row.iter_mut().enumerate() {
                    *lane ^= !old[(x + 1) % 5] & old[(x + 2) % 5];
                }
            }
            // Iota.
            for j in 0..7 {
                a[0] ^= u64::from(lfsr & 1) << ((1 << j) - 1);
                lfsr = (lfsr << 1) ^ ((lfsr >> 7) * 0x71);
            }
        }
    }
}
