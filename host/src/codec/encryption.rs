//! XAES-256-GCM: the one cipher, as C2SP specifies it (<https://c2sp.org/XAES-256-GCM>).
//!
//! ```text
//! L  = AES-256(K, 0^128)
//! K1 = L << 1, xor 0x87 in the last byte if the bit shifted out was 1
//! Kx = AES-256(K, K1 xor (00 01 'X' 00 | N[..12]))
//!    | AES-256(K, K1 xor (00 02 'X' 00 | N[..12]))
//! ciphertext | tag = AES-256-GCM(Kx, nonce = N[12..], plaintext, associated data)
//! ```
//!
//! The first half of the 192-bit nonce makes a key of its own for each message, by CMAC (NIST SP
//! 800-108); the second half is that message's GCM nonce. So a nonce may be drawn at random for as
//! good as ever, where plain GCM must count; the price is two AES blocks and one key schedule per
//! message.
//!
//! It is written out here, on `aes` and `aes-gcm`, because it is thirty lines and the crate
//! `xaes-256-gcm` is new: that one, and the published vectors, check it in the tests.

#[cfg(test)]
mod tests;

use std::fmt;

use aes::Aes256Enc;
use aes::cipher::{Array, Block, BlockCipherEncrypt, KeyInit};
use aes_gcm::AesGcm;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::U12;
use aes_gcm::aead::inout::InOutBuf;
use zeroize::{Zeroize, Zeroizing};

/// Length of a key.
pub(super) const KEY_BYTES: usize = 32;

/// Length of a nonce: 192 bits, drawn at random for each message.
pub(crate) const NONCE_BYTES: usize = 24;

/// Length of a tag.
pub(super) const TAG_BYTES: usize = 16;

const BLOCK_BYTES: usize = 16;

/// The cipher of one message. GCM only ever encrypts blocks, so the schedule for decrypting them is
/// spared.
type MessageCipher = AesGcm<Aes256Enc, U12>;

/// A key that is ready for use. Its key schedule is wiped when it is dropped.
pub(super) struct Xaes {
    aes: Aes256Enc,
    k1: Zeroizing<[u8; BLOCK_BYTES]>,
}

impl Xaes {
    pub(super) fn new(key: &[u8; KEY_BYTES]) -> Self {
        let aes = Aes256Enc::new(key.into());
        let mut l = Block::<Aes256Enc>::default();
        aes.encrypt_block(&mut l);
        let number = u128::from_be_bytes(l.into());
        // Without a branch, as L is secret.
        let carry = number >> 127;
        let k1 = Zeroizing::new(((number << 1) ^ (carry * 0x87)).to_be_bytes());
        l.zeroize();
        Self { aes, k1 }
    }

    /// Encrypts `body` in place and answers the tag; `None` where it is longer than GCM can take.
    pub(super) fn encrypt(
        &self,
        nonce: &[u8; NONCE_BYTES],
        associated: &[u8],
        body: &mut [u8],
    ) -> Option<[u8; TAG_BYTES]> {
        let (cipher, nonce) = self.for_message(nonce);
        let tag = cipher.encrypt_inout_detached(&nonce, associated, body.into());
        tag.ok().map(Into::into)
    }

    /// Decrypts into a buffer of its own; `None` where the tag does not fit. Checks the tag first.
    pub(super) fn decrypt(
        &self,
        nonce: &[u8; NONCE_BYTES],
        associated: &[u8],
        ciphertext: &[u8],
        tag: &[u8; TAG_BYTES],
    ) -> Option<Vec<u8>> {
        let (cipher, nonce) = self.for_message(nonce);
        let mut body = vec![0; ciphertext.len()];
        let buffer = InOutBuf::new(ciphertext, &mut body).ok()?;
        cipher.decrypt_inout_detached(&nonce, associated, buffer, tag.into()).ok()?;
        Some(body)
    }

    /// The cipher of the message with this nonce, and what is left of the nonce for it.
    fn for_message(&self, nonce: &[u8; NONCE_BYTES]) -> (MessageCipher, Array<u8, U12>) {
        let (first, last) = nonce.split_at(NONCE_BYTES / 2);
        let mut blocks = [Block::<Aes256Enc>::default(); 2];
        for (block, number) in blocks.iter_mut().zip(1..) {
            block[..4].copy_from_slice(&[0, number, b'X', 0]);
            block[4..].copy_from_slice(first);
            for (byte, k1) in block.iter_mut().zip(self.k1.iter()) {
                *byte ^= k1;
            }
        }
        self.aes.encrypt_blocks(&mut blocks);

        let mut key = Zeroizing::new([0; KEY_BYTES]);
        for (half, block) in key.chunks_exact_mut(BLOCK_BYTES).zip(&mut blocks) {
            half.copy_from_slice(block);
            block.zeroize();
        }
        let mut rest = Array::default();
        rest.copy_from_slice(last);
        (MessageCipher::new((&*key).into()), rest)
    }
}

impl fmt::Debug for Xaes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Xaes([redacted])")
    }
}
