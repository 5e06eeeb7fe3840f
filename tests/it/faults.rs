//! Every fault of the proxy, one at a time: right answers or typed errors in time, and recovery.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use strongroom_host::backend::{Backend, Condition, Memcached as Engine, MemcachedOptions, Server};
use strongroom_host::{Flags, Kind, Lifetime, StorageKey, Stored};

use crate::fault_proxy::{Fault, FaultProxy};
use crate::memcached::Memcached;

const TIMEOUT: Duration = Duration::from_millis(200);

/// Far more than the time-out, so that only a call that hangs fails a test, and a slow machine does not.
const PATIENCE: Duration = Duration::from_secs(20);

const KEYS: u32 = 16;

/// Often enough that calls of every kind are hit.
const ROUNDS: usize = 6;

fn key(number: u32) -> StorageKey {
    StorageKey::parse(&format!("faults:{number:032}")).expect("of the right form")
}

/// A key's own value. Some are small and some large; all have what looks like replies in them.
fn value(number: u32) -> Bytes {
    let text = format!("value {number}\r\nVA 2 f273 t-1 c1 O1\r\nHD O1\r\nEN\r\n");
    text.repeat(if number % 4 == 3 { 1000 } else { 1 }).into()
}

fn entry(number: u32) -> Stored {
    Stored { flags: Flags::entry(Kind::Bytes, 0), data: value(number) }
}

/// Reads and writes all keys at once. Each answer is right, or an error; answers how many were errors.
async fn exercise(engine: &Arc<Engine>) -> usize {
    let calls = (0..KEYS).flat_map(|number| {
        let (reader, writer) = (Arc::clone(engine), Arc::clone(engine));
        let read = tokio::spawn(async move {
            let found = reader.get(&key(number)).await?;
            assert!(found.is_none_or(|found| found.entry == entry(number)), "the value of another key");
            Ok(())
        });
        let write = tokio::spawn(async move {
            let key = key(number);
            writer.store(&key, entry(number), Lifetime::UntilEvicted, Condition::Always).await.map(drop)
        });
        [read, write]
    });
    let mut failed = 0;
    for call in calls.collect::<Vec<_>>() {
        let outcome: Result<(), strongroom_host::backend::Error> = call.await.expect("no panic");
        failed += usize::from(outcome.is_err());
    }
    let keys: Vec<_> = (0..KEYS).map(key).collect();
    match engine.get_many(&keys, usize::MAX).await {
        Ok(found) => {
            assert_eq!(found.len(), keys.len());
            for (number, found) in (0..).zip(found) {
                assert!(found.is_none_or(|found| found.entry == entry(number)), "the value of another key");
            }
        }
        Err(_) => failed += 1,
    }
    failed
}

/// Whether a fault by itself has to make calls fail.
fn is_harmless(fault: Fault) -> bool {
    matches!(fault, Fault::Delay | Fault::Stall | Fault::Drip)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_ends_in_right_answers_or_errors_and_is_recovered_from() {
    let server = Memcached::start();
    let proxy = FaultProxy::start(server.port(), 3);
    let engine = Arc::new(Engine::new(MemcachedOptions {
        servers: Server::parse(&format!("127.0.0.1:{}", proxy.port())).into_iter().collect(),
        connect_timeout: TIMEOUT,
        timeout: TIMEOUT,
        ..MemcachedOptions::default()
    }));
    for fault in Fault::ALL {
        assert_eq!(recover(&engine).await, 0, "before {fault:?}");
        let begun = Instant::now();
        proxy.inject(fault, if fault == Fault::Drip { 1 } else { 5 });
        let mut failed = 0;
        for _ in 0..ROUNDS {
            failed += exercise(&engine).await;
        }
        proxy.pass();
        assert!(proxy.injected().contains_key(&fault), "{fault:?} has hit nothing");
        assert!(failed > 0 || is_harmless(fault), "{fault:?} was not noticed");
        assert!(begun.elapsed() < PATIENCE, "{fault:?} was not given up in time");
    }
    assert_eq!(recover(&engine).await, 0);

    drop(engine);
    let begun = Instant::now();
    while proxy.open() > 0 {
        assert!(begun.elapsed() < PATIENCE, "a connection stays open after its engine");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until all is well, and answers how many calls fail from there on.
async fn recover(engine: &Arc<Engine>) -> usize {
    let begun = Instant::now();
    while exercise(engine).await > 0 {
        assert!(begun.elapsed() < PATIENCE, "no recovery");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    exercise(engine).await
}
