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
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Buf;
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::MemcachedOptions;
use super::breaker::Breaker;
use super::dial::{Stream, dial};
use super::greeting::{End, Facts, ask, greet};
use super::outbox::Outbox;
use super::protocol::{Awaits, Bounds, Decoder, Expected, Request};
use super::queue::{Call, Failure, Outcome, Queue, Replies, Requests, Room, Ticket};
use super::server::Server;
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
    place: Server,
    options: Arc<MemcachedOptions>,
    breaker: Arc<Breaker>,
    queue: Queue,
    facts: Mutex<Option<Facts>>,
    /// Whether the last attempt to connect failed.
    is_down: AtomicBool,
}

impl Connection {
    /// A connection to one server, which tells the breaker how that goes.
    pub(super) fn new(place: &Server, options: &Arc<MemcachedOptions>, breaker: &Arc<Breaker>) -> Self {
        Self(Arc::new(Shared {
            place: place.clone(),
            options: Arc::clone(options),
            breaker: Arc::clone(breaker),
            queue: Queue::default(),
            facts: Mutex::new(None),
            is_down: AtomicBool::new(false),
        }))
    }

    /// What the server last said of itself.
    pub(super) fn facts(&self) -> Option<Facts> {
        *self.0.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is no connection, and nobody waits for one.
    pub(super) fn is_stopped(&self) -> bool {
        self.0.queue.is_stopped()
    }

    /// Says that no calls will come any more.
    pub(super) fn close(&self) {
        self.0.queue.close();
    }

    /// Queues requests that leave together and are answered together, at the deadline at the latest. Of the
    /// values that come back, at most `batch_bytes_max` bytes are held.
    pub(super) fn call(
        &self,
        requests: Requests,
        batch_bytes_max: usize,
        deadline: Instant,
    ) -> Result<Ticket<'_>, Failure> {
        let (ticket, start) = self.0.queue.push(requests, batch_bytes_max, deadline)?;
        if start {
            tokio::spawn(run(Arc::clone(&self.0)));
        }
        Ok(ticket)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
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
    let Shared { place, options, breaker, queue, .. } = shared;
    loop {
        let opened = timeout(options.connect_timeout, open(place, options));
        let (stream, facts) = match expiring(queue, tick(options), opened).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(end)) => return shared.fail(&end),
            Err(_) => return shared.fail(&End::ConnectTimeout),
        };
        if shared.is_down.swap(false, Ordering::Relaxed) {
            tracing::warn!(server = %place.name, version = %facts.version, "connected to memcached again");
        }
        *shared.facts.lock().unwrap_or_else(PoisonError::into_inner) = Some(facts);
        breaker.connected();

        let has_records = stream.has_records();
        let mut session = Session::new((queue, breaker), options, facts, stream);
        if has_records {
            session.outbox = Outbox::in_records();
        }
        let end = session.serve().await;
        if let End::Closed = end {
            return;
        }
        let in_flight = session.in_flight.len();
        tracing::warn!(server = %place.name, reason = %end, in_flight, "connection to memcached ended");
        let answered = session.answered;
        // Before anybody is told, so that whoever asks next finds the breaker as it is.
        if answered == 0 || matches!(end, End::Stalled) {
            breaker.failed(Instant::now(), &end.to_string());
        }
        session.fail(&end.to_string());
        drop(session);
        if queue.stop_if_empty() {
            return;
        }
        if answered == 0 {
            return queue.abort(&end.to_string());
        }
    }
}

impl Shared {
    /// There is no connection to be had.
    fn fail(&self, end: &End) {
        // Said once an outage: during one, every call tries again.
        if !self.is_down.swap(true, Ordering::Relaxed) {
            tracing::warn!(server = %self.place.name, reason = %end, "no connection to memcached");
        }
        self.breaker.failed(Instant::now(), &end.to_string());
        self.queue.abort(&end.to_string());
    }
}

/// How often the task looks for callers whose time is over: a twentieth of their time, so that no call is
/// later than that.
fn tick(options: &MemcachedOptions) -> Duration {
    options.timeout / 20
}

/// Awaits something for the task, and meanwhile tells callers in the queue when their time is over.
async fn expiring<T>(queue: &Queue, tick: Duration, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        match timeout(tick, &mut future).await {
            Ok(output) => return output,
            Err(_) => queue.expire(Instant::now()),
        };
    }
}

