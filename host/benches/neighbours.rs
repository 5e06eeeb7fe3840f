//! What one stack notices of another one's flood: a quiet stack's latencies alone, and beside a stack that
//! keeps ten thousand operations in the queue.
//!
//! And what many stacks together get done, and one alone with as many callers.
//!
//! One memcached, one host, the multi-thread runtime. Each caller of the quiet stack has one operation after
//! the other, as a caller that waits for each; turns alone and beside the flood alternate. Printed as tables.

#[path = "compare/cpu_time.rs"]
#[expect(dead_code, reason = "the comparison, which shares it, needs more of it")]
mod cpu_time;
#[path = "compare/server.rs"]
#[expect(dead_code, reason = "the same")]
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use strongroom_host::{Cache, Config, Partition, ScopedCache};
use tokio::task::JoinSet;

use crate::server::Server;

/// Operations that the noisy stack has in the queue at any time.
const FLOOD: usize = 10_000;

const TURN: Duration = Duration::from_secs(1);
const TURNS: usize = 5;

/// Until a flood has built up.
const WARM_UP: Duration = Duration::from_millis(500);

/// For longer than a quiet stack counts as there after it was.
const CALM: Duration = Duration::from_secs(11);

const VALUE: [u8; 100] = [7; 100];

/// How many callers the quiet stack has.
const CALLERS: [usize; 3] = [1, 4, 16];

fn main() {
    let server = Server::start().expect("memcached is installed");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let cache = connect(&server).await;
        let (quiet, noisy) = (open(&cache, "quiet").await, open(&cache, "noisy").await);
        println!("{TURNS} turns of {TURN:?} each; the noisy stack keeps {FLOOD} gets in the queue.");
        println!("us: medians over the turns, and the ratio of beside to alone in the same turn.\n");
        println!("| callers | p50 alone | beside | ratio | p99 alone | beside | ratio | the flood's gets a second |");
        println!("|--:|--:|--:|--:|--:|--:|--:|--:|");
        for callers in CALLERS {
            compare(&quiet, &noisy, callers).await;
        }
        println!("\n| stacks | callers of each | gets a second | p50 us | p99 us |\n|--:|--:|--:|--:|--:|");
        for (stacks, callers) in [(1, 256), (16, 16), (1, 64), (16, 4)] {
            // Until none of those before counts as quiet.
            tokio::time::sleep(CALM).await;
            together(&cache, stacks, callers).await;
        }
    });
}

async fn connect(server: &Server) -> Cache {
    let patience = Duration::from_secs(10);
    let config = Config::new()
        .host("127.0.0.1")
        .and_then(|config| config.port(server.port()))
        .and_then(|config| config.timeout(patience))
        .expect("valid");
    Cache::connect(config).await.expect("settings that go together")
}

async fn open(cache: &Cache, stack: &str) -> ScopedCache {
    let partition = Partition::service("bench").and_then(|service| service.stack(stack)).expect("valid");
    let scoped = cache.open(&partition, None).expect("opens");
    for key in 0..1000 {
        scoped.set(&key.to_string(), VALUE.to_vec().into(), None).await.expect("set");
    }
    scoped
}

async fn compare(quiet: &ScopedCache, noisy: &ScopedCache, callers: usize) {
    let (mut alone, mut beside, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        alone.push(measure(quiet, callers).await);
        let flood = Flood::begin(noisy);
        tokio::time::sleep(WARM_UP).await;
        let (before, begun) = (flood.answered.load(Ordering::Relaxed), Instant::now());
        beside.push(measure(quiet, callers).await);
        let answered = flood.answered.load(Ordering::Relaxed) - before;
        rates.push(answered as f64 / begun.elapsed().as_secs_f64());
        flood.end().await;
    }
    let column = |quantile: f64| {
        let of = |turn: &Histogram<u64>| turn.value_at_quantile(quantile) as f64 / 1000.0;
        let ratios = alone.iter().zip(&beside).map(|(alone, beside)| of(beside) / of(alone)).collect();
        let (alone, beside) = (alone.iter().map(of).collect(), beside.iter().map(of).collect());
        format!("{:.0} | {:.0} | **{:.2}**", median(alone), median(beside), median(ratios))
    };
    println!("| {callers} | {} | {} | {:.0} |", column(0.5), column(0.99), median(rates));
}

/// Several stacks at once.
async fn together(cache: &Cache, stacks: usize, callers: usize) {
    let mut scoped = Vec::new();
    for stack in 0..stacks {
        scoped.push(open(cache, &format!("stack {stack}")).await);
    }
    let (mut rates, mut p50, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let mut running = JoinSet::new();
        for scoped in &scoped {
            let scoped = scoped.clone();
            running.spawn(async move { measure(&scoped, callers).await });
        }
        let mut all = Histogram::<u64>::new(3).expect("3 digits are allowed");
        for seen in running.join_all().await {
            all.add(seen).expect("it grows");
        }
        rates.push(all.len() as f64 / TURN.as_secs_f64());
        p50.push(all.value_at_quantile(0.5) as f64 / 1000.0);
        p99.push(all.value_at_quantile(0.99) as f64 / 1000.0);
    }
    let (rate, p50, p99) = (median(rates), median(p50), median(p99));
    println!("| {stacks} | {callers} | {rate:.0} | {p50:.0} | {p99:.0} |");
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Latencies of gets in nanoseconds, one after the other for each caller.
async fn measure(scoped: &ScopedCache, callers: usize) -> Histogram<u64> {
    let mut running = JoinSet::new();
    for caller in 0..callers {
        let scoped = scoped.clone();
        running.spawn(async move {
            let mut seen = Histogram::<u64>::new(3).expect("3 digits are allowed");
            let begun = Instant::now();
            for key in caller.. {
                let asked = Instant::now();
                if asked.duration_since(begun) > TURN {
                    break;
                }
                let found = scoped.get(&(key % 1000).to_string()).await.expect("the server is there");
                assert!(found.is_some());
                seen.record(asked.elapsed().as_nanos() as u64).expect("it grows");
            }
            seen
        });
    }
    let mut all = Histogram::<u64>::new(3).expect("3 digits are allowed");
    for seen in running.join_all().await {
        all.add(seen).expect("it grows");
    }
    all
}

/// As many callers as there are to be operations in the queue.
struct Flood {
    callers: JoinSet<()>,
    answered: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
}

impl Flood {
    fn begin(scoped: &ScopedCache) -> Self {
        let (answered, ends) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut callers = JoinSet::new();
        for caller in 0..FLOOD {
            let (scoped, answered, ends) = (scoped.clone(), Arc::clone(&answered), Arc::clone(&ends));
            callers.spawn(async move {
                for key in caller.. {
                    if ends.load(Ordering::Relaxed) {
                        break;
                    }
                    scoped.get(&(key % 1000).to_string()).await.expect("the server is there");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { callers, answered, ends }
    }

    async fn end(self) {
        self.ends.store(true, Ordering::Relaxed);
        self.callers.join_all().await;
    }
}
