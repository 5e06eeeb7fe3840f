//! One connection's life after its greeting: requests out, replies in, in order.
//!
//! It is polled as one: it reads what has come, takes the calls that wait, writes them, and does so again
//! until nothing moves. That costs no task but the connection's own, and no wake-up more than the socket and
//! the queue give.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep_until};

use super::super::MemcachedOptions;
use super::super::breaker::Breaker;
use super::super::greeting::{End, Facts};
use super::super::outbox::Outbox;
use super::super::protocol::{Awaits, Bounds, Decoder, Expected, Request};
use super::super::queue::{Call, Failure, Outcome, Queue, Replies, Room};
use super::{SHUT_DOWN, tick};
use crate::limits::CONNECTION_WRITE_BYTES_MAX;
use crate::random;

/// A connection that was quiet for so long may have ended without the task having been told yet.
const QUIET: Duration = Duration::from_millis(20);

/// Where the numbers of requests may start: few digits, as each costs twice its time on both sides.
const OPAQUE_START_MAX: u64 = (1 << 30) - 1;

/// One connection's life after its greeting.
pub(super) struct Session<'a, S> {
    queue: &'a Queue,
    breaker: &'a Breaker,
    facts: Facts,
    timeout: Duration,
    value_bytes_max: usize,
    stream: S,
    decoder: Decoder,
    outbox: Outbox,
    in_flight: VecDeque<InFlight>,
    batch: VecDeque<Call>,
    answers: Vec<(Room, Outcome)>,
    /// The number of the next request, and of the next reply. They start anywhere, so that what is left of an
    /// older connection in some proxy has other numbers.
    next_request: u64,
    next_reply: u64,
    /// How many calls were answered.
    answered: u64,
    /// When something last came from the server.
    heard: Instant,
    /// When callers were last told that their time is over.
    expired: Instant,
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
    /// `has_records`: whether each write becomes a TLS record.
    pub(super) fn new(
        (queue, breaker): (&'a Queue, &'a Breaker),
        options: &MemcachedOptions,
        facts: Facts,
        (stream, has_records): (S, bool),
    ) -> Self {
        let number = random::nonzero() & OPAQUE_START_MAX;
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
            outbox: if has_records { Outbox::in_records() } else { Outbox::default() },
            in_flight: VecDeque::new(),
            batch: VecDeque::new(),
            answers: Vec::new(),
            next_request: number,
            next_reply: number,
            answered: 0,
            heard: now,
            expired: now,
            shares_cores: Handle::current().runtime_flavor() != RuntimeFlavor::CurrentThread,
            paused: false,
            watchdog: Box::pin(sleep_until(now + tick)),
            tick,
        }
    }

    /// Moves requests and replies until the connection ends.
    pub(super) async fn serve(&mut self) -> End {
        loop {
            match poll_fn(|context| self.poll_round(context)).await {
                Round::End(end) => return end,
                // Others that were answered just now are about to call again, and can leave in the same
                // write; and the end of a quiet connection is noticed before it is used.
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
            if self.expire(now)
                || self.in_flight.front().is_some_and(|oldest| now - oldest.since >= self.timeout)
            {
                return Poll::Ready(End::Stalled);
            }
            self.watchdog.as_mut().reset(now + self.tick);
        }
        Poll::Pending
    }

    /// Tells callers whose time is over so. `true`: the connection must end.
    fn expire(&mut self, now: Instant) -> bool {
        self.expired = now;
        self.queue.expire(now)
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
            self.breaker.heard(self.heard);
            if self.answered == 0 {
                self.breaker.succeeded();
            }
            self.answered += self.answers.len() as u64;
            self.queue.finish(self.answers.drain(..));
        }
        // Where replies never stop coming, the watchdog has no turn.
        if self.heard - self.expired >= self.tick && self.expire(self.heard) {
            return Err(End::Stalled);
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
    /// How many calls are in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether no call was ever answered.
    pub(super) fn is_unanswered(&self) -> bool {
        self.answered == 0
    }

    /// Fails what is in flight.
    pub(super) fn fail(&mut self, reason: &str) {
        let failure = || Failure::Unanswered { reason: reason.to_owned() };
        self.queue.finish(self.in_flight.drain(..).map(|in_flight| (in_flight.room, Err(failure()))));
    }
}

impl<S> Drop for Session<'_, S> {
    fn drop(&mut self) {
        self.fail(SHUT_DOWN);
    }
}
