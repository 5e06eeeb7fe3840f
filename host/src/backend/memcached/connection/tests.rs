//! The connection against a peer that lies.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::*;
use crate::backend::{Condition, Error, Memcached, Server, ServerState, StoreOutcome};
use crate::stored::{Flags, Kind, StorageKey, Stored};
use crate::ttl::Lifetime;

const TIMEOUT: Duration = Duration::from_millis(300);

const GREETING: &str = "VERSION 1.6.18\r\nSTAT item_size_max 1048576\r\nEND\r\n";

/// What the peer does with a request.
enum Act {
    Send(String),
    /// Byte by byte.
    Drip(String),
    /// Sends it, and hangs up.
    Last(String),
    Nothing,
}

/// A peer that says `greeting`, and then does for each request line on its n-th connection (from 0) what
/// `act` says; `{O}` stands for the opaque. Counts the lines that it is sent.
async fn peer(
    greeting: &'static str,
    act: impl Fn(usize, &str) -> Act + Send + Sync + 'static,
) -> (Memcached, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let lines = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&lines);
    tokio::spawn(async move {
        let act = Arc::new(act);
        for connection in 0.. {
            let (stream, _) = listener.accept().await.expect("a connection");
            let (seen, act) = (Arc::clone(&seen), Arc::clone(&act));
            tokio::spawn(async move {
                let _ = converse(stream, greeting, &seen, |line| act(connection, line)).await;
            });
        }
    });
    let options = MemcachedOptions {
        servers: Server::parse(&format!("127.0.0.1:{port}")).into_iter().collect(),
        connect_timeout: TIMEOUT,
        timeout: TIMEOUT,
        item_bytes_max: 1 << 20,
        ..MemcachedOptions::default()
    };
    (Memcached::new(options), lines)
}

async fn converse(
    stream: TcpStream,
    greeting: &str,
    seen: &AtomicUsize,
    act: impl Fn(&str) -> Act + Sync,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    for _ in 0..2 {
        stream.read_line(&mut line).await?;
    }
    stream.write_all(greeting.as_bytes()).await?;
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        seen.fetch_add(1, Relaxed);
        let opaque = line.trim_end().rsplit_once(" O").map_or("", |(_, opaque)| opaque).to_owned();
        if line.starts_with("ms") {
            let mut value = String::new();
            stream.read_line(&mut value).await?;
        }
        match act(&line) {
            Act::Send(text) => stream.write_all(text.replace("{O}", &opaque).as_bytes()).await?,
            Act::Drip(text) => {
                for byte in text.replace("{O}", &opaque).bytes() {
                    stream.write_all(&[byte]).await?;
                    sleep(Duration::from_millis(1)).await;
                }
            }
            Act::Last(text) => {
                return stream.write_all(text.replace("{O}", &opaque).as_bytes()).await;
            }
            Act::Nothing => {}
        }
    }
}

fn key() -> StorageKey {
    StorageKey::new("t", &[b'k'; 32])
}

fn entry() -> Stored {
    Stored { flags: Flags::entry(Kind::Bytes, 0), data: "value".into() }
}

fn hit() -> Act {
    Act::Send(HIT.to_owned())
}

const HIT: &str = "VA 5 f272 t-1 c1 O{O}\r\nvalue\r\n";

async fn store(memcached: &Memcached) -> Result<StoreOutcome, Error> {
    memcached.store(&key(), entry(), Lifetime::UntilEvicted, Condition::Always).await
}

async fn get(memcached: &Memcached) -> Result<Option<Stored>, Error> {
    memcached.get(&key()).await.map(|found| found.map(|found| found.entry))
}

/// Reads fail and change nothing, writes have an unknown outcome, and the next connection is good.
async fn ends_the_connection(first: impl Fn() -> Act + Send + Sync + Clone + 'static) {
    let reply = first.clone();
    let act = move |connection, _: &str| if connection == 0 { reply() } else { hit() };
    let (memcached, _) = peer(GREETING, act).await;
    let error = get(&memcached).await.expect_err("the reply is no reply");
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    sleep(Duration::from_millis(70)).await;
    assert_eq!(get(&memcached).await.expect("a new connection"), Some(entry()));

    let act = move |connection, _: &str| match connection {
        0 => first(),
        _ => Act::Send("HD O{O}\r\n".to_owned()),
    };
    let (memcached, _) = peer(GREETING, act).await;
    let error = store(&memcached).await.expect_err("the reply is no reply");
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
    sleep(Duration::from_millis(70)).await;
    assert_eq!(store(&memcached).await.expect("a new connection"), StoreOutcome::Stored);
}

#[tokio::test]
async fn whatever_is_not_the_reply_ends_the_connection() {
    for reply in [
        "VA 5 f272 t-1 c1 O1\r\nvalue\r\n",
        "HD O1\r\n",
        "VA 5 f272 t-1 c1 O{O}\r\nvalues\r\n",
        "VA 3000000000 f272 t-1 c1 O{O}\r\n",
        "NF O{O}\r\n",
        "\0\u{1}\u{2}\u{3}garbage\n",
        "CLIENT_ERROR bad command line format\r\n",
        "SERVER_ERROR something else\r\n",
        "ERROR\r\n",
    ] {
        ends_the_connection(move || Act::Send(reply.to_owned())).await;
    }
    ends_the_connection(|| Act::Send("x".repeat(5000))).await;
}

