//! What a hot entry's end costs with and without fills, and what a fetch costs where there is nothing to
//! compute.
//!
//! 200 callers on two hosts read one entry of one memcached again and again; its value takes 100 ms to
//! compute and lives for two seconds. Printed as tables.

#[path = "compare/cpu_time.rs"]
#[expect(dead_code, reason = "the comparison, which shares it, needs more of it")]
mod cpu_time;
#[path = "compare/server.rs"]
#[expect(dead_code, reason = "the same")]
mod server;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use strongroom_host::backend::Memory;
use strongroom_host::{Cache, Clock, Config, Fetched, Partition, ScopedCache, Value};

use crate::server::Server;

const CALLERS: usize = 200;
const COMPUTATION: Duration = Duration::from_millis(100);
const TTL_SECONDS: u32 = 2;

/// Between two calls of a caller.
const PAUSE: Duration = Duration::from_millis(5);
const RUN: Duration = Duration::from_secs(21);

/// Computations that begin so long after the one before belong to another expiry.
const ANOTHER_EXPIRY: Duration = Duration::from_millis(700);

const TURN: Duration = Duration::from_secs(1);
const TURNS: usize = 7;
const KEY: &str = "a-key-of-16-byte";

/// How a caller comes by the value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    GetAndSet,
    Fetch { grace: u32 },
}

/// What a run has seen.
#[derive(Default)]
struct Seen {
    begun: Vec<Instant>,
    microseconds: Vec<u64>,
}

fn main() {
    let server = Server::start().expect("memcached is installed");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        println!("{CALLERS} callers, {COMPUTATION:?} to compute, {TTL_SECONDS} s to live, {RUN:?} each:\n");
        println!("| | expiries | computations | per expiry | p50 us | p99 ms | p99.9 ms | longest ms |");
        println!("|---|---|---|---|---|---|---|---|");
        stampede(&server, "get, compute, set", Way::GetAndSet).await;
        stampede(&server, "fetch", Way::Fetch { grace: 0 }).await;
        stampede(&server, "fetch, grace 10 s", Way::Fetch { grace: 10 }).await;
        println!("\nA hit, get and fetch by turns of {TURN:?}, medians of {TURNS}:\n");
        println!("| backend | callers | get/s | fetch/s | fetch's time over get's |");
        println!("|---|---|---|---|---|");
        let memory = || Cache::with_backend(config(), Arc::new(Memory::new(64 << 20, Clock::system())));
        hits("memory", &memory().expect("valid"), 1).await;
        for callers in [1, 64] {
            hits("memcached", &host(&server).await, callers).await;
        }
    });
}

fn config() -> Config {
    Config::new().generation_ttl(Duration::from_secs(60)).expect("valid")
}

async fn host(server: &Server) -> Cache {
    let config = config().host("127.0.0.1").and_then(|config| config.port(server.port()));
    Cache::connect(config.expect("valid")).await.expect("settings that go together")
}

fn acme(cache: &Cache) -> ScopedCache {
    let partition = Partition::service("bench").and_then(|service| service.stack("acme"));
    cache.open(&partition.expect("valid"), None).expect("opens")
}

async fn stampede(server: &Server, name: &str, way: Way) {
    let hosts = [acme(&host(server).await), acme(&host(server).await)];
    hosts[0].clear().await.expect("reachable");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let seen = Arc::new(Mutex::new(Seen::default()));
    let until = Instant::now() + RUN;
    let callers = (0..CALLERS).map(|number| {
        let (cache, seen) = (hosts[number % hosts.len()].clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            while Instant::now() < until {
                let begun = Instant::now();
                call(&cache, way, &seen).await;
                let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                seen.lock().expect("no panic").microseconds.push(took);
                tokio::time::sleep(PAUSE).await;
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("no panic");
    }
    report(name, &mut seen.lock().expect("no panic"));
}

async fn call(cache: &ScopedCache, way: Way, seen: &Mutex<Seen>) {
    let compute = async || {
        seen.lock().expect("no panic").begun.push(Instant::now());
        tokio::time::sleep(COMPUTATION).await;
        Value::from("computed")
    };
    let Way::Fetch { grace } = way else {
        if cache.get(KEY).await.expect("reachable").is_none() {
            let value = compute().await;
            cache.set(KEY, value, Some(TTL_SECONDS)).await.expect("reachable");
        }
        return;
    };
    match cache.fetch(KEY, grace, Duration::from_secs(5)).await.expect("reachable") {
        Fetched::Hit(_) | Fetched::Stale(_) => {}
        Fetched::Vacant(mut fill) | Fetched::Refresh(_, mut fill) => {
            let value = compute().await;
            fill.complete(value, Some(TTL_SECONDS)).await.expect("reachable");
        }
        Fetched::Busy => drop(compute().await),
    }
}

fn report(name: &str, seen: &mut Seen) {
    seen.begun.sort_unstable();
    let gaps = seen.begun.windows(2).filter(|pair| pair[1] - pair[0] > ANOTHER_EXPIRY).count();
    // The first computations are the empty cache's.
    let expiries = gaps + 1;
    let mut times = Histogram::<u64>::new_with_max(3_600_000_000, 3).expect("valid");
    seen.microseconds.iter().for_each(|time| times.saturating_record(*time));
    let milliseconds = |quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
    println!(
        "| {name} | {expiries} | {} | {:.1} | {} | {:.1} | {:.1} | {:.1} |",
        seen.begun.len(),
        seen.begun.len() as f64 / expiries as f64,
        times.value_at_quantile(0.5),
        milliseconds(0.99),
        milliseconds(0.999),
        milliseconds(1.0),
    );
}

async fn hits(name: &str, cache: &Cache, callers: usize) {
    let cache = acme(cache);
    cache.set(KEY, vec![7; 100].into(), None).await.expect("reachable");
    let (mut gets, mut fetches) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        gets.push(turn(&cache, callers, Way::GetAndSet).await);
        fetches.push(turn(&cache, callers, Way::Fetch { grace: 0 }).await);
    }
    let median = |rates: &mut Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let mut ratios: Vec<_> = gets.iter().zip(&fetches).map(|(get, fetch)| get / fetch).collect();
    let (get, fetch, ratio) = (median(&mut gets), median(&mut fetches), median(&mut ratios));
    println!("| {name} | {callers} | {get:.0} | {fetch:.0} | {ratio:.3} |");
}

/// Operations a second.
async fn turn(cache: &ScopedCache, callers: usize, way: Way) -> f64 {
    let begun = Instant::now();
    let callers = (0..callers).map(|_| {
        let cache = cache.clone();
        tokio::spawn(async move {
            let mut count = 0_u64;
            while begun.elapsed() < TURN {
                let is_hit = match way {
                    Way::GetAndSet => cache.get(KEY).await.expect("reachable").is_some(),
                    Way::Fetch { grace } => matches!(
                        cache.fetch(KEY, grace, Duration::ZERO).await.expect("reachable"),
                        Fetched::Hit(_)
                    ),
                };
                assert!(is_hit);
                count += 1;
            }
            count
        })
    });
    let mut count = 0;
    for caller in callers.collect::<Vec<_>>() {
        count += caller.await.expect("no panic");
    }
    count as f64 / begun.elapsed().as_secs_f64()
}
