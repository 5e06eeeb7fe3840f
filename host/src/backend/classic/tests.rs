//! The traps of the client library and its protocol, each with a peer that sets it.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::item::{Item, UnixMillis};
use super::*;
use crate::backend::Server;
use crate::limits::CLASSIC_CONNECTIONS;
use crate::stored::{Flags, Kind, STORAGE_KEY_BYTES_MAX};

const TIMEOUT: Duration = Duration::from_millis(500);
const KEY: &str = "t:kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";
const OTHER_KEY: &str = "t:oooooooooooooooooooooooooooooooo";

/// What the peer does with a request.
#[derive(Clone)]
enum Act {
    Send(Vec<u8>),
    /// Sends it, and hangs up.
    Last(Vec<u8>),
    /// Sends it after a while.
    Late(Vec<u8>),
    /// Sends the one, and after a while the other, unasked.
    Then(Vec<u8>, Vec<u8>),
    Nothing,
}

fn send(text: &str) -> Act {
    Act::Send(text.as_bytes().to_vec())
}

/// What a peer has seen.
#[derive(Clone, Default)]
struct Log {
    connections: Arc<AtomicUsize>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Log {
    fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }
}

/// A peer that does for each request line on its n-th connection (from 0) what `act` says.
async fn peer(act: impl Fn(usize, &str) -> Act + Send + Sync + 'static) -> (Arc<Classic>, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let (log, act) = (Log::default(), Arc::new(act));
    let seen = log.clone();
    tokio::spawn(async move {
        for connection in 0.. {
            let (stream, _) = listener.accept().await.expect("a connection");
            seen.connections.fetch_add(1, Relaxed);
            let (seen, act) = (seen.clone(), Arc::clone(&act));
            tokio::spawn(async move {
                let _ = converse(stream, &seen, |line| act(connection, line)).await;
            });
        }
    });
    let options = MemcachedOptions {
        servers: Server::parse(&format!("127.0.0.1:{port}")).into_iter().collect(),
        connect_timeout: TIMEOUT,
        timeout: TIMEOUT,
        item_bytes_max: 1000,
        ..MemcachedOptions::default()
    };
    (Arc::new(Classic::new(options)), log)
}

async fn converse(stream: TcpStream, seen: &Log, act: impl Fn(&str) -> Act + Send) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        seen.lines.lock().expect("no panic").push(line.trim_end().to_owned());
        if line.starts_with("add ") || line.starts_with("cas ") {
            let length = line.split_whitespace().nth(4).and_then(|length| length.parse().ok());
            let mut value = vec![0; length.unwrap_or(0) + 2];
            stream.read_exact(&mut value).await?;
        }
        let act = match act(&line) {
            Act::Nothing if line == "version\r\n" => send("VERSION 1.4.0\r\n"),
            act => act,
        };
        match act {
            Act::Send(bytes) => stream.write_all(&bytes).await?,
            Act::Last(bytes) => return stream.write_all(&bytes).await,
            Act::Late(bytes) => {
                sleep(TIMEOUT / 5).await;
                stream.write_all(&bytes).await?;
            }
            Act::Then(bytes, unasked) => {
                stream.write_all(&bytes).await?;
                sleep(TIMEOUT / 10).await;
                stream.write_all(&unasked).await?;
            }
            Act::Nothing => {}
        }
    }
}

fn key() -> StorageKey {
    StorageKey::parse(KEY).expect("of the right form")
}

fn other_key() -> StorageKey {
    StorageKey::parse(OTHER_KEY).expect("of the right form")
}

fn entry(text: &'static str) -> Stored {
    Stored { flags: Flags::entry(Kind::Text, 0), data: text.into() }
}

/// An item under a key, as `gets` answers it.
fn value_of(key: &str, stored: Stored) -> Vec<u8> {
    value_with_flags(key, 0, stored)
}

/// The same with client flags, which no item of ours has.
fn value_with_flags(key: &str, flags: u32, stored: Stored) -> Vec<u8> {
    let item = Item::new(stored, 7, Lifetime::UntilEvicted, UnixMillis(0)).encode();
    let mut reply = format!("VALUE {key} {flags} {} 42\r\n", item.len()).into_bytes();
    reply.extend_from_slice(&item);
    reply.extend_from_slice(b"\r\nEND\r\n");
    reply
}