/// Connects, and has the server say what it is.
pub(super) async fn open(place: &Server, options: &MemcachedOptions) -> Result<(Stream, Facts), End> {
    let mut stream = dial(&place.address, options).await?;
    let facts = greet(&mut stream).await?;
    Ok((stream, facts))
}

/// Asks a server on a connection of its own what it is, and how long a round trip takes: `None` where it does
/// not know the meta commands.
pub(super) async fn probe(
    place: &Server,
    options: &MemcachedOptions,
) -> Result<(Facts, Option<Duration>), String> {
    let probe = async {
        let (mut stream, server) = open(place, options).await?;
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
struct Session<'a, S> {
    queue: &'a Queue,
    breaker: &'a Breaker,
    facts: Facts,
    timeout: Duration,
    value_bytes_max: usize,
    stream: S,
    decoder: Decoder,
    outbox: Outbox,
    in_flight: VecDeque<InFlight>,
    batch: Vec<Call>,
    answers: Vec<(Room, Outcome)>,
    /// The number of the next request, and of the next reply. They start at the time of day, so that what is
    /// left of an older connection in some proxy has other numbers.
    next_request: u64,
    next_reply: u64,
    /// How many calls were answered.
    answered: u64,
    /// When something last came from the server.
    heard: Instant,
    /// Whether other threads take part in running the tasks.
    shares_cores: bool,
    /// Whether other tasks have just run.
    paused: bool,
    /// Fires every [`tick`] while calls are outstanding.
    watchdog: Pin<Box<Sleep>>,
    tick: Duration,
}

struct InFlight {
    room: Room,
    /// What the replies must be like.
    awaits: SmallVec<[Awaits; 1]>,
    replies: Replies,
    bounds: Bounds,
    since: Instant,
}

/// What [`Session::poll_round`] has come to.
enum Round {
    /// The connection's end.
    End(End),
    /// Other tasks should run before calls are taken from the queue.
    Pause,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Session<'a, S> {
    fn new(
        (queue, breaker): (&'a Queue, &'a Breaker),
        options: &MemcachedOptions,
        facts: Facts,
        stream: S,
    ) -> Self {
        let number = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64;
        let now = Instant::now();
        let tick = tick(options);
        Self {
            queue,
            breaker,
            facts,
            timeout: options.timeout,
            value_bytes_max: options.item_bytes_max,
            stream,
            decoder: Decoder::default(),
            outbox: Outbox::default(),
            in_flight: VecDeque::new(),
            batch: Vec::new(),
            answers: Vec::new(),
            next_request: number,
            next_reply: number,
            answered: 0,
            heard: now,
            shares_cores: Handle::current().runtime_flavor() != RuntimeFlavor::CurrentThread,
            paused: false,
            watchdog: Box::pin(sleep_until(now + tick)),
            tick,
        }
    }

    /// Moves requests and replies until the connection ends.
    async fn serve(&mut self) -> End {
        loop {
            match poll_fn(|context| self.poll_round(context)).await {
                Round::End(end) => return end,
                // Others that were answered just now are about to call again, and can leave in the same write;
                // and the end of a quiet connection is noticed before it is used.
                Round::Pause if self.shares_cores => yield_now().await,
                Round::Pause => {}
            }
            self.paused = true;
        }
    }

    /// Goes on as far as it gets: reads, takes calls, writes.
    fn poll_round(&mut self, context: &mut Context<'_>) -> Poll<Round> {
        loop {
            let read = match self.poll_read(context) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(end)) => return Poll::Ready(Round::End(end)),
                Poll::Pending => false,
            };
            let has_room = self.outbox.remaining() < CONNECTION_WRITE_BYTES_MAX;
            let arrived = has_room
                && match self.queue.poll_arrival(context) {
                    Poll::Ready(true) => true,
                    Poll::Ready(false) => return Poll::Ready(Round::End(End::Closed)),
                    Poll::Pending => false,
                };
            if arrived {
                let now = Instant::now();
                if !self.paused && (!self.in_flight.is_empty() || now - self.heard > QUIET) {
                    return Poll::Ready(Round::Pause);
                }
                self.paused = false;
                self.admit(now);
            }
            let wrote = match self.poll_write(context) {
                Poll::Ready(Ok(wrote)) => wrote,
                Poll::Ready(Err(end)) => return Poll::Ready(Round::End(end)),
                Poll::Pending => false,
            };
            if !(read || arrived || wrote) {
                return self.poll_watchdog(context).map(Round::End);
            }
        }
    }

    /// Reads once, and hands out the replies that have arrived.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), End>> {
        let mut space = self.decoder.space();
        let count = ready!(pin!(self.stream.read_buf(&mut space)).poll(context));
        Poll::Ready(match count {
            Ok(0) => Err(End::Eof),
            Ok(_) => self.dispatch(),
            Err(error) => Err(error.into()),
        })
    }

    /// Writes as much as the socket takes. Answers whether there was anything.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, End>> {
        let mut wrote = false;
        while self.outbox.has_remaining() {
            match pin!(self.stream.write_buf(&mut self.outbox)).poll(context) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(End::Eof)),
                Poll::Ready(Ok(_)) => wrote = true,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending if wrote => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(wrote))
    }

    /// Tells callers when their time is over, and ends a connection whose server does not answer.
    fn poll_watchdog(&mut self, context: &mut Context<'_>) -> Poll<End> {
        while self.is_busy() {
            ready!(self.watchdog.as_mut().poll(context));
            let now = Instant::now();
            self.queue.expire(now);
            if self.in_flight.front().is_some_and(|oldest| now - oldest.since >= self.timeout) {
                return Poll::Ready(End::Stalled);
            }
            self.watchdog.as_mut().reset(now + self.tick);
        }
        Poll::Pending
    }

    /// Whether somebody may wait for something.
    fn is_busy(&self) -> bool {
        !self.in_flight.is_empty() || self.outbox.has_remaining()
    }

    /// Encodes what waits, as far as the write buffer has room.
    fn admit(&mut self, now: Instant) {
        let room = CONNECTION_WRITE_BYTES_MAX.saturating_sub(self.outbox.remaining());
        self.queue.take(room, &mut self.batch);
        let limit = self.facts.value_bytes_max();
        for call in self.batch.drain(..) {
            let too_large = |request: &Request| request.data().is_some_and(|data| data.len() > limit);
            if call.requests.iter().any(too_large) {
                // memcached would remove what it has under the key.
                self.answers.push((call.room, Err(Failure::TooLarge { limit })));
                continue;
            }
            for request in &call.requests {
                self.outbox.push(request, self.next_request);
                self.next_request += 1;
            }
            let bounds = Bounds {
                announced_bytes_max: self.facts.item_size_max,
                value_bytes_max: self.value_bytes_max,
                batch_bytes_left: call.batch_bytes_max,
            };
            let awaits = call.requests.iter().map(Request::awaits).collect();
            let replies = Replies::with_capacity(call.requests.len());
            self.in_flight.push_back(InFlight { room: call.room, awaits, replies, bounds, since: now });
        }
        if !self.answers.is_empty() {
            self.queue.finish(self.answers.drain(..));
        }
    }

    /// Hands out the replies that have arrived.
    fn dispatch(&mut self) -> Result<(), End> {
        self.heard = Instant::now();
        let decoded = self.decode();
        if !self.answers.is_empty() {
            if self.answered == 0 {
                self.breaker.succeeded();
            }
            self.answered += self.answers.len() as u64;
            self.queue.finish(self.answers.drain(..));
        }
        decoded
    }

    /// Decodes the replies that have arrived; the calls that are complete move to `answers`.
    fn decode(&mut self) -> Result<(), End> {
        while let Some(oldest) = self.in_flight.front_mut() {
            let expected = Expected { awaits: oldest.awaits[oldest.replies.len()], opaque: self.next_reply };
            let Some(reply) = self.decoder.decode(expected, &mut oldest.bounds)? else {
                return Ok(());
            };
            self.next_reply += 1;
            oldest.replies.push(reply);
            if oldest.replies.len() == oldest.awaits.len()
                && let Some(InFlight { room, replies, .. }) = self.in_flight.pop_front()
            {
                self.answers.push((room, Ok(replies)));
            }
        }
        if self.decoder.has_surplus() { Err(End::Surplus) } else { Ok(()) }
    }
}

impl<S> Session<'_, S> {
    /// Fails what is in flight.
    fn fail(&mut self, reason: &str) {
        let failure = || Failure::Unanswered { reason: reason.to_owned() };
        self.queue.finish(self.in_flight.drain(..).map(|in_flight| (in_flight.room, Err(failure()))));
    }
}

impl<S> Drop for Session<'_, S> {
    fn drop(&mut self) {
        self.fail(SHUT_DOWN);
    }
}
