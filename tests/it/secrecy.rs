//! Names, keys, values and secrets: none of them in a log line, an error or a `Debug` text.
//!
//! Everything secret here has a word in common, so that one search finds any of it.

mod guests;
mod operators;
mod printing;
mod settings;

use std::error::Error;
use std::fmt::Debug;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use strongroom_host::{Cache, Config, Partition, ScopedCache, Value};

use crate::harness::connect;
use crate::memcached::Memcached;

const SERVICE: &str = "hush-service";
const STACK: &str = "hush-stack";
const SESSION: &str = "hush-session";
const ISSUE: &str = "hush-issue";
const NAMESPACE: &str = "hush-namespace";
const KEY: &str = "hush-key";
const VALUE: &str = "hush-value";
const PREFIX: &str = "hush-prefix";
const PASSPHRASE: &str = "hush-passphrase";

/// What all of them have in common.
const SECRET: &str = "hush-";

/// What this process logs, at every level, from the first of these tests on.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

static LOG: OnceLock<Captured> = OnceLock::new();

/// For the whole process, as connections' tasks run on threads of their own. What other tests log goes there
/// as well, and may hold none of this either.
fn log() -> &'static Captured {
    LOG.get_or_init(|| {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_writer(move || writer.clone());
        subscriber.try_init().expect("no other test sets one");
        captured
    })
}

impl Captured {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(bytes).expect("UTF-8")
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn partition() -> Partition {
    let stack = Partition::service(SERVICE).and_then(|service| service.stack(STACK));
    let session = stack.and_then(|stack| stack.session(SESSION));
    session.and_then(|session| session.issued(ISSUE)).expect("valid")
}

fn config() -> Config {
    let config = Config::new().prefix(PREFIX).and_then(|config| config.encryption_key(PASSPHRASE));
    let config = config.and_then(|config| config.timeout(Duration::from_millis(200)));
    config.and_then(|config| config.key_secret(PASSPHRASE)).expect("valid")
}

fn open(cache: &Cache) -> ScopedCache {
    cache.open(&partition(), Some(NAMESPACE)).expect("opens")
}

/// An error and whatever caused it, in every way in which they can be printed.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        text += &format!("{error}\n{error:#}\n{error:?}\n{error:#?}\n");
        next = error.source();
    }
    text
}

/// The error of what must fail.
fn failed<T: Debug>(outcome: Result<T, strongroom_host::Error>) -> String {
    chain(&outcome.expect_err("it fails"))
}

/// Expects nothing secret in a text, and in what was logged until now.
fn is_silent(text: &str) {
    assert!(!text.contains(SECRET), "{text}");
    let logged = log().text();
    let line = logged.lines().find(|line| line.contains(SECRET));
    assert!(line.is_none(), "logged: {line:?}");
}

/// The part of a storage key that is not the prefix.
async fn item(scoped: &ScopedCache, key: &str) -> String {
    let storage_key = scoped.storage_key(key).await.expect("a key");
    storage_key.as_str().rsplit(':').next().expect("after the prefix").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_with_a_server_that_dies_and_hangs_logs_nothing_secret() {
    log();
    let mut server = Memcached::start();
    // With all that can be remembered of it, in a directory that goes away meanwhile.
    let folder = tempfile::tempdir().expect("a directory");
    let directory = folder.path().join("recent");
    let config = config().recent_keys(10).expect("allowed").recent_dir(&directory.to_string_lossy());
    let cache = connect(config.clone(), &server).await;
    let scoped = open(&cache);
    scoped.set(KEY, VALUE.into(), Some(60)).await.expect("set");
    let storage_key = scoped.storage_key(KEY).await.expect("a key");
    let (flags, sealed) = server.item(storage_key.as_str()).expect("stored");
    server.put(storage_key.as_str(), flags, &sealed[1..]);
    assert_eq!(scoped.get(KEY).await.expect("a miss"), None);
    let mut said = vec![format!("{config:?} {:?}", cache.stats())];
    assert_eq!(cache.recent(&partition())[0].key(), KEY);
    said.push(format!("{:?}", cache.recent(&partition())));
    cache.flush_recent().expect("written");
    said.push(format!("{:?}", Cache::recent_on_disk(&config, &partition()).expect("readable")));
    said.extend(std::fs::read_dir(&directory).expect("made").map(|file| {
        let file = file.expect("readable").path();
        format!("{file:?} {}", String::from_utf8_lossy(&std::fs::read(&file).expect("readable")))
    }));
    std::fs::remove_dir_all(&directory).expect("removed");

    server.kill();
    said.push(failed(scoped.get(KEY).await));
    said.push(failed(scoped.set(KEY, VALUE.into(), None).await));
    tokio::time::sleep(strongroom_host::limits::RECENT_WRITE_INTERVAL * 3 / 2).await;
    said.push(failed(cache.flush_recent()));
    server.restart();
    server.signal("STOP");
    said.push(failed(scoped.set(KEY, VALUE.into(), None).await));
    server.signal("CONT");

    let logged = log().text();
    assert!(logged.contains("memcached"), "the log is captured: {logged}");
    assert!(logged.contains("the recent keys can't be written"), "{logged}");
    said.push(logged);
    for text in said {
        is_silent(&text);
        assert!(!text.contains(storage_key.as_str()), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_error_of_an_operation_says_what_it_was_about() {
    log();
    let server = Memcached::start_with(&["-I", "1m"]);
    let config = config().max_ttl(std::num::NonZeroU32::MIN.saturating_add(99));
    let cache = connect(config, &server).await;
    let scoped = open(&cache);
    scoped.set(KEY, VALUE.into(), Some(60)).await.expect("set");
    let long = format!("{KEY}{}", "x".repeat(1024));
    let large = Value::Text(VALUE.repeat(1 << 18));
    let noise = Value::from([VALUE.as_bytes(), &crate::harness::noise(1_500_000)].concat());
    let keys: Vec<_> = (0..1001).map(|number| format!("{KEY} {number}")).collect();
    let mut said = vec![
        failed(scoped.get(&long).await),
        failed(scoped.get("").await),
        failed(scoped.set(KEY, VALUE.into(), Some(0)).await),
        failed(scoped.set(KEY, VALUE.into(), Some(101)).await),
        failed(scoped.set(KEY, large, None).await),
        failed(scoped.set(KEY, noise, None).await),
        failed(scoped.increment(KEY, 1, 1, None).await),
        failed(scoped.get_many(&keys).await),
        failed(scoped.delete_many(&keys).await),
        failed(scoped.set_many(keys.iter().map(|key| (key.clone(), VALUE.into())).collect(), None).await),
        failed(scoped.fetch(KEY, 65_536, Duration::ZERO).await),
        failed(cache.open(&partition(), Some("")).map(drop)),
        failed(cache.open(&partition(), Some(&NAMESPACE.repeat(100))).map(drop)),
        failed(Partition::service(&SERVICE.repeat(100))),
        failed(Partition::service(SERVICE).and_then(|service| service.stack(&STACK.repeat(100)))),
        failed(partition().session(&SESSION.repeat(100))),
        failed(partition().issued(&ISSUE.repeat(100))),
        failed(cache.set_servers(Vec::new())),
    ];
    let outcomes = scoped.set_many(vec![(long.clone(), VALUE.into())], None).await.expect("one by one");
    said.extend(outcomes.into_iter().map(failed));
    let item = item(&scoped, KEY).await;
    for text in said {
        assert!(!text.contains(&item) && !text.contains("x".repeat(10).as_str()), "{text}");
        is_silent(&text);
    }
}
