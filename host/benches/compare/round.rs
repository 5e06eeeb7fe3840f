//! One round: a contestant's callers on their runtimes, from connecting to the last reply.

use std::sync::Arc;
use std::time::Duration;

use strongroom_host::Lifetime;
use strongroom_host::backend::Condition;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::client::{AsyncMemcached, Client, MemcacheAsync, Strongroom};
use crate::cpu_time::CpuTime;
use crate::load::{Load, Round, Tally};
use crate::pool::{Pool, Pooled};
use crate::series::{Contestant, LARGE_BYTES, POOL, Series, Sharing, Threads};
use crate::server::Server;
use crate::statistics::{Measured, Quantiles};

/// Where and for how long a round is run.
pub(crate) struct Place<'a> {
    pub(crate) server: &'a Server,
    /// Time before operations count.
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
}

/// The cores of this machine.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Stores every key of the loads. The engine stores them for all: other clients don't read its flags.
pub(crate) fn fill(server: &Server, loads: &[Arc<Load>]) {
    let runtime = single();
    runtime.block_on(async {
        let engine = Strongroom::new(server.port());
        for load in loads {
            for key in &load.keys {
                let stored =
                    engine.backend().store(key, load.entry(), Lifetime::UntilEvicted, Condition::Always);
                stored.await.expect("stored");
            }
        }
    });
}

/// Runs a round of a contestant on tokio.
pub(crate) fn run(
    contestant: Contestant,
    series: &Series,
    load: &Arc<Load>,
    place: &Place<'_>,
) -> Result<Measured, String> {
    let runtimes = match series.threads {
        Threads::Multi => 1,
        Threads::PerCore => cores(),
    };
    let round = Round::new(load, series, runtimes, (place.warm_up, place.length));
    let port = place.server.port();
    let engine = Strongroom::new(port);
    let callers = 0..series.callers + series.large_callers;
    let (own, servers) = (CpuTime::of_this_process(), place.server.cpu_time());
    let tallies = match series.threads {
        Threads::Multi => {
            let runtime = Builder::new_multi_thread().worker_threads(cores()).enable_all().build();
            let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
            runtime.block_on(shard(contestant, &round, &engine, port, callers.collect(), runtimes))
        }
        Threads::PerCore => std::thread::scope(|scope| {
            let shards: Vec<_> = (0..runtimes)
                .map(|core| {
                    let mine: Vec<_> = callers.clone().filter(|caller| caller % runtimes == core).collect();
                    let (round, engine) = (&round, &engine);
                    scope.spawn(move || {
                        single().block_on(shard(contestant, round, engine, port, mine, runtimes))
                    })
                })
                .collect();
            shards.into_iter().flat_map(|shard| shard.join().expect("no panic")).collect()
        }),
    };
    let own = CpuTime::between(own, CpuTime::of_this_process());
    let servers = CpuTime::between(servers, place.server.cpu_time());
    Ok(summed(&tallies, &round, own, servers))
}

fn single() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Callers of one runtime, of which there are `shards`.
async fn shard(
    contestant: Contestant,
    round: &Arc<Round>,
    engine: &Strongroom,
    port: u16,
    callers: Vec<usize>,
    shards: usize,
) -> Vec<Tally> {
    let mut tasks = Vec::with_capacity(callers.len());
    let pool = POOL.div_ceil(shards);
    match contestant {
        Contestant::Strongroom => {
            tasks.extend(callers.iter().map(|&caller| start(round, engine.clone(), caller)));
        }
        Contestant::MemcacheAsync(Sharing::PerCaller) => {
            for caller in callers {
                tasks.push(start(round, MemcacheAsync::connect(port).await, caller));
            }
        }
        Contestant::AsyncMemcached(Sharing::PerCaller) => {
            for caller in callers {
                tasks.push(start(round, AsyncMemcached::connect(port).await, caller));
            }
        }
        Contestant::MemcacheAsync(Sharing::Pool) => {
            let mut connections = Vec::new();
            for _ in 0..pool {
                connections.push(MemcacheAsync::connect(port).await);
            }
            let pool = Pool::new(connections);
            tasks.extend(callers.iter().map(|&caller| start(round, Pooled(pool.clone()), caller)));
        }
        Contestant::AsyncMemcached(Sharing::Pool) => {
            let mut connections = Vec::new();
            for _ in 0..pool {
                connections.push(AsyncMemcached::connect(port).await);
            }
            let pool = Pool::new(connections);
            tasks.extend(callers.iter().map(|&caller| start(round, Pooled(pool.clone()), caller)));
        }
        Contestant::Pymemcache => unreachable!("it runs in a process of its own"),
    }
    let mut tallies = Vec::with_capacity(tasks.len());
    for task in tasks {
        tallies.push(task.await.expect("no panic"));
    }
    round.done.wait().await;
    tallies
}

fn start<C: Client>(round: &Arc<Round>, client: C, caller: usize) -> JoinHandle<Tally> {
    let round = round.clone();
    tokio::spawn(async move { round.call(client, caller).await })
}

/// What all callers did together.
fn summed(tallies: &[Tally], round: &Round, own: Option<CpuTime>, server: Option<CpuTime>) -> Measured {
    let small = || tallies.iter().filter(|tally| tally.measured > 0);
    let begin = small().map(|tally| tally.begin).min();
    let end = small().map(|tally| tally.end).max();
    let seconds = match (begin, end) {
        (Some(begin), Some(end)) => (end - begin).as_secs_f64(),
        _ => f64::INFINITY,
    };
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>() as f64;
    let all = sum(|tally| tally.all);
    Measured {
        operations_per_second: sum(|tally| tally.measured) / seconds,
        large_megabytes_per_second: sum(|tally| tally.large) * LARGE_BYTES as f64 / 1e6 / seconds,
        latency: Quantiles::of(&round.latencies()),
        own_cpu: own.map(|time| time.seconds() / all),
        server_cpu: server.map(|time| time.seconds() / all),
    }
}
