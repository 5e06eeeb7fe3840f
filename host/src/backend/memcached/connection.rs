//! The connection task, which owns the socket: it writes what callers queue, and hands replies back.
//!
//! No caller ever touches the socket, so one that goes away leaves nothing behind on it. Replies come in the
//! order of the requests, and each must carry its request's number besides; whatever is not as it must be
//! ends the connection, and with it everything in flight. The next call makes a new one.
//!
//! One task serves both directions: it never stops reading while it writes.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};

use super::MemcachedOptions;
use super::dial::{Stream, dial};
use super::greeting::{End, Facts, ask, greet};
use super::outbox::Outbox;
use super::protocol::{Bounds, Decoder, Expected, Reply, Request};
use super::queue::{Call, Failure, Queue, Ticket};
use crate::limits::CONNECTION_WRITE_BYTES_MAX;

/// A connection that was quiet for so long may have ended without the task having been told yet.
const QUIET: Duration = Duration::from_millis(20);

/// How often [`probe`] measures a round trip; the shortest counts.
const PROBE_ROUND_TRIPS: usize = 5;

const SHUT_DOWN: &str = "the runtime of the connection was shut down";

/// The callers' side of a connection, which is made when the first call comes, and again whenever one
/// comes and there is none.
pub(super) struct Connection(Arc<Shared>);

struct Shared {
    options: MemcachedOptions,
    queue: Queue,
    server: Mutex<Option<Facts>>,
    /// Whether the last attempt to connect failed.
    is_down: AtomicBool,
}

impl Connection {
    pub(super) fn new(options: MemcachedOptions) -> Self {
        let (queue, server) = (Queue::default(), Mutex::new(None));
        Self(Arc::new(Shared { options, queue, server, is_down: AtomicBool::new(false) }))
    }

    pub(super) fn options(&self) -> &MemcachedOptions {
        &self.0.options
    }

    /// What the server last said of itself.
    pub(super) fn server(&self) -> Option<Facts> {
        *self.0.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues requests that leave together and are answered together. Of the values that come back, at most
    /// `batch_bytes_max` bytes are held.
    pub(super) fn call(&self, requests: Vec<Request>, batch_bytes_max: usize) -> Result<Ticket, Failure> {
        let (ticket, start) = self.0.queue.push(Call::new(requests, batch_bytes_max))?;
        if start {
            tokio::spawn(run(Arc::clone(&self.0)));
        }
        Ok(ticket)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.queue.close();
    }
}

/// The task, from a call that finds none to the end of its last connection.
async fn run(shared: Arc<Shared>) {
    let shut_down = AbortOnDrop(&shared.queue);
    serve(&shared).await;
    // The queue has been told, and may have a new task already.
    std::mem::forget(shut_down);
}

/// Where the task ends in the middle, with its runtime, nobody must wait for it.
struct AbortOnDrop<'a>(&'a Queue);

impl Drop for AbortOnDrop<'_> {
    fn drop(&mut self) {
        self.0.abort(SHUT_DOWN);
    }
}

/// Makes a connection, and another one as long as calls wait.
async fn serve(shared: &Shared) {
    let Shared { options, queue, .. } = shared;
    loop {
        let opened = timeout(options.connect_timeout, open(options)).await;
        let (mut stream, server) = match opened.unwrap_or(Err(End::ConnectTimeout)) {
            Ok(opened) => opened,
            Err(end) => {
                // Said once an outage: during one, every call tries again.
                if !shared.is_down.swap(true, Ordering::Relaxed) {
                    tracing::warn!(reason = %end, "no connection to memcached");
                }
                return queue.fail(&end.to_string());
            }
        };
        if shared.is_down.swap(false, Ordering::Relaxed) {
            tracing::warn!(version = %server.version, "connected to memcached again");
        }
        *shared.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);

        let number = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64;
        let mut session = Session::new(queue, options, server, number);
        if stream.has_records() {
            session.outbox = Outbox::in_records();
        }
        let (reader, writer) = tokio::io::split(&mut stream);
        let Err(end) = session.serve(reader, writer).await;
        if let End::Closed = end {
            return;
        }
        tracing::warn!(reason = %end, in_flight = session.in_flight.len(), "connection to memcached ended");
        let answered = session.answered;
        session.fail(&end.to_string());
        if queue.stop_if_empty() {
            return;
        }
        if answered == 0 {
            return queue.fail(&end.to_string());
        }
    }
}

/// Connects, and has the server say what it is.
async fn open(options: &MemcachedOptions) -> Result<(Stream, Facts), End> {
    let server = options.servers.first().ok_or(End::NoServer)?;
    let mut stream = dial(&server.address, options).await?;
    let facts = greet(&mut stream).await?;
    Ok((stream, facts))
}

/// Asks a server on a connection of its own what it is, and how long a round trip takes: `None` where it does
/// not know the meta commands.
pub(super) async fn probe(options: &MemcachedOptions) -> Result<(Facts, Option<Duration>), String> {
    let probe = async {
        let (mut stream, server) = open(options).await?;
        let mut shortest = Duration::MAX;
        for _ in 0..PROBE_ROUND_TRIPS {
            let start = Instant::now();
            match ask(&mut stream, &[Request::Noop]).await {
                Ok(_) => shortest = shortest.min(start.elapsed()),
                Err(End::Protocol(_)) => return Ok((server, None)),
                Err(end) => return Err(end),
            }
        }
        Ok((server, Some(shortest)))
    };
    let probed = timeout(options.connect_timeout, probe).await;
    probed.unwrap_or(Err(End::ConnectTimeout)).map_err(|end| end.to_string())
}

