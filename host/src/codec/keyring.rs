//! Secrets from text, and the ring of master keys: which key encrypts, and which ones still
//! decrypt.
//!
//! ```text
//! material      = the 32 bytes after `base64:`, or Argon2id(passphrase)
//! secret        = HKDF-SHA256-Extract(salt = purpose, material)
//! key id (4)    = HKDF-SHA256-Expand(secret, "strongroom/v1 key id")
//! data key (32) = HKDF-SHA256-Expand(secret, "strongroom/v1 data key" | frame of the partition)
//! ```
//!
//! - **Purpose** is a salt, so that one text given for both settings makes two unrelated secrets.
//! - **Key id** names the key in each entry. A ring in which two different keys have one id (a
//!   chance of 2^-32) can't be made, so an id names one key or none. It tells nothing about the key.
//! - **Data keys** are per partition: what one tenant's entries are encrypted with opens no
//!   other's, whatever happens to the rest of the checks.
//! - **Rotation**: the new key becomes the current one and the old one a previous one, until the
//!   last entry that it sealed is gone.
//!
//! The frame of a partition is injective, and both labels are fixed and differ, so no two
//! derivations meet. What is no partition's has a frame that begins with another label (see `key`).

use std::fmt;
use std::sync::{Arc, OnceLock};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::codec::encryption::{KEY_BYTES, Xaes};

/// Length of a secret.
pub(crate) const SECRET_BYTES: usize = 32;

/// Length of a key's name in an entry.
pub(super) const KEY_ID_BYTES: usize = 4;

/// What a secret begins with that is bytes, not a passphrase.
const BASE64: &str = "base64:";

/// Argon2id as RFC 9106 section 4 recommends second, for where memory is limited: 64 MiB, three
/// passes, four lanes. It runs once per start.
const ARGON2_KIB: u32 = 64 * 1024;
const ARGON2_PASSES: u32 = 3;
const ARGON2_LANES: u32 = 4;

/// Public, and the same for all: every host of a deployment has to come to the same key from the
/// passphrase alone. It still keeps tables for other systems from serving here. Who wants more
/// takes 32 random bytes.
const ARGON2_SALT: &[u8] = b"strongroom/v1 passphrase";

const KEY_ID_LABEL: &[u8] = b"strongroom/v1 key id";
const DATA_KEY_LABEL: &[u8] = b"strongroom/v1 data key";

/// A shorter passphrase is found by trying, however it is stretched.
const PASSPHRASE_BYTES_MIN: usize = 8;

/// Whether a text is more likely 32 bytes, in base64 or hexadecimal, than a passphrase.
fn looks_like_a_key(text: &str) -> bool {
    let is_hex = text.len() == 2 * SECRET_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex || decode(text).is_ok()
}

/// Whether a text would be stretched.
#[cfg(feature = "fuzzing")]
pub(crate) fn is_passphrase(text: &str) -> bool {
    !text.starts_with(BASE64) && text.len() >= PASSPHRASE_BYTES_MIN && !looks_like_a_key(text)
}

/// What a secret is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// A master key of the keyring.
    Encryption,
    /// The key of the hash that makes storage keys.
    Keys,
}

impl Purpose {
    fn salt(self) -> &'static [u8] {
        match self {
            Self::Encryption => b"strongroom/v1 encryption",
            Self::Keys => b"strongroom/v1 keys",
        }
    }
}

/// 32 secret bytes: never printed, and wiped when dropped. Boxed, so that moving it leaves no
/// copies behind.
#[derive(Clone)]
pub(crate) struct Secret(Box<[u8; SECRET_BYTES]>);

