//! Reaching a server: by TCP, by TLS over it, or by a Unix socket, with one type of stream for all.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
#[cfg(feature = "tls")]
use tokio_rustls::client::TlsStream;

use super::MemcachedOptions;
use super::greeting::End;
#[cfg(feature = "tls")]
use super::outbox::RECORD_BYTES_MAX;
use super::server::Address;

/// A connection to a server.
///
/// It needs no flush: what TLS still holds of earlier writes leaves with the next read or write. So one task
/// must do both, and must read even when it only wants to write.
#[cfg_attr(
    feature = "tls",
    expect(clippy::large_enum_variant, reason = "there is one for each connection, and it never moves")
)]
pub(super) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    #[cfg(feature = "tls")]
    Tls(TlsStream<TcpStream>),
}

/// Connects to a server, and says who we are where that is configured. Of several addresses of a host the
/// first that answers is taken. The caller bounds the time.
pub(super) async fn dial(address: &Address, options: &MemcachedOptions) -> Result<Stream, End> {
    let mut stream = match address {
        Address::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            // Without it, a request that follows another one waits 40 ms for an acknowledgement.
            stream.set_nodelay(true)?;
            // What is not sent when a connection ends must never be: the kernel would go on with it, and a
            // write that was given up would arrive after newer ones.
            stream.set_zero_linger()?;
            secure(stream, host, options).await?
        }
        #[cfg(unix)]
        Address::Unix(path) => Stream::Unix(UnixStream::connect(path).await?),
        #[cfg(not(unix))]
        Address::Unix(_) => return Err(End::NoUnixSockets),
    };
    if let Some(credentials) = &options.credentials {
        credentials.present(&mut stream).await?;
    }
    Ok(stream)
}

#[cfg(feature = "tls")]
async fn secure(stream: TcpStream, host: &str, options: &MemcachedOptions) -> Result<Stream, End> {
    match &options.tls {
        Some(tls) => tls.connect(host, stream).await.map(Stream::Tls),
        None => Ok(Stream::Tcp(stream)),
    }
}

#[cfg(not(feature = "tls"))]
async fn secure(stream: TcpStream, _: &str, _: &MemcachedOptions) -> Result<Stream, End> {
    Ok(Stream::Tcp(stream))
}

impl Stream {
    /// Whether each write becomes a TLS record: see `outbox`.
    pub(super) fn has_records(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            #[cfg(unix)]
            Self::Unix(_) => false,
            #[cfg(feature = "tls")]
            Self::Tls(_) => true,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, into),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_read(context, into),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => {
                if let Poll::Ready(Err(error)) = Pin::new(&mut *stream).poll_flush(context) {
                    return Poll::Ready(Err(error));
                }
                Pin::new(stream).poll_read(context, into)
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => {
                // With nothing left to send, there is room for a whole record: these bytes become just one.
                if Pin::new(&mut *stream).poll_flush(context)?.is_pending() {
                    return Poll::Pending;
                }
                let record = &bytes[..bytes.len().min(RECORD_BYTES_MAX)];
                Pin::new(stream).poll_write(context, record)
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            #[cfg(feature = "tls")]
            stream @ Self::Tls(_) => {
                let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
                Pin::new(stream).poll_write(context, first)
            }
        }
    }

    /// Not over TLS: pieces that are written together would not be records of their own.
    fn is_write_vectored(&self) -> bool {
        !self.has_records()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