fn hit(line: &str) -> Act {
    match line.strip_prefix("gets ").map(str::trim_end) {
        Some(key) if key == KEY => Act::Send(value_of(KEY, entry("mine"))),
        Some(key) => Act::Send(value_of(key, entry("theirs"))),
        None => Act::Nothing,
    }
}

async fn get(classic: &Classic) -> Result<Option<Stored>, Error> {
    classic.get(&key()).await.map(|found| found.map(|found| found.entry))
}

async fn store(classic: &Classic, condition: Condition) -> Result<StoreOutcome, Error> {
    classic.store(&key(), entry("new"), Lifetime::UntilEvicted, condition).await
}

/// A reply to the first `gets` that is refused: the read fails, and the next one is answered on another
/// connection.
async fn is_refused(first: Act, reason: &str) {
    let (classic, log) = peer(move |connection, line| match line.starts_with("gets") {
        true if connection == 0 => first.clone(),
        _ => hit(line),
    })
    .await;
    let refused = get(&classic).await.expect_err(reason);
    assert!(matches!(&refused, Error::Unavailable { .. }), "{refused:?}");
    assert!(refused.to_string().contains(reason), "{refused} is not: {reason}");
    assert_eq!(get(&classic).await.expect(reason), Some(entry("mine")));
    assert_eq!(log.connections(), 2, "{reason}");
}

#[test]
fn trap_1_a_key_with_commands_in_it_can_not_be_made() {
    for key in ["x 0 0 1 noreply\r\na\r\ndelete A.secret noreply\r\nset y", "t:k\r\nflush_all\r\n", "B own"] {
        assert!(StorageKey::parse(key).is_none());
    }
}

#[test]
fn trap_2_no_key_is_too_long_for_the_server() {
    const { assert!(STORAGE_KEY_BYTES_MAX <= 250) };
}

#[tokio::test]
async fn trap_3_no_request_goes_without_a_reply() {
    let (classic, log) = peer(|_, line| match line.split(' ').next() {
        Some("gets") => Act::Send(value_of(KEY, entry("old"))),
        Some("cas") => send("STORED\r\n"),
        _ => Act::Nothing,
    })
    .await;
    assert_eq!(store(&classic, Condition::Always).await.expect("stored"), StoreOutcome::Stored);
    assert_eq!(classic.delete_many(&[key()]).await.expect("deleted"), [true]);
    assert!(classic.touch(&key(), Lifetime::UntilEvicted).await.expect("touched"));
    let lines = log.lines();
    let verbs: Vec<_> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(verbs, ["version", "gets", "cas", "gets", "cas", "gets", "cas"]);
    assert!(lines.iter().all(|line| !line.contains("noreply")), "{lines:?}");
    assert!(lines[2].ends_with(" 24 42"), "header and value, over what was seen: {lines:?}");
}

#[tokio::test]
async fn trap_4_a_cancelled_call_leaves_its_reply_to_nobody() {
    let (classic, log) = peer(|_, line| match hit(line) {
        Act::Send(reply) => Act::Late(reply),
        act => act,
    })
    .await;
    for _ in 0..3 {
        assert!(timeout(TIMEOUT / 20, classic.get(&other_key())).await.is_err(), "given up");
        assert_eq!(get(&classic).await.expect("reachable"), Some(entry("mine")));
    }
    assert!(log.connections() >= 4, "each was given up with its connection: {}", log.connections());
}

#[tokio::test]
async fn trap_5_what_is_too_large_for_the_server_is_said_to_be() {
    let (classic, _) = peer(|_, line| match line.split(' ').next() {
        Some("gets") => send("END\r\n"),
        Some("add") => send("SERVER_ERROR object too large for cache\r\n"),
        _ => Act::Nothing,
    })
    .await;
    let refused = store(&classic, Condition::Always).await;
    assert!(matches!(refused, Err(Error::TooLarge { limit: 2 })), "{refused:?}");
    let large = Stored { flags: Flags::entry(Kind::Bytes, 0), data: vec![0; 1001].into() };
    let refused = classic.store(&key(), large, Lifetime::UntilEvicted, Condition::Always).await;
    assert!(matches!(refused, Err(Error::TooLarge { limit: 1000 })), "before it is sent: {refused:?}");
}

