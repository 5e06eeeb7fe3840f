//! Names, keys, values and secrets: none of them in a log line, an error or a `Debug` text.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strongroom_host::{Cache, Config, Partition, Value};

use crate::harness::connect;
use crate::memcached::Memcached;

const SERVICE: &str = "hush-service";
const STACK: &str = "hush-stack";
const SESSION: &str = "hush-session";
const NAMESPACE: &str = "hush-namespace";
const KEY: &str = "hush-key";
const VALUE: &str = "hush-value";
const PREFIX: &str = "hush-prefix";
const PASSPHRASE: &str = "hush-passphrase";

/// What all of them have in common.
const SECRET: &str = "hush-";

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

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
    stack.and_then(|stack| stack.session(SESSION)).expect("valid")
}

fn config() -> Config {
    let config = Config::new().prefix(PREFIX).and_then(|config| config.encryption_key(PASSPHRASE));
    let config = config.and_then(|config| config.timeout(Duration::from_millis(200)));
    config.and_then(|config| config.key_secret(PASSPHRASE)).expect("valid")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_logged_or_said_at_any_level() {
    let captured = Captured::default();
    let writer = captured.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone());
    // For the whole process: the connection's task runs on threads of its own.
    subscriber.try_init().expect("no other test sets one");

    let mut server = Memcached::start();
    // With all that can be remembered of it, in a directory that goes away meanwhile.
    let folder = tempfile::tempdir().expect("a directory");
    let directory = folder.path().join("recent");
    let config = config().recent_keys(10).expect("allowed").recent_dir(&directory.to_string_lossy());
    let cache = connect(config.clone(), &server).await;
    let scoped = cache.open(&partition(), Some(NAMESPACE)).expect("opens");
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
    said.push(format!("{:?} {:?} {storage_key:?}", partition(), Value::from(VALUE)));
    said.push(format!("{:?}", scoped.increment("", 1, 1, None).await.expect_err("an empty key")));
    said.push(format!("{:?}", scoped.set(KEY, VALUE.into(), Some(0)).await.expect_err("no lifetime")));
    said.push(format!("{:?}", Partition::service(&SERVICE.repeat(100)).expect_err("too long")));
    said.push(format!("{:?}", Config::new().prefix("hush- x").expect_err("a space")));
    said.push(format!("{:?}", Config::new().encryption_key("base64:hush-").expect_err("not base64")));

    server.kill();
    said.push(format!("{:?}", scoped.get(KEY).await.expect_err("unavailable")));
    said.push(format!("{:?}", scoped.set(KEY, VALUE.into(), None).await.expect_err("unavailable")));
    tokio::time::sleep(strongroom_host::limits::RECENT_WRITE_INTERVAL * 3 / 2).await;
    said.push(format!("{:?}", cache.flush_recent().expect_err("there is no directory")));
    server.restart();
    server.signal("STOP");
    said.push(format!("{:?}", scoped.set(KEY, VALUE.into(), None).await.expect_err("no answer")));
    server.signal("CONT");

    let logged = captured.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let logged = String::from_utf8(logged).expect("UTF-8");
    assert!(logged.contains("memcached"), "the log is captured: {logged}");
    assert!(logged.contains("the recent keys can't be written"), "{logged}");
    said.push(logged);
    for text in said {
        assert!(!text.contains(SECRET), "{text}");
        assert!(!text.contains(storage_key.as_str()), "{text}");
    }
}
