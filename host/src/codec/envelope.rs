//! The encrypted form of an entry: which bytes stand where, and what they are bound to.
//!
//! ```text
//! key id (4) | nonce (24) | ciphertext (as long as what it holds) | tag (16)
//! associated data = flags (4, big-endian) | storage key
//! ```
//!
//! - **Key id.** An entry names its key, so that after a rotation the right one is taken from the
//!   ring instead of trying each. GCM does not commit to its key: one ciphertext can be made to
//!   open under two keys by somebody who knows both, and trying keys would tell more. With the id
//!   an entry has one key at most: it is derived from the master key, and a ring in which two keys
//!   share one can't be made. (Four bytes would not hold as a commitment against somebody who may
//!   choose the keys. Nobody may, but the operator.) It needs no place in the associated data:
//!   under another id the entry is opened with another key, and fails.
//! - **Nonce.** 192 random bits, because hosts share data keys and can't share a counter. With the
//!   96 bits of plain GCM 2^32 entries per key are the limit, which a busy deployment reaches in
//!   half a day; with 192 bits it is 2^80. Whoever calls draws it, so that tests can fix it.
//! - **Associated data.** The flags, so that kind, compression and grace can't be changed; and the
//!   storage key, so that an entry which was copied to another place, or delivered to the wrong
//!   caller, does not open there. The flags have a fixed length, so the two can't run into each
//!   other.
//!
//! What the host keeps on its own disk has the same form: see `file`.
//!
//! What this can't prevent: whoever can write to memcached can put an older entry of the same place
//! back.

use crate::codec::Error;
use crate::codec::encryption::NONCE_BYTES;
use crate::codec::keyring::{KEY_ID_BYTES, KeyId, PartitionKeys};
use crate::stored::{Flags, STORAGE_KEY_BYTES_MAX, StorageKey};

pub(super) use crate::codec::encryption::TAG_BYTES;

/// What stands before the ciphertext.
pub(super) const HEADER_BYTES: usize = KEY_ID_BYTES + NONCE_BYTES;

/// By how much encryption makes an entry longer.
pub(crate) const OVERHEAD_BYTES: usize = HEADER_BYTES + TAG_BYTES;

const FLAGS_BYTES: usize = 4;

const ASSOCIATED_BYTES_MAX: usize = FLAGS_BYTES + STORAGE_KEY_BYTES_MAX;

/// What an encrypted entry is bound to, besides its key.
pub(super) struct AssociatedData {
    bytes: [u8; ASSOCIATED_BYTES_MAX],
    len: usize,
}

impl AssociatedData {
    pub(super) fn new(flags: Flags, key: &StorageKey) -> Self {
        let key = key.as_bytes();
        let mut bytes = [0; ASSOCIATED_BYTES_MAX];
        let len = FLAGS_BYTES + key.len();
        bytes[..FLAGS_BYTES].copy_from_slice(&flags.0.to_be_bytes());
        bytes[FLAGS_BYTES..len].copy_from_slice(key);
        Self { bytes, len }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// A buffer to [seal] in: room for the header, `body`, and capacity for the tag.
pub(super) fn with_room(body: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(body.len() + OVERHEAD_BYTES);
    buffer.resize(HEADER_BYTES, 0);
    buffer.extend_from_slice(body);
    buffer
}

/// Encrypts in place what follows the header's room in `buffer`, and fills in the rest.
pub(super) fn seal(
    keys: &PartitionKeys,
    associated: &[u8],
    nonce: [u8; NONCE_BYTES],
    mut buffer: Vec<u8>,
) -> Result<Vec<u8>, Error> {
    let (id, key) = keys.current();
    let (header, body) = buffer.split_at_mut(HEADER_BYTES);
    header[..KEY_ID_BYTES].copy_from_slice(&id.0);
    header[KEY_ID_BYTES..].copy_from_slice(&nonce);
    // The cipher refuses 64 GiB and more; the bound on values is far below.
    let tag = key.encrypt(&nonce, associated, body).ok_or(Error::OverBound)?;
    buffer.extend_from_slice(&tag);
    Ok(buffer)
}

/// Decrypts an entry's data, if it was sealed with one of `keys` and with the same associated data.
pub(super) fn open(keys: &PartitionKeys, associated: &[u8], data: &[u8]) -> Result<Vec<u8>, Error> {
    let parts = || {
        let (id, rest) = data.split_first_chunk::<KEY_ID_BYTES>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
        Some((KeyId(*id), nonce, ciphertext, tag))
    };
    let (id, nonce, ciphertext, tag) = parts().ok_or(Error::NotAuthentic)?;
    let key = keys.find(id).ok_or(Error::UnknownKey)?;
    key.decrypt(nonce, associated, ciphertext, tag).ok_or(Error::NotAuthentic)
}
