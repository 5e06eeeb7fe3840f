//! The first words on a connection: what is the server, and does it take us?

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::outbox::Outbox;
use super::protocol::{Bounds, Decoder, Expected, ProtocolError, Reply, Request, Version};

/// The first version whose meta commands are all that this backend needs.
const VERSION_MIN: Version = Version { major: 1, minor: 6, patch: 18 };

/// What memcached adds to a value when it compares it with its limit, measured: a header of 48 bytes, 8 for
/// the version, 4 for the flags, a NUL, CR LF (63 together), and the key, of which 97 is the longest. The
/// rest is room for other versions.
const ITEM_OVERHEAD_BYTES: usize = 192;

/// What the server said of itself when the connection was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Facts {
    pub(super) version: Version,
    pub(super) item_size_max: usize,
}

impl Facts {
    /// Largest value that the server takes, under any key.
    pub(super) fn value_bytes_max(self) -> usize {
        self.item_size_max.saturating_sub(ITEM_OVERHEAD_BYTES)
    }
}

/// Nothing is sent for anybody before the server has answered this: one that has too many connections says
/// so unasked, and hangs up.
pub(super) async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<Facts, End> {
    match ask(stream, &[Request::Version, Request::Settings]).await?[..] {
        [Reply::Version(version), _] if version < VERSION_MIN => Err(End::TooOld(version)),
        [Reply::Version(version), Reply::Settings { item_size_max }] => Ok(Facts { version, item_size_max }),
        _ => Err(End::Protocol(ProtocolError::WrongReply)),
    }
}

/// Sends requests without values on a connection that nobody else uses.
pub(super) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    requests: &[Request],
) -> Result<Vec<Reply>, End> {
    let mut outbox = Outbox::default();
    for request in requests {
        outbox.push(request, 0);
    }
    stream.write_all_buf(&mut outbox).await?;

    let mut decoder = Decoder::default();
    let mut bounds = Bounds { announced_bytes_max: 0, value_bytes_max: 0, batch_bytes_left: 0 };
    let mut replies = Vec::new();
    while let Some(request) = requests.get(replies.len()) {
        match decoder.decode(Expected { awaits: request.awaits(), opaque: 0 }, &mut bounds)? {
            Some(reply) => replies.push(reply),
            None if stream.read_buf(&mut decoder.space()).await? == 0 => return Err(End::Eof),
            None => {}
        }
    }
    if decoder.has_surplus() { Err(End::Surplus) } else { Ok(replies) }
}

/// Why there is no connection, or none any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("the cache was closed")]
    Closed,
    #[error("the server closed the connection")]
    Eof,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[cfg(feature = "tls")]
    #[error("no TLS with the server: {0}")]
    Tls(io::Error),
    #[cfg(feature = "tls")]
    #[error("no certificate can be for the server's host name; set `tls_name`")]
    NoServerName,
    #[cfg(not(unix))]
    #[error("this platform has no Unix sockets")]
    NoUnixSockets,
    #[error("the server does not accept the username and password")]
    Refused,
    #[error("no connection within the connect timeout")]
    ConnectTimeout,
    #[error("memcached {0} is too old: {VERSION_MIN} or later is needed")]
    TooOld(Version),
    #[error("{0}")]
    Protocol(#[from] ProtocolError),
    #[error("the server sent more than it was asked for")]
    Surplus,
    #[error("the server does not answer")]
    Stalled,
}