#[tokio::test]
async fn trap_6_an_announced_length_is_not_believed() {
    is_refused(send(&format!("VALUE {KEY} 0 3000000000 1\r\n")), "announces 3000000000 bytes").await;
    is_refused(send(&format!("VALUE {KEY} 0 99999999999999999999999 1\r\n")), "protocol").await;
    is_refused(Act::Send(vec![b'x'; 1 << 20]), "line is longer").await;
    let over = format!("VALUE {KEY} 0 3 1\r\nxxxx\r\nEND\r\n");
    is_refused(send(&over), "protocol").await;
}

#[tokio::test]
async fn trap_7_a_reply_about_another_key_is_no_answer() {
    is_refused(Act::Send(value_of(OTHER_KEY, entry("theirs"))), "another key").await;
    let (classic, _) = peer(|_, line| match line.starts_with("get ") {
        true => send(&format!("VALUE {OTHER_KEY} 0 3\r\nabc\r\nEND\r\n")),
        false => Act::Nothing,
    })
    .await;
    let refused = classic.get_many(&[key()], 1000).await.expect_err("refused");
    assert!(refused.to_string().contains("another key"), "{refused}");
}

#[tokio::test]
async fn trap_8_a_lifetime_of_more_than_thirty_days_is_sent_as_a_date() {
    let (classic, log) = peer(|_, line| match line.split(' ').next() {
        Some("gets") => send("END\r\n"),
        Some("add") => send("STORED\r\n"),
        _ => Act::Nothing,
    })
    .await;
    for days in [29, 31] {
        let lifetime = Lifetime::seconds(days * 24 * 60 * 60).expect("not zero");
        classic.store(&key(), entry("x"), lifetime, Condition::Always).await.expect("stored");
    }
    let sent = log.lines();
    let sent = sent.iter().filter(|line| line.starts_with("add"));
    let exptimes: Vec<u64> = sent
        .filter_map(|line| line.split(' ').nth(3))
        .map(|exptime| exptime.parse().expect("a number"))
        .collect();
    assert_eq!(exptimes[0], 29 * 24 * 60 * 60 + 1);
    assert!(exptimes[1] > 1_600_000_000, "{exptimes:?}");
}

#[tokio::test]
async fn trap_9_more_than_was_asked_for_ends_the_connection() {
    let mut twice = value_of(KEY, entry("mine"));
    twice.extend_from_slice(b"ERROR\r\n");
    is_refused(Act::Send(twice), "not asked for").await;
}

#[tokio::test]
async fn what_comes_between_two_requests_ends_the_connection() {
    for unasked in [b"ERROR\r\n".to_vec(), value_of(KEY, entry("somebody's"))] {
        let (classic, log) = peer(move |connection, line| match (connection, hit(line)) {
            (0, Act::Send(reply)) => Act::Then(reply, unasked.clone()),
            (_, act) => act,
        })
        .await;
        assert_eq!(get(&classic).await.expect("reachable"), Some(entry("mine")));
        sleep(TIMEOUT / 2).await;
        assert_eq!(get(&classic).await.expect("reachable"), Some(entry("mine")));
        assert_eq!(get(&classic).await.expect("reachable"), Some(entry("mine")));
        assert_eq!(log.connections(), 2, "the second one was quiet, and was used again");
    }
}

#[tokio::test]
async fn no_reply_in_the_wrong_place_is_a_success() {
    for reply in [
        "OK\r\n",
        "HD\r\n",
        "EXISTS\r\n",
        "NOT_FOUND\r\n",
        "DELETED\r\n",
        "END\r\n",
        "STORED \r\n",
        "STORED\n",
    ] {
        let (classic, log) = peer(move |connection, line| match line.split(' ').next() {
            Some("gets") => send("END\r\n"),
            Some("add") if connection == 0 => send(reply),
            Some("add") => send("STORED\r\n"),
            _ => Act::Nothing,
        })
        .await;
        let refused = store(&classic, Condition::Always).await;
        assert!(matches!(refused, Err(Error::OutcomeUnknown { .. })), "{reply:?}: {refused:?}");
        assert_eq!(store(&classic, Condition::Always).await.expect("stored"), StoreOutcome::Stored);
        assert_eq!(log.connections(), 2, "{reply:?}");
    }
}

