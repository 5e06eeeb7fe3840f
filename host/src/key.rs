//! Storage keys: what a guest key becomes, once its partition is known.
//!
//! ```text
//! partition key = HMAC-SHA256(k_keys, frame("strongroom/v1/entry", scope, service, stack?, session?,
//!                                           namespace?, generations))
//! item          = HMAC-SHA256(partition key, guest key)[..24]
//! storage key   = "{prefix}:" + base64url(item)
//!
//! frame         = for each part: 0x00 if absent, else 0x01 and its length (u32, big-endian) and its bytes
//! ```
//!
//! A session that has an issue says the scope "issued session", and its issue after itself.
//!
//! - The frame is injective: every part says its own length, and absent differs from empty. So no two
//!   different places share a partition key, whatever characters their names are made of.
//! - Scoping happens here, once, above every backend, and guest bytes end here: what goes on is a
//!   keyed hash, always of the same length and alphabet.
//! - 24 bytes are 192 bits: two keys of one deployment meet with a chance of 2^-97 after 2^48 keys.
//! - With a key secret, whoever reads the storage learns nothing from the keys. Without one, `k_keys` is a
//!   public constant: keys stay injective and opaque to guests, but a reader of the storage could test
//!   guesses.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::scope::{Namespace, Partition, Scope};
use crate::stored::StorageKey;

/// Bytes of the keyed hash that go into a storage key.
const ITEM_BYTES: usize = 24;

/// What takes the key secret's place where there is none. Changing it loses every entry.
const PUBLIC_KEY: &[u8; 32] = b"strongroom/v1/public-key-secret!";

/// How many generation numbers a key takes in: service, stack and session nodes, and the cache's own.
pub(crate) const GENERATIONS: usize = 4;

/// Derives all storage keys of a deployment.
#[derive(Clone)]
pub(crate) struct KeyDeriver {
    hmac: Hmac<Sha256>,
    prefix: Arc<str>,
}

impl KeyDeriver {
    /// `secret`: the deployment's key secret; `prefix`: checked by the configuration.
    pub(crate) fn new(secret: Option<&[u8; 32]>, prefix: &str) -> Self {
        Self { hmac: hmac(secret.unwrap_or(PUBLIC_KEY)), prefix: prefix.into() }
    }

    /// The key under which the generation number of a node is kept. Every service, stack and session
    /// is a node; clearing it takes everything below it.
    pub(crate) fn node(&self, partition: &Partition) -> StorageKey {
        self.single(&frame("strongroom/v1/node", &partition.node(), None, &[]))
    }

    /// The key under which the generation number of one cache is kept: of this partition and
    /// namespace, and nothing below.
    pub(crate) fn own(&self, place: &Place) -> StorageKey {
        self.single(&frame("strongroom/v1/own", &place.partition, place.namespace.as_ref(), &[]))
    }

    /// The keys of one cache's entries, in its present generations.
    pub(crate) fn partition(&self, place: &Place, generations: &[u64; GENERATIONS]) -> PartitionKey {
        let frame = frame("strongroom/v1/entry", &place.partition, place.namespace.as_ref(), generations);
        let key = Zeroizing::new(mac(&self.hmac, &frame));
        PartitionKey { hmac: hmac(&key), prefix: self.prefix.clone() }
    }

    fn single(&self, frame: &[u8]) -> StorageKey {
        storage_key(&self.prefix, &mac(&self.hmac, frame))
    }
}

/// Derives the storage keys of one cache's entries.
#[derive(Clone)]
pub(crate) struct PartitionKey {
    hmac: Hmac<Sha256>,
    prefix: Arc<str>,
}

impl PartitionKey {
    /// The storage key of a guest key. The key's length is checked by the pipeline.
    pub(crate) fn storage_key(&self, guest_key: &str) -> StorageKey {
        storage_key(&self.prefix, &mac(&self.hmac, guest_key.as_bytes()))
    }

    /// Hides a backend's version number from guests. A server numbers all writes of all tenants in one row,
    /// so the plain number would tell each tenant how much the others write.
    ///
    /// A permutation of 64-bit numbers (a Feistel network of four rounds), so that [`unmask`](Self::unmask)
    /// has no need to ask the backend.
    pub(crate) fn mask(&self, version: u64) -> u64 {
        (0..VERSION_ROUNDS).fold(version, |version, round| {
            let (left, right) = halves(version);
            join(right, left ^ self.version_round(round, right))
        })
    }

