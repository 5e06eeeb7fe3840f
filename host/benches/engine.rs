//! The memcached engine against memcache-async with a connection for each caller, A B A B, on a server of its
//! own.
//!
//! Throughput and latency of 100-byte gets, by callers and kind of runtime. Not a criterion benchmark: it is
//! the callers' concurrency that is measured.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_host::backend::{Backend, Condition, Memcached, MemcachedOptions};
use strongroom_host::{Flags, Kind, Lifetime, StorageKey, Stored};
use tokio::runtime::{Builder, Runtime};

const KEYS: usize = 1000;
const VALUE_BYTES: usize = 100;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);

/// What one round measured.
struct Measured {
    operations_per_second: f64,
    p50: Duration,
    p99: Duration,
}

struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let process = Command::new("memcached")
            .args(["-u", "root", "-U", "0", "-l", "127.0.0.1", "-p", &port.to_string()])
            .stderr(Stdio::null())
            .spawn()
            .expect("memcached is installed");
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { process, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn key(number: usize) -> StorageKey {
    StorageKey::parse(&format!("bench:{:032}", number % KEYS)).expect("of the right form")
}

fn engine(port: u16) -> Memcached {
    let servers = strongroom_host::backend::Server::parse(&format!("127.0.0.1:{port}")).into_iter().collect();
    Memcached::new(MemcachedOptions { servers, ..MemcachedOptions::default() })
}

async fn fill(port: u16) {
    let engine = engine(port);
    let entry = Stored { flags: Flags::entry(Kind::Bytes, 0), data: vec![7; VALUE_BYTES].into() };
    for number in 0..KEYS {
        let key = key(number);
        let stored = engine.store(&key, entry.clone(), Lifetime::UntilEvicted, Condition::Always).await;
        stored.expect("stored");
    }
}

/// One caller's turns: a key each, until the time is over, and how long each took.
struct Caller {
    number: usize,
    end: Instant,
    begun: Instant,
    latencies: Vec<Duration>,
}

impl Caller {
    fn new(number: usize) -> Self {
        let now = Instant::now();
        Self { number: number * 17, end: now + ROUND, begun: now, latencies: Vec::new() }
    }

    /// The key of the next turn, or `None` when the time is over.
    fn next(&mut self) -> Option<StorageKey> {
        self.number += 1;
        self.begun = Instant::now();
        (self.begun < self.end).then(|| key(self.number))
    }

    fn got(&mut self, bytes: usize) {
        assert_eq!(bytes, VALUE_BYTES);
        self.latencies.push(self.begun.elapsed());
    }
}

async fn ours(port: u16, callers: usize) -> Measured {
    let engine = Arc::new(engine(port));
    let tasks = (0..callers).map(|number| {
        let engine = engine.clone();
        tokio::spawn(async move {
            let mut caller = Caller::new(number);
            while let Some(key) = caller.next() {
                let found = engine.get(&key).await.expect("reachable").expect("a hit");
                caller.got(found.entry.data.len());
            }
            caller.latencies
        })
    });
    measure(tasks.collect()).await
}

async fn theirs(port: u16, callers: usize) -> Measured {
    let tasks = (0..callers).map(|number| {
        tokio::spawn(async move {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("reachable");
            stream.set_nodelay(true).expect("allowed");
            let mut client = memcache_async::ascii::Protocol::new(stream);
            let mut caller = Caller::new(number);
            while let Some(key) = caller.next() {
                caller.got(client.get(key.as_bytes()).await.expect("a hit").len());
            }
            caller.latencies
        })
    });
    measure(tasks.collect()).await
}

async fn measure(tasks: Vec<tokio::task::JoinHandle<Vec<Duration>>>) -> Measured {
    let begun = Instant::now();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("no panic"));
    }
    let elapsed = begun.elapsed();
    latencies.sort_unstable();
    Measured {
        operations_per_second: latencies.len() as f64 / elapsed.as_secs_f64(),
        p50: latencies[latencies.len() / 2],
        p99: latencies[latencies.len() * 99 / 100],
    }
}

fn median(rounds: &[Measured], of: impl Fn(&Measured) -> f64) -> f64 {
    let mut values: Vec<_> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn row(name: &str, rounds: &[Measured]) -> f64 {
    let rate = median(rounds, |round| round.operations_per_second);
    let p50 = median(rounds, |round| round.p50.as_secs_f64()) * 1e6;
    let p99 = median(rounds, |round| round.p99.as_secs_f64()) * 1e6;
    println!("  {name:<16} {rate:>9.0} ops/s   p50 {p50:>6.0} us   p99 {p99:>6.0} us");
    rate
}

fn compare(runtime: &Runtime, name: &str, port: u16, callers: usize) {
    println!("{callers} callers, {name} runtime, {VALUE_BYTES} bytes");
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        a.push(runtime.block_on(theirs(port, callers)));
        b.push(runtime.block_on(ours(port, callers)));
    }
    let ratio = row("memcache-async", &a).recip() * row("strongroom", &b);
    println!("  ratio {ratio:.2}\n");
}

fn main() {
    // `cargo test --all-targets` runs benchmarks too, to see that they start.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let server = Server::start();
    let multi = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let single = Builder::new_current_thread().enable_all().build().expect("a runtime");
    multi.block_on(fill(server.port));
    for callers in [1, 16, 64, 256] {
        compare(&multi, "multi-thread", server.port, callers);
    }
    compare(&single, "current-thread", server.port, 64);
}