impl Secret {
    /// Reads a secret from a setting: `base64:` and 32 bytes, or else a passphrase, which takes a
    /// moment and 64 MiB.
    ///
    /// # Errors
    ///
    /// [`KeyError`], whose text says what is wrong and never what was read.
    pub(crate) fn from_text(text: &str, purpose: Purpose) -> Result<Self, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        let material = match text.strip_prefix(BASE64) {
            Some(encoded) => decode(encoded)?,
            None if text.len() < PASSPHRASE_BYTES_MIN => return Err(KeyError::Short),
            None if looks_like_a_key(text) => return Err(KeyError::Bare),
            None => stretch(text)?,
        };
        Ok(Self::extract(purpose.salt(), &*material))
    }

    fn extract(salt: &[u8], material: &[u8]) -> Self {
        let (mut secret, _) = Hkdf::<Sha256>::extract(Some(salt), material);
        let mut boxed = Box::new([0; SECRET_BYTES]);
        boxed.copy_from_slice(&secret);
        secret.zeroize();
        Self(boxed)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    fn expand(&self, info: &[&[u8]], out: &mut [u8]) {
        Hkdf::<Sha256>::from_prk(self.as_bytes())
            .expect("a secret is as long as a hash")
            .expand_multi_info(info, out)
            .expect("HKDF gives up to 8160 bytes");
    }

    fn key_id(&self) -> KeyId {
        let mut id = KeyId([0; KEY_ID_BYTES]);
        self.expand(&[KEY_ID_LABEL], &mut id.0);
        id
    }

    fn data_key(&self, frame: &[u8]) -> Xaes {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        self.expand(&[DATA_KEY_LABEL, frame], &mut *key);
        Xaes::new(&key)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

fn decode(encoded: &str) -> Result<Zeroizing<[u8; SECRET_BYTES]>, KeyError> {
    // Wiped whole, also where it turns out to be too long.
    let mut decoded = Zeroizing::new(vec![0; encoded.len()]);
    let len = STANDARD_PAD_INDIFFERENT.decode_slice(encoded, &mut decoded).map_err(|_| KeyError::Base64)?;
    let mut material = Zeroizing::new([0; SECRET_BYTES]);
    if len != material.len() {
        return Err(KeyError::Length(len));
    }
    material.copy_from_slice(&decoded[..len]);
    Ok(material)
}

fn stretch(passphrase: &str) -> Result<Zeroizing<[u8; SECRET_BYTES]>, KeyError> {
    let params = Params::new(ARGON2_KIB, ARGON2_PASSES, ARGON2_LANES, Some(SECRET_BYTES))
        .expect("RFC 9106 recommends them");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2id(&argon2, passphrase.as_bytes(), ARGON2_SALT)
}

/// Runs Argon2 in memory of our own. Its last blocks are as good as the key, and the crate, which wipes the
/// rest, frees memory of its own as it is.
fn argon2id(
    argon2: &Argon2<'_>,
    passphrase: &[u8],
    salt: &[u8],
) -> Result<Zeroizing<[u8; SECRET_BYTES]>, KeyError> {
    let blocks = argon2.params().block_count();
    let mut memory = Zeroizing::new(Vec::new());
    memory.try_reserve_exact(blocks).map_err(|_| KeyError::Passphrase)?;
    memory.resize(blocks, Block::new());
    let mut material = Zeroizing::new([0; SECRET_BYTES]);
    argon2
        .hash_password_into_with_memory(passphrase, salt, &mut *material, &mut memory[..])
        .map_err(|_| KeyError::Passphrase)?;
    Ok(material)
}

/// The name of a master key, as each entry carries it. Not a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct KeyId(pub(super) [u8; KEY_ID_BYTES]);

#[derive(Debug)]
struct MasterKey {
    id: KeyId,
    secret: Secret,
}

/// The master keys of a deployment: one that encrypts, and any number that only decrypt.
#[derive(Debug)]
pub(crate) struct Keyring {
    current: MasterKey,
    previous: Vec<MasterKey>,
}

impl Keyring {
    /// Secrets that are there twice count once, so that a rotation may be rolled out in any order.
    ///
    /// # Errors
    ///
    /// [`KeyError::SameId`] if two different keys have one id.
    pub(crate) fn new(current: Secret, previous: Vec<Secret>) -> Result<Self, KeyError> {
        let mut ring =
            Self { current: MasterKey { id: current.key_id(), secret: current }, previous: Vec::new() };
        for secret in previous {
            let id = secret.key_id();
            let namesake = ring.keys().find(|key| key.id == id);
            // Compared at start-up only, where nobody can time it.
            match namesake.map(|key| key.secret.as_bytes() == secret.as_bytes()) {
                None => ring.previous.push(MasterKey { id, secret }),
                Some(true) => {}
                Some(false) => return Err(KeyError::SameId),
            }
        }
        Ok(ring)
    }

    fn keys(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// The data keys of the partition with this frame: the current one now, the others when an
    /// entry asks for them.
    pub(super) fn partition(self: &Arc<Self>, frame: &[u8]) -> PartitionKeys {
        PartitionKeys {
            current: self.current.secret.data_key(frame),
            previous: self.previous.iter().map(|_| OnceLock::new()).collect(),
            frame: frame.into(),
            ring: Arc::clone(self),
        }
    }
}

/// The data keys of one partition, one for each master key.
pub(super) struct PartitionKeys {
    current: Xaes,
    previous: Box<[OnceLock<Box<Xaes>>]>,
    frame: Box<[u8]>,
    ring: Arc<Keyring>,
}

impl fmt::Debug for PartitionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The frame names the tenant.
        f.write_str("PartitionKeys([redacted])")
    }
}

impl PartitionKeys {
    /// The key that seals, and the id that it is found by.
    pub(super) fn current(&self) -> (KeyId, &Xaes) {
        (self.ring.current.id, &self.current)
    }

    /// The key with this id, if the ring has it.
    pub(super) fn find(&self, id: KeyId) -> Option<&Xaes> {
        if id == self.ring.current.id {
            return Some(&self.current);
        }
        let index = self.ring.previous.iter().position(|key| key.id == id)?;
        let derive = || Box::new(self.ring.previous[index].secret.data_key(&self.frame));
        Some(self.previous[index].get_or_init(derive))
    }
}

/// Why a secret, or a ring of them, could not be made. Written to follow the name of the setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("is empty; leave it out for none")]
    Empty,
    #[error("begins with `base64:`, but what follows is not base64 (see `strongroom keygen`)")]
    Base64,
    #[error("holds {0} bytes after `base64:`, but a key has {SECRET_BYTES} (see `strongroom keygen`)")]
    Length(usize),
    #[error(
        "is shorter than {PASSPHRASE_BYTES_MIN} bytes, too short for a passphrase (see `strongroom keygen`)"
    )]
    Short,
    #[error("looks like a key without `base64:` before it; hosts would not agree on what it is")]
    Bare,
    #[error("can't be stretched: Argon2id needs {ARGON2_KIB} KiB of memory, once")]
    Passphrase,
    #[error("has the same key id as another key; make a new one (see `strongroom keygen`)")]
    SameId,
}

#[cfg(test)]
mod tests;