#[tokio::test]
async fn a_truncated_reply_ends_the_connection() {
    ends_the_connection(|| Act::Last("VA 5 f272 t-1 c1 O{O}\r\nval".to_owned())).await;
    ends_the_connection(|| Act::Last(String::new())).await;
}

#[tokio::test]
async fn no_reply_ends_the_call_in_time_and_then_the_connection() {
    let start = Instant::now();
    ends_the_connection(|| Act::Nothing).await;
    assert!(start.elapsed() < 3 * TIMEOUT);
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_end_the_connection() {
    let act = |connection, _: &str| match connection {
        0 => Act::Send(format!("{HIT}EN O0\r\n")),
        _ => Act::Send("EN O{O}\r\n".to_owned()),
    };
    let (memcached, _) = peer(GREETING, act).await;
    assert_eq!(get(&memcached).await.expect("the first reply is good"), Some(entry()));
    sleep(Duration::from_millis(20)).await;
    assert_eq!(get(&memcached).await.expect("a new connection"), None);
}

#[tokio::test]
async fn a_reply_that_comes_byte_by_byte_is_a_reply() {
    let (memcached, _) = peer(GREETING, |_, _| Act::Drip(HIT.to_owned())).await;
    assert_eq!(get(&memcached).await.expect("all of it came"), Some(entry()));
}

#[tokio::test]
async fn a_server_that_does_not_want_us_is_unavailable_with_its_reason() {
    for (greeting, reason) in [
        ("ERROR Too many open connections\r\n", "too many open connections"),
        ("VERSION 1.6.18\r\nSTAT cas_enabled no\r\nSTAT item_size_max 1048576\r\nEND\r\n", "no versions"),
        ("VERSION 1.4.39\r\nSTAT item_size_max 1048576\r\nEND\r\n", "1.4.39 is too old"),
        ("CLIENT_ERROR unauthenticated\r\n", "authentication"),
        ("VERSION 1.6.18\r\nSTAT item_size_max 1048576\r\nEND\r\nEN O0\r\n", "more than it was asked"),
    ] {
        let (memcached, lines) = peer(greeting, |_, _| hit()).await;
        for _ in 0..2 {
            let error = store(&memcached).await.expect_err("refused").to_string();
            assert!(error.contains("unavailable") && error.contains(reason), "{error}");
        }
        assert_eq!(lines.load(Relaxed), 0, "nothing is sent before the greeting");
    }
}

#[tokio::test]
async fn a_silent_server_costs_three_timeouts_and_then_nothing() {
    let (memcached, _) = peer("", |_, _| hit()).await;
    let start = Instant::now();
    for _ in 0..3 {
        assert_ne!(memcached.health()[0].state, ServerState::Down);
        assert!(matches!(store(&memcached).await, Err(Error::Unavailable { .. })));
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(memcached.health()[0].state, ServerState::Down);
    assert!(matches!(store(&memcached).await, Err(Error::Unavailable { .. })));
    assert!(start.elapsed() < 4 * TIMEOUT, "the fourth call fails at once");
}

#[tokio::test]
async fn a_call_given_up_before_it_is_written_is_never_written() {
    let (memcached, lines) = peer(GREETING, |_, _| Act::Send("HD O{O}\r\n".to_owned())).await;
    tokio::select! {
        biased;
        _ = store(&memcached) => panic!("there is no connection yet"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(store(&memcached).await.expect("the peer is there"), StoreOutcome::Stored);
    assert_eq!(lines.load(Relaxed), 1);
}

#[tokio::test]
async fn a_call_given_up_after_it_was_written_leaves_nothing_for_others() {
    let act = |_, line: &str| match line.contains("mmmm") {
        true => Act::Drip("VA 5 f272 t-1 c1 O{O}\r\nwrong\r\n".to_owned()),
        false => hit(),
    };
    let (memcached, lines) = peer(GREETING, act).await;
    let slow = StorageKey::new("t", &[b'm'; 32]);
    let written = async {
        while lines.load(Relaxed) == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = memcached.get(&slow) => panic!("the reply takes longer"),
        () = written => {}
    }
    assert_eq!(get(&memcached).await.expect("the same connection"), Some(entry()));
    assert_eq!(lines.load(Relaxed), 2);
}

#[tokio::test]
async fn the_first_call_after_the_end_of_a_quiet_connection_works() {
    let (memcached, _) = peer(GREETING, |_, _| Act::Last(HIT.to_owned())).await;
    for _ in 0..3 {
        assert_eq!(get(&memcached).await.expect("reconnected"), Some(entry()));
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_the_server_refuses_costs_no_connection() {
    let act = |connection, line: &str| match (connection, line.starts_with("ms")) {
        (0, true) => Act::Send("SERVER_ERROR out of memory storing object\r\n".to_owned()),
        (0, false) => hit(),
        _ => Act::Nothing,
    };
    let (memcached, lines) = peer(GREETING, act).await;
    let stored = store(&memcached).await;
    assert!(matches!(stored, Err(Error::OutcomeUnknown { .. })), "memcached drops what was there");
    assert_eq!(get(&memcached).await.expect("the same connection"), Some(entry()));

    let data = vec![0; (1 << 20) - 100].into();
    let large = Stored { data, ..entry() };
    let outcome = memcached.store(&key(), large, Lifetime::UntilEvicted, Condition::Always).await;
    assert!(matches!(outcome, Err(Error::TooLarge { limit: 1_048_384 })), "by the server's own limit");
    assert_eq!(lines.load(Relaxed), 2, "it was never sent");
}
