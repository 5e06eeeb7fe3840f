//! One connection, used by one request at a time, and what can go wrong on it.
//!
//! Every request here has a reply, as the library's own `set` and `delete` have not. A link that answered
//! anything but a whole reply must be dropped, and is: whoever uses one gives it back only after that.

use std::io::{self, ErrorKind};

use memcache_async::ascii::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::reply::{Expected, Seen, Violation};
use super::transport::{self, Stream, Wire};
use crate::backend::Address;
use crate::limits::REPLY_LINE_BYTES_MAX;
use crate::stored::StorageKey;

/// Why there is no reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("no server is configured")]
    NoServer,
    #[error("TLS and credentials are not spoken over the classic protocol")]
    PlainOnly,
    #[error("no connection within the connect timeout")]
    ConnectTimeout,
    #[error("no connection was free within the timeout")]
    Busy,
    #[error("no reply within the timeout")]
    Late,
    /// Only the kind: the library's own errors carry what the server said.
    #[error("{0}")]
    Io(ErrorKind),
    #[error("{0}")]
    Refused(#[from] Violation),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// A connection after its greeting.
pub(super) struct Link {
    protocol: Protocol<Stream>,
    wire: Wire,
}

/// What `gets` found, as it is on the server.
pub(super) struct Raw {
    pub(super) bytes: Vec<u8>,
    pub(super) cas: u64,
    /// Whether it has client flags, and so is none of this backend's.
    pub(super) is_foreign: bool,
}

impl Link {
    /// Connects, and has the server say something: one that has too many connections says so unasked, and
    /// hangs up.
    pub(super) async fn open(address: &Address) -> Result<(Self, String), Fault> {
        let (wire, stream) = transport::open(address).await?;
        let mut link = Self { protocol: Protocol::new(stream), wire };
        link.wire.expect(Expected::Version);
        let version = link.protocol.version().await;
        let (version, _) = link.settle(version)?;
        Ok((link, version?))
    }

    /// Whether the link can be used again after it was left alone.
    pub(super) fn is_quiet(&self) -> bool {
        self.wire.is_quiet()
    }

    /// The item under the key.
    pub(super) async fn gets(
        &mut self,
        key: &StorageKey,
        bytes_max: usize,
        deadline: Instant,
    ) -> Result<Option<Raw>, Fault> {
        self.wire.expect(Expected::Value { key: *key, bytes_max });
        let found = timeout_at(deadline, self.protocol.gets_cas(key.as_bytes())).await;
        match self.settle(found.map_err(|_| Fault::Late)?)? {
            (Ok((bytes, cas)), seen) => Ok(Some(Raw { bytes, cas, is_foreign: !seen.foreign.is_empty() })),
            (Err(error), _) if error.kind() == ErrorKind::NotFound => Ok(None),
            (Err(error), _) => Err(error.into()),
        }
    }

    /// The items under the keys, of which none is repeated, as long as they are together no larger than
    /// `batch_bytes_max`. Foreign ones are left out.
    pub(super) async fn get_many(
        &mut self,
        keys: &[StorageKey],
        bytes_max: usize,
        batch_bytes_max: usize,
        deadline: Instant,
    ) -> Result<Vec<Option<Vec<u8>>>, Fault> {
        let batch_bytes_left = batch_bytes_max;
        self.wire.expect(Expected::Values { keys: keys.to_vec(), bytes_max, batch_bytes_left });
        let texts: Vec<&[u8]> = keys.iter().map(StorageKey::as_bytes).collect();
        let found = timeout_at(deadline, self.protocol.get_multi(&texts)).await;
        let (found, seen) = self.settle(found.map_err(|_| Fault::Late)?)?;
        let mut found = found?;
        for key in &seen.foreign {
            found.remove(key.as_str());
        }
        Ok(keys.iter().map(|key| found.remove(key.as_str())).collect())
    }

    /// Stores the item where there is none. `false`: there is one.
    pub(super) async fn add(
        &mut self,
        key: &StorageKey,
        item: &[u8],
        exptime: u32,
        deadline: Instant,
    ) -> Result<bool, Fault> {
        self.wire.expect(Expected::Added);
        let added = timeout_at(deadline, self.protocol.add(key.as_str(), item, exptime)).await;
        match self.settle(added.map_err(|_| Fault::Late)?)? {
            (Ok(()), _) => Ok(true),
            (Err(error), _) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Stores the item in the place of the one with this CAS id. `false`: there is another, or none.
    pub(super) async fn cas(
        &mut self,
        key: &StorageKey,
        item: &[u8],
        cas: u64,
        exptime: u32,
        deadline: Instant,
    ) -> Result<bool, Fault> {
        self.wire.expect(Expected::Swapped);
        let swapped = timeout_at(deadline, self.protocol.cas(key.as_str(), item, cas, exptime)).await;
        match self.settle(swapped.map_err(|_| Fault::Late)?)? {
            (Ok(is_swapped), _) => Ok(is_swapped),
            // The library looks for `NOT FOUND` with a space, and so takes it for an error.
            (Err(_), seen) if seen.not_found => Ok(false),
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Whether the server knows the meta commands. If not, it may have hung up.
    pub(super) async fn knows_meta(&mut self) -> Result<bool, Fault> {
        self.wire.expect(Expected::Noop);
        let mut stream = self.wire.stream();
        stream.write_all(b"mn\r\n").await?;
        stream.flush().await?;
        let mut reply = [0; REPLY_LINE_BYTES_MAX];
        loop {
            let read = stream.read(&mut reply).await;
            match (self.wire.outcome(), read) {
                (Ok(Some(_)), _) => return Ok(true),
                (Ok(None), Ok(1..)) => {}
                (Err(Violation::UnknownCommand | Violation::ClientError | Violation::ServerError), _)
                | (Ok(None), _) => return Ok(false),
                (Err(violation), _) => return Err(violation.into()),
            }
        }
    }

    /// What the library answered to a reply that was whole and as it must be. All else is a fault.
    fn settle<T>(&self, answer: io::Result<T>) -> Result<(io::Result<T>, Seen), Fault> {
        match (self.wire.outcome()?, answer) {
            (Some(seen), answer) => Ok((answer, seen)),
            (None, Err(error)) => Err(error.into()),
            // It answered before the reply was over. The rest would be taken for the next one.
            (None, Ok(_)) => Err(Violation::Malformed.into()),
        }
    }
}