    /// The backend's version number of a masked one.
    pub(crate) fn unmask(&self, version: u64) -> u64 {
        (0..VERSION_ROUNDS).rev().fold(version, |version, round| {
            let (left, right) = halves(version);
            join(right ^ self.version_round(round, left), left)
        })
    }

    fn version_round(&self, round: u8, half: u32) -> u32 {
        let [a, b, c, d] = half.to_be_bytes();
        // No guest key begins so: 0xff is never a part of UTF-8.
        let [a, b, c, d, ..] = mac(&self.hmac, &[0xff, round, a, b, c, d]);
        u32::from_be_bytes([a, b, c, d])
    }
}

/// The key of the lock under which an entry of this version is computed anew. It can't be any entry's key, as
/// those are made with a keyed hash of something else; and whoever can read one in the storage can write
/// there anyway, so that it is no secret.
pub(crate) fn refresh_lock(key: &StorageKey, version: u64) -> StorageKey {
    let mut hash = Sha256::new();
    hash.update(b"strongroom/v1/refresh");
    hash.update(version.to_be_bytes());
    hash.update(key.as_bytes());
    let hash: [u8; 32] = hash.finalize().into();
    let mut item = [0; ITEM_BYTES];
    item.copy_from_slice(&hash[..ITEM_BYTES]);
    key.beside(&item)
}

const VERSION_ROUNDS: u8 = 4;

fn halves(number: u64) -> (u32, u32) {
    ((number >> 32) as u32, number as u32)
}

fn join(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

/// A partition and a namespace: what one cache handle is for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Place {
    pub(crate) partition: Partition,
    pub(crate) namespace: Option<Namespace>,
}

impl Place {
    /// The place's identity as bytes, for deriving its data key. It takes no generation in, so that a `clear`
    /// costs no key derivation.
    pub(crate) fn identity(&self) -> Vec<u8> {
        frame("strongroom/v1/data", &self.partition, self.namespace.as_ref(), &[])
    }
}

/// The frame of what is the host's own and no place's, for deriving its data key. Its first part is the
/// label, as that of a place's frame is; so the two never meet where the labels differ.
pub(crate) fn own_frame(label: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    push_part(&mut frame, Some(label.as_bytes()));
    frame
}

/// The injective frame of a place: see the [module](self).
fn frame(label: &str, partition: &Partition, namespace: Option<&Namespace>, generations: &[u64]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(256);
    push_part(&mut frame, Some(label.as_bytes()));
    let scope = if partition.issue().is_some() { "issued session" } else { partition.scope().name() };
    push_part(&mut frame, Some(scope.as_bytes()));
    // An issue is a part more, and told apart from a namespace by the scope.
    for name in partition.identifiers().into_iter().chain(partition.issue().map(Some)) {
        push_part(&mut frame, name.map(str::as_bytes));
    }
    push_part(&mut frame, namespace.map(|namespace| namespace.as_str().as_bytes()));
    for generation in generations {
        push_part(&mut frame, Some(&generation.to_be_bytes()));
    }
    frame
}

fn push_part(frame: &mut Vec<u8>, part: Option<&[u8]>) {
    let Some(part) = part else {
        frame.push(0);
        return;
    };
    let len = u32::try_from(part.len()).expect("identifiers and namespaces are at most 256 bytes");
    frame.push(1);
    frame.extend_from_slice(&len.to_be_bytes());
    frame.extend_from_slice(part);
}

fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn mac(keyed: &Hmac<Sha256>, message: &[u8]) -> [u8; 32] {
    keyed.clone().chain_update(message).finalize().into_bytes().into()
}

fn storage_key(prefix: &str, mac: &[u8; 32]) -> StorageKey {
    let mut text = [0; 32];
    let written = URL_SAFE_NO_PAD.encode_slice(&mac[..ITEM_BYTES], &mut text);
    debug_assert_eq!(written, Ok(text.len()), "24 bytes are 32 characters of base64");
    StorageKey::new(prefix, &text)
}

/// The nodes that contain a partition, widest first: its service, its stack and its session, as far as it has
/// them.
pub(crate) fn nodes(partition: &Partition) -> impl Iterator<Item = Partition> + '_ {
    Scope::ALL.into_iter().filter_map(|scope| partition.widened_to(scope))
}

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;
