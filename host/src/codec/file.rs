//! Seals what the host keeps on its own disk, with a data key for each purpose.
//!
//! The form is that of entries (see `envelope`). The associated data is the caller's: what the file is, and
//! where it lies.

use crate::codec::envelope;
use crate::codec::keyring::PartitionKeys;
use crate::codec::{Codec, Error, NONCE_BYTES};

/// Seals and opens the files of one purpose.
#[derive(Debug)]
pub(crate) struct FileSealer(PartitionKeys);

impl Codec {
    /// The sealer of the files whose purpose this frame names; `None` where the deployment does not encrypt.
    pub(crate) fn file_sealer(&self, frame: &[u8]) -> Option<FileSealer> {
        self.keyring.as_ref().map(|ring| FileSealer(ring.partition(frame)))
    }
}

impl FileSealer {
    /// Seals with the current key.
    ///
    /// # Errors
    ///
    /// [`Error::OverBound`] beyond what the cipher takes, 64 GiB.
    pub(crate) fn seal(
        &self,
        associated: &[u8],
        body: &[u8],
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Vec<u8>, Error> {
        envelope::seal(&self.0, associated, nonce, envelope::with_room(body))
    }

    /// Opens what was sealed with a key of the ring and the same associated data.
    ///
    /// # Errors
    ///
    /// The reason why it is not that.
    pub(crate) fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
        envelope::open(&self.0, associated, sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{CodecOptions, Keyring, Purpose, Secret};

    const NONCE: [u8; NONCE_BYTES] = [7; NONCE_BYTES];

    fn codec(keys: &[u8]) -> Codec {
        let secret = |key: &u8| {
            let text = format!("a passphrase number {key}");
            Secret::from_text(&text, Purpose::Encryption).expect("a good secret")
        };
        let keyring = keys.split_first().map(|(current, previous)| {
            Keyring::new(secret(current), previous.iter().map(secret).collect()).expect("good keys")
        });
        Codec::new(CodecOptions { keyring, compress: false, value_bytes_max: 1024 })
    }

    #[test]
    fn a_file_opens_as_what_it_is_with_a_key_of_the_ring() {
        let sealer = |keys: &[u8], frame: &[u8]| codec(keys).file_sealer(frame).expect("it encrypts");
        let sealed = sealer(&[1], b"a").seal(b"name", b"body", NONCE).expect("it is short");
        assert!(!sealed.windows(4).any(|window| window == b"body"));
        assert_eq!(sealer(&[2, 1], b"a").open(b"name", &sealed), Ok(b"body".to_vec()));
        assert_eq!(sealer(&[2], b"a").open(b"name", &sealed), Err(Error::UnknownKey));
        assert_eq!(sealer(&[1], b"b").open(b"name", &sealed), Err(Error::NotAuthentic));
        assert_eq!(sealer(&[1], b"a").open(b"other", &sealed), Err(Error::NotAuthentic));
        assert_eq!(sealer(&[1], b"a").open(b"name", &sealed[1..]), Err(Error::UnknownKey));
        assert!(codec(&[]).file_sealer(b"a").is_none());
    }
}