#[tokio::test]
async fn an_item_that_went_meanwhile_is_no_error() {
    let tries = AtomicUsize::new(0);
    let (classic, log) = peer(move |_, line| match line.split(' ').next() {
        Some("gets") if tries.fetch_add(1, Relaxed) == 0 => Act::Send(value_of(KEY, entry("old"))),
        Some("gets") => send("END\r\n"),
        Some("cas") => send("NOT_FOUND\r\n"),
        Some("add") => send("STORED\r\n"),
        _ => Act::Nothing,
    })
    .await;
    assert_eq!(store(&classic, Condition::Always).await.expect("stored"), StoreOutcome::Stored);
    assert_eq!(log.connections(), 1, "the reply was whole");
}

#[tokio::test]
async fn a_write_without_a_reply_has_an_unknown_outcome() {
    for silence in
        [Act::Nothing, Act::Last(Vec::new()), Act::Last(b"STOR".to_vec()), send("SERVER_ERROR x\r\n")]
    {
        let act = silence.clone();
        let (classic, _) = peer(move |_, line| match line.split(' ').next() {
            Some("gets") => send("END\r\n"),
            Some("add") => act.clone(),
            _ => Act::Nothing,
        })
        .await;
        let begun = Instant::now();
        let unknown = store(&classic, Condition::Always).await;
        assert!(matches!(unknown, Err(Error::OutcomeUnknown { .. })), "{unknown:?}");
        // A fill that may have been won ends by itself.
        let fill = classic.begin_fill(&key(), Duration::from_secs(5)).await;
        assert!(matches!(fill, Err(Error::Unavailable { .. })), "{fill:?}");
        assert!(begun.elapsed() < TIMEOUT * 8);
    }
}

#[tokio::test]
async fn a_mark_that_others_keep_changing_takes_no_longer_than_one_operation() {
    let (classic, log) = peer(|_, line| match line.split(' ').next() {
        Some("gets") => Act::Late(b"END\r\n".to_vec()),
        Some("add") => Act::Late(b"NOT_STORED\r\n".to_vec()),
        _ => Act::Nothing,
    })
    .await;
    let unknown = classic.advance_mark(&key(), 7).await;
    assert!(matches!(unknown, Err(Error::OutcomeUnknown { .. })), "{unknown:?}");
    // Each is answered after a fifth of the time.
    let requests = log.lines().iter().filter(|line| !line.starts_with("version")).count();
    assert!((1..=6).contains(&requests), "{requests}");
}

#[tokio::test]
async fn a_batch_that_is_half_done_has_an_unknown_outcome() {
    let (classic, _) = peer(|_, line| match line.split(' ').next() {
        Some("gets") if line.contains(OTHER_KEY) => send("ERROR\r\n"),
        Some("gets") => Act::Send(value_of(KEY, entry("old"))),
        Some("cas") => send("STORED\r\n"),
        _ => Act::Nothing,
    })
    .await;
    let nothing = classic.delete_many(&[other_key()]).await;
    assert!(matches!(nothing, Err(Error::Unavailable { .. })), "{nothing:?}");
    for keys in [[key(), other_key()], [other_key(), key()]] {
        let half = classic.delete_many(&keys).await;
        assert!(matches!(half, Err(Error::OutcomeUnknown { .. })), "{half:?}");
    }
}

#[tokio::test]
async fn a_read_without_a_reply_is_unavailable() {
    for silence in
        [Act::Nothing, Act::Last(b"VALUE".to_vec()), send("SERVER_ERROR no\r\n"), send("ERROR\r\n")]
    {
        let (classic, _) = peer(move |_, line| match line.starts_with("get") {
            true => silence.clone(),
            false => Act::Nothing,
        })
        .await;
        let begun = Instant::now();
        assert!(matches!(get(&classic).await, Err(Error::Unavailable { .. })));
        assert!(matches!(classic.get_many(&[key()], 9).await, Err(Error::Unavailable { .. })));
        assert!(matches!(store(&classic, Condition::Always).await, Err(Error::Unavailable { .. })));
        assert!(begun.elapsed() < TIMEOUT * 8);
    }
}

