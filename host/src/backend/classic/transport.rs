//! The socket, as the client library gets to see it: replies are checked before it reads them, and a request
//! leaves in one piece.
//!
//! The library owns what it is given and gives nothing back, so the socket is shared with the [`Wire`] that
//! tells what reply may come, and asks afterwards how it went.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, BufWriter, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::reply::{Expected, ReplyCheck, Seen, Violation};
use crate::backend::Address;

/// A request up to here leaves in one write. The library writes it in three or more.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// Our side of the socket.
pub(super) struct Wire(Arc<Mutex<Shared>>);

/// The library's side.
pub(super) struct Stream(Arc<Mutex<Shared>>);

struct Shared {
    socket: BufWriter<Box<dyn Socket>>,
    check: ReplyCheck,
    violation: Option<Violation>,
}

/// Connects to the server.
pub(super) async fn open(address: &Address) -> io::Result<(Wire, Stream)> {
    let socket: Box<dyn Socket> = match address {
        Address::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            // Without it, a request that follows another one waits 40 ms for an acknowledgement.
            stream.set_nodelay(true)?;
            // What is not sent when a connection ends must never be.
            stream.set_zero_linger()?;
            Box::new(stream)
        }
        Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
    };
    let shared = Arc::new(Mutex::new(Shared {
        socket: BufWriter::with_capacity(WRITE_BUFFER_BYTES, socket),
        check: ReplyCheck::new(Expected::Nothing),
        violation: None,
    }));
    Ok((Wire(Arc::clone(&shared)), Stream(shared)))
}

impl Wire {
    /// The library's side once more, for a request that it does not know.
    pub(super) fn stream(&self) -> Stream {
        Stream(Arc::clone(&self.0))
    }

    /// Says what reply may come next.
    pub(super) fn expect(&self, expected: Expected) {
        lock(&self.0).check = ReplyCheck::new(expected);
    }

    /// Whether all of the reply has come, and what was in it beside what the library tells.
    pub(super) fn outcome(&self) -> Result<Option<Seen>, Violation> {
        let mut shared = lock(&self.0);
        match shared.violation {
            Some(violation) => Err(violation),
            None => Ok(shared.check.is_done().then(|| shared.check.seen())),
        }
    }

    /// Whether the connection is open, as far as is known, and nothing has come on it unasked.
    pub(super) fn is_quiet(&self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut context = Context::from_waker(Waker::noop());
        let mut shared = lock(&self.0);
        Pin::new(&mut shared.socket).poll_read(&mut context, &mut buffer).is_pending()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut shared = lock(&self.0);
        if let Some(violation) = shared.violation {
            return Poll::Ready(Err(io::Error::other(violation)));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut shared.socket).poll_read(context, buffer);
        if let Err(violation) = shared.check.check(&buffer.filled()[before..]) {
            buffer.set_filled(before);
            shared.violation = Some(violation);
            return Poll::Ready(Err(io::Error::other(violation)));
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut lock(&self.0).socket).poll_write(context, data)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(&self.0).socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(&self.0).socket).poll_shutdown(context)
    }
}

/// A panic while the lock is held can't leave anything half done that is used again.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
