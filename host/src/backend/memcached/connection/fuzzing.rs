//! A connection with many callers, some of whom go away, to a server that answers what it likes: a caller
//! gets replies to what it asked itself, or a failure, and always one of the two.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Write;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::session::Session;
use crate::backend::Step;
use crate::backend::memcached::MemcachedOptions;
use crate::backend::memcached::breaker::Breaker;
use crate::backend::memcached::greeting::Facts;
use crate::backend::memcached::protocol::{Found, Reply, Request, Ttl, Version, When};
use crate::backend::memcached::queue::{Outcome, Queue, Requests, Ticket};
use crate::input::Input;
use crate::stored::{Flags, Kind, StorageKey, Stored};

const STEPS_MAX: usize = 128;
const BATCH_BYTES_MAX: usize = 200;
const TIMEOUT: Duration = Duration::from_secs(1);

/// What is stored: of no caller's memory, which is counted.
static STORED: [u8; 80 * 255] = [b's'; 80 * 255];

/// For the clock of a connection, which stands still.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().expect("there is a runtime")
});

/// One caller's call, until it has an outcome.
struct Caller<'a> {
    requests: Requests,
    ticket: Pin<Box<Ticket<'a>>>,
}

pub(in crate::backend) fn callers(mut input: Input<'_>) {
    let _entered = RUNTIME.enter();
    let queue = Queue::default();
    let options = MemcachedOptions { timeout: TIMEOUT, item_bytes_max: 1000, ..MemcachedOptions::default() };
    let breaker = Breaker::new("a", TIMEOUT, || 0.5);
    let facts = Facts { version: Version { major: 1, minor: 6, patch: 18 }, item_size_max: 20_000 };
    let server = Rc::new(RefCell::new(Server::default()));
    let mut session =
        Session::new((&queue, &breaker), &options, facts, (Peer(Rc::clone(&server)), input.flag()));
    let mut callers = Vec::new();
    let mut outcomes = Vec::new();
    {
        let mut served = pin!(session.serve());
        for number in 0..STEPS_MAX {
            if input.is_empty() {
                break;
            }
            match input.below(8) {
                0 | 1 => callers.extend(call(&queue, number, &mut input)),
                2 if !callers.is_empty() => {
                    drop(callers.swap_remove(usize::from(input.byte()) % callers.len()))
                }
                3 if input.byte() == 0 && queue.expire(Instant::now() + 2 * TIMEOUT) => break,
                _ => server.borrow_mut().say(&mut input),
            }
            if served.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                break;
            }
            callers.retain_mut(|caller| match poll(caller) {
                Some(outcome) => {
                    outcomes.push((caller.requests.clone(), outcome));
                    false
                }
                None => true,
            });
        }
    }
    drop(session);
    queue.abort("it is over");
    for mut caller in callers {
        let outcome = poll(&mut caller).expect("nobody waits for a connection that has ended");
        outcomes.push((caller.requests, outcome));
    }
    assert!(queue.is_idle(), "something is left of calls that are over");
    outcomes.iter().for_each(|(requests, outcome)| server.borrow().check(requests, outcome));
}