/// One connection's life after its greeting.
struct Session<'a> {
    queue: &'a Queue,
    server: Facts,
    timeout: Duration,
    value_bytes_max: usize,
    decoder: Decoder,
    outbox: Outbox,
    in_flight: VecDeque<InFlight>,
    batch: Vec<Arc<Call>>,
    /// The number of the next request, and of the next reply. They start at the time of day, so that what is
    /// left of an older connection in some proxy has other numbers.
    next_request: u64,
    next_reply: u64,
    /// How many calls were answered.
    answered: u64,
}

struct InFlight {
    call: Arc<Call>,
    replies: Vec<Reply>,
    bounds: Bounds,
    since: Instant,
}

impl<'a> Session<'a> {
    fn new(queue: &'a Queue, options: &MemcachedOptions, server: Facts, number: u64) -> Self {
        Self {
            queue,
            server,
            timeout: options.timeout,
            value_bytes_max: options.item_bytes_max,
            decoder: Decoder::default(),
            outbox: Outbox::default(),
            in_flight: VecDeque::new(),
            batch: Vec::new(),
            next_request: number,
            next_reply: number,
            answered: 0,
        }
    }

    /// Moves requests and replies until the connection ends. All that is awaited can be given up at any time.
    async fn serve(
        &mut self,
        mut reader: impl AsyncRead + Unpin,
        mut writer: impl AsyncWrite + Unpin,
    ) -> Result<Infallible, End> {
        let mut watchdog = pin!(sleep_until(Instant::now() + self.timeout));
        let mut heard = Instant::now();
        let mut yielded = false;
        loop {
            let mut space = self.decoder.space();
            tokio::select! {
                biased;
                count = reader.read_buf(&mut space) => {
                    if count? == 0 {
                        return Err(End::Eof);
                    }
                    self.dispatch()?;
                    heard = Instant::now();
                }
                count = writer.write_buf(&mut self.outbox), if self.outbox.has_remaining() => {
                    if count? == 0 {
                        return Err(End::Eof);
                    }
                }
                more = self.queue.arrival(), if self.outbox.remaining() < CONNECTION_WRITE_BYTES_MAX => {
                    if !more {
                        return Err(End::Closed);
                    }
                    let now = Instant::now();
                    let wait = !self.in_flight.is_empty() || now - heard > QUIET;
                    if wait && !yielded {
                        // Others that were answered just now are about to call again, and can leave in the
                        // same write; and the end of a quiet connection is noticed before it is used.
                        yield_now().await;
                        yielded = true;
                        continue;
                    }
                    yielded = false;
                    self.admit(now);
                }
                () = watchdog.as_mut(), if !self.in_flight.is_empty() => {
                    let now = Instant::now();
                    let oldest = self.in_flight.front().map_or(now, |oldest| oldest.since);
                    if now - oldest >= self.timeout {
                        return Err(End::Stalled);
                    }
                    watchdog.as_mut().reset(oldest + self.timeout);
                }
            }
        }
    }

    /// Encodes what waits, as far as the write buffer has room.
    fn admit(&mut self, now: Instant) {
        let room = CONNECTION_WRITE_BYTES_MAX.saturating_sub(self.outbox.remaining());
        self.queue.take(room, &mut self.batch);
        let limit = self.server.value_bytes_max();
        for call in self.batch.drain(..) {
            let too_large = |request: &Request| request.data().is_some_and(|data| data.len() > limit);
            if call.requests.iter().any(too_large) {
                // memcached would remove what it has under the key.
                call.finish(Err(Failure::TooLarge { limit }));
                self.queue.release(&call);
                continue;
            }
            if !call.take() {
                self.queue.release(&call);
                continue;
            }
            for request in &call.requests {
                self.outbox.push(request, self.next_request);
                self.next_request += 1;
            }
            let bounds = Bounds {
                announced_bytes_max: self.server.item_size_max,
                value_bytes_max: self.value_bytes_max,
                batch_bytes_left: call.batch_bytes_max,
            };
            let replies = Vec::with_capacity(call.requests.len());
            self.in_flight.push_back(InFlight { call, replies, bounds, since: now });
        }
    }

    /// Hands out the replies that have arrived.
    fn dispatch(&mut self) -> Result<(), End> {
        while let Some(oldest) = self.in_flight.front_mut() {
            let request = &oldest.call.requests[oldest.replies.len()];
            let expected = Expected { request, opaque: self.next_reply };
            let Some(reply) = self.decoder.decode(expected, &mut oldest.bounds)? else {
                return Ok(());
            };
            self.next_reply += 1;
            oldest.replies.push(reply);
            if oldest.replies.len() == oldest.call.requests.len()
                && let Some(InFlight { call, replies, .. }) = self.in_flight.pop_front()
            {
                self.queue.release(&call);
                call.finish(Ok(replies));
                if self.answered == 0 {
                    self.queue.recover();
                }
                self.answered += 1;
            }
        }
        if self.decoder.has_surplus() { Err(End::Surplus) } else { Ok(()) }
    }

    /// Fails what is in flight.
    fn fail(&mut self, reason: &str) {
        for InFlight { call, .. } in self.in_flight.drain(..) {
            self.queue.release(&call);
            call.finish(Err(Failure::Unanswered { reason: reason.to_owned() }));
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.fail(SHUT_DOWN);
    }
}