#[tokio::test]
async fn a_connection_that_ended_while_nobody_used_it_is_replaced() {
    let (classic, log) = peer(|connection, line| match hit(line) {
        Act::Send(reply) if connection < 2 => Act::Last(reply),
        act => act,
    })
    .await;
    for _ in 0..3 {
        assert_eq!(get(&classic).await.expect("another connection"), Some(entry("mine")));
    }
    assert_eq!(log.connections(), 3);
}

#[tokio::test]
async fn what_another_program_stored_is_a_miss_and_can_be_replaced() {
    let meta = format!("VALUE {KEY} 272 40 5\r\n{}\r\nEND\r\n", "x".repeat(40));
    let forged = value_with_flags(KEY, 272, entry("mine"));
    let oversized = format!("VALUE {KEY} 0 5000 5\r\n");
    for foreign in [meta.into_bytes(), forged, oversized.into_bytes()] {
        let (classic, log) = peer(move |_, line| match line.split(' ').next() {
            Some("gets") => Act::Send(foreign.clone()),
            Some("cas") => send("STORED\r\n"),
            _ => Act::Nothing,
        })
        .await;
        assert_eq!(get(&classic).await.expect("reachable"), None);
        assert_eq!(store(&classic, Condition::Present).await.expect("reachable"), StoreOutcome::Missing);
        assert_eq!(store(&classic, Condition::Absent).await.expect("reachable"), StoreOutcome::Stored);
        assert!(log.lines().last().is_some_and(|line| line.starts_with("cas")));
    }
}

#[tokio::test]
async fn a_server_that_is_not_fit_for_it_says_why() {
    is_refused(send(&format!("VALUE {KEY} 0 3 0\r\nabc\r\nEND\r\n")), "`-C`").await;
    for (greeting, reason) in [
        ("ERROR Too many open connections\r\n", "too many open connections"),
        ("CLIENT_ERROR unauthenticated\r\n", "authentication"),
        ("ERROR\r\n", "does not know a request"),
    ] {
        let (classic, _) = peer(move |_, _| Act::Last(greeting.as_bytes().to_vec())).await;
        let refused = get(&classic).await.expect_err(reason);
        assert!(refused.to_string().contains(reason), "{refused}");
    }
}

#[tokio::test]
async fn connections_are_bounded_and_waiting_for_one_is_too() {
    let (classic, log) = peer(|_, _| Act::Nothing).await;
    let callers = (0..CLASSIC_CONNECTIONS + 8).map(|_| get(&classic));
    let begun = Instant::now();
    // Before the first has given up, and left its place to another.
    let connections = async {
        tokio::time::sleep(TIMEOUT / 2).await;
        log.connections()
    };
    let (answers, connections) = futures_util::future::join(join_all(callers), connections).await;
    for answer in answers {
        assert!(matches!(answer, Err(Error::Unavailable { .. })), "{answer:?}");
    }
    assert!(begun.elapsed() < TIMEOUT * 4);
    assert!(connections <= CLASSIC_CONNECTIONS, "{connections}");
}

#[tokio::test]
async fn what_is_known_of_the_meta_commands_is_found_out() {
    for (reply, knows_meta) in [
        (send("MN\r\n"), Some(true)),
        (send("ERROR\r\n"), Some(false)),
        (send("CLIENT_ERROR bad command line format\r\n"), Some(false)),
        (Act::Last(Vec::new()), Some(false)),
        (send("END\r\n"), None),
        (Act::Nothing, None),
    ] {
        let (classic, _) = peer(move |_, line| match line.trim_end() {
            "mn" => reply.clone(),
            _ => Act::Nothing,
        })
        .await;
        let probed = probe(classic.pool.options()).await;
        assert_eq!(probed.ok(), knows_meta.map(|knows_meta| ("1.4.0".to_owned(), knows_meta)));
    }
}
