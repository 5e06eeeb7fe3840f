//! The connection task, which owns the socket: it writes what callers queue, and hands replies back.
//!
//! No caller ever touches the socket, so one that goes away leaves nothing behind on it. Replies come in the
//! order of the requests, and each must carry its request's number besides; whatever is not as it must be
//! ends the connection, and with it everything in flight. The next call makes a new one.
//!
//! One task serves both directions: it never stops reading while it writes.

#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
mod session;
#[cfg(test)]
mod tests;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use self::session::Session;
use super::MemcachedOptions;
use super::breaker::Breaker;
use super::dial::{Stream, dial};
use super::greeting::{End, Facts, ask, greet};
use super::protocol::Request;
use super::queue::{Failure, Queue, Requests, Ticket};
use super::server::Server;

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
        let mut session = Session::new((queue, breaker), options, facts, (stream, has_records));
        let end = session.serve().await;
        if let End::Closed = end {
            return;
        }
        let in_flight = session.in_flight();
        tracing::warn!(server = %place.name, reason = %end, in_flight, "connection to memcached ended");
        let is_unanswered = session.is_unanswered();
        // Before anybody is told, so that whoever asks next finds the breaker as it is.
        if is_unanswered || matches!(end, End::Stalled) {
            breaker.stalled(Instant::now(), options.timeout, &end.to_string());
        }
        session.fail(&end.to_string());
        drop(session);
        if queue.stop_if_empty() {
            return;
        }
        if is_unanswered {
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