fn poll(caller: &mut Caller<'_>) -> Option<Outcome> {
    match caller.ticket.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

fn call<'a>(queue: &'a Queue, number: usize, input: &mut Input<'_>) -> Option<Caller<'a>> {
    let count = 1 + input.below(4);
    let requests: Requests = (0..count).map(|nth| request(key(number * 4 + nth), input)).collect();
    let deadline = Instant::now() + TIMEOUT;
    let (ticket, _) = queue.push(requests.clone(), BATCH_BYTES_MAX, deadline).ok()?;
    Some(Caller { requests, ticket: Box::pin(ticket) })
}

/// Every request is about a key of its own.
fn key(number: usize) -> StorageKey {
    StorageKey::parse(&format!("k:{number:032}")).expect("of the right form")
}

fn request(key: StorageKey, input: &mut Input<'_>) -> Request {
    let version = input.flag().then_some(9);
    match input.below(8) {
        0 | 1 => Request::Read(key),
        2 => Request::Look(key),
        3 => Request::Lease(key, Ttl(9)),
        4 => {
            let data = Bytes::from_static(&STORED[..80 * usize::from(input.byte())]);
            let when = version.map_or(When::Nothing, When::Version);
            Request::Store {
                key,
                entry: Stored { flags: Flags::entry(Kind::Bytes, 0), data },
                ttl: Ttl(9),
                when,
            }
        }
        5 => Request::Delete { key, version },
        6 => Request::Count { key, step: Step::Up(1), version },
        _ => Request::Noop,
    }
}

/// What the server has heard, and what it says.
#[derive(Default)]
struct Server {
    heard: Vec<u8>,
    /// Requests that it has not answered: the words of their lines.
    asked: Vec<Vec<String>>,
    /// The keys whose requests it has answered.
    answered: HashSet<String>,
    said: String,
    last: String,
    /// How much is read at once.
    piece: usize,
    has_hung_up: bool,
}

impl Server {
    /// Takes the requests out of what was heard.
    fn listen(&mut self) {
        while let Some(end) = self.heard.windows(2).position(|pair| pair == b"\r\n") {
            let line = String::from_utf8(self.heard[..end].to_vec()).expect("a request is ASCII");
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            let data = if words[0] == "ms" { words[2].parse::<usize>().expect("a length") + 2 } else { 0 };
            if self.heard.len() < end + 2 + data {
                return;
            }
            self.heard.drain(..end + 2 + data);
            self.asked.push(words);
        }
    }

    /// Says something: mostly an answer.
    fn say(&mut self, input: &mut Input<'_>) {
        self.piece = 1 + input.below(64);
        let next = match input.below(16) {
            11 if !self.asked.is_empty() => usize::from(input.byte()) % self.asked.len(),
            12 => return self.said += &self.last.clone(),
            13 => {
                let words = String::from_utf8_lossy(input.chunk()).into_owned();
                return self.said += &words;
            }
            14 => {
                let error = input.one_of(&["SERVER_ERROR out of memory\r\n", "ERROR\r\n", "MN\r\n", "\r\n"]);
                return self.said += error;
            }
            15 if input.byte() == 0 => return self.has_hung_up = true,
            _ => 0,
        };
        if next < self.asked.len() {
            let words = self.asked.remove(next);
            self.last = answer(&words, input);
            self.said += &self.last.clone();
            self.answered.extend(words.into_iter().nth(1));
        }
    }

    /// Whether an outcome is one of what was asked.
    fn check(&self, requests: &Requests, outcome: &Outcome) {
        let Ok(replies) = outcome else { return };
        assert_eq!(replies.len(), requests.len());
        for (request, reply) in requests.iter().zip(replies) {
            let key = request.key().map(StorageKey::as_str);
            match reply {
                // What says no number is told apart by its place alone.
                Reply::Noop | Reply::OutOfMemory | Reply::TooLarge | Reply::NotANumber => continue,
                Reply::Found(Found { data: Some(data), .. }) => {
                    assert_eq!(Some(&data[..]), key.map(str::as_bytes), "somebody else's value");
                }
                _ => {}
            }
            assert!(key.is_some_and(|key| self.answered.contains(key)), "a reply that nobody gave");
        }
    }
}

/// An answer to a request: a value is the key that was asked for.
fn answer(words: &[String], input: &mut Input<'_>) -> String {
    let opaque = words.last().filter(|word| word.starts_with('O')).map_or("", String::as_str);
    let key = words.get(1).map_or("", String::as_str);
    let mut said = String::new();
    let written = match (words[0].as_str(), input.below(4)) {
        ("mn", _) => write!(said, "MN\r\n"),
        ("mg", 3) => write!(said, "EN {opaque}\r\n"),
        ("mg", _) if words.iter().any(|word| word == "v") => {
            write!(said, "VA {} f272 t-1 c7 {opaque}\r\n{key}\r\n", key.len())
        }
        ("mg", _) => write!(said, "HD f272 t-1 c7 {opaque}\r\n"),
        ("ma", 0..3) => write!(said, "VA 1 {opaque}\r\n7\r\n"),
        ("md" | "ma", _) => write!(said, "NF {opaque}\r\n"),
        (_, 3) => write!(said, "NS {opaque}\r\n"),
        _ => write!(said, "HD {opaque}\r\n"),
    };
    written.expect("a string takes everything");
    said
}

/// The connection's end of the server.
struct Peer(Rc<RefCell<Server>>);

impl AsyncRead for Peer {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut server = self.0.borrow_mut();
        if server.said.is_empty() {
            // Nobody is woken: the connection is asked again after each step.
            return if server.has_hung_up { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        let length = server.piece.min(space.remaining());
        let length = server.said.ceil_char_boundary(length.min(server.said.len()));
        if length > space.remaining() {
            return Poll::Pending;
        }
        space.put_slice(&server.said.as_bytes()[..length]);
        server.said.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut server = self.0.borrow_mut();
        server.heard.extend_from_slice(bytes);
        server.listen();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
