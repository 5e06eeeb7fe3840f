//! `strongroom bench`: how fast a server is through the engine, by callers and by size of values.

pub(crate) mod args;
mod load;
mod report;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use strongroom_host::Cache;
use strongroom_host::backend::{Memcached, MemcachedOptions};

use self::args::BenchArgs;
use self::load::{Load, Plan};
use self::report::{Line, Place, Report};
use crate::failure::Failure;
use crate::output::{counted, note, print, size};
use crate::progress;
use crate::settings::Settings;

/// Room in the engine's limit for a value that is exactly as large as was asked for.
const ITEM_MARGIN_BYTES: usize = 64;

/// Measures each size with each number of callers, and prints it all at the end. Ctrl-C ends it early.
pub(crate) async fn bench(args: &BenchArgs) -> Result<(), Failure> {
    let mut options = options(args)?;
    let largest = args.sizes.iter().map(|size| size.0).max().unwrap_or_default();
    options.item_bytes_max = options.item_bytes_max.max(largest + ITEM_MARGIN_BYTES);
    let places = look_at(&options).await?;
    let sizes = fitting(args, &places)?;

    let mut report = Report::new(places, args.runtime, cores(), args.gets);
    let stop = Arc::new(AtomicBool::new(false));
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    'measuring: for &size in &sizes {
        let load = Load::new(size, Duration::from_secs_f64(args.seconds) * args.callers.len() as u32);
        blocking(&options, &load, load::fill).await?.map_err(Failure::failed)?;
        for &callers in &args.callers {
            let callers = callers as usize;
            let length = Duration::from_secs_f64(args.seconds);
            let plan =
                Plan { callers, length, gets_percent: args.gets, runtime: args.runtime, cores: cores() };
            let label = label(size, callers);
            let stopping = stop.clone();
            let work = blocking(&options, &load, move |options, load| {
                load::measure(options, load, &plan, &stopping)
            });
            let mut work = pin!(progress::shown(&label, work));
            let (measured, _) = tokio::select! {
                done = &mut work => done,
                _ = &mut interrupted => {
                    stop.store(true, Ordering::Relaxed);
                    work.await
                }
            };
            report.push(Line { size, callers, measured: measured?.map_err(Failure::failed)? });
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        // What can't be deleted is gone with its lifetime.
        let _ = blocking(&options, &load, load::clear).await?;
        if stop.load(Ordering::Relaxed) {
            note("stopped early: the last line was measured for a shorter time");
            break 'measuring;
        }
    }
    print(&report.to_string())
}

/// How the servers are reached: those of `--server`, else those of the settings.
fn options(args: &BenchArgs) -> Result<MemcachedOptions, Failure> {
    let mut config = Settings::load(&args.settings)?.config;
    if !args.server.is_empty() {
        config = config.servers(args.server.clone()).map_err(|error| Failure::of_host(&error))?;
    }
    let options = Cache::server_options(&config).map_err(|error| Failure::of_host(&error))?;
    options.ok_or_else(|| {
        Failure::invalid(
            "no server to measure: name one with --server, or set `host` or `servers` in strongroom.toml, or \
             CACHE_HOST",
        )
    })
}

/// What each of the servers says of itself.
async fn look_at(options: &MemcachedOptions) -> Result<Vec<Place>, Failure> {
    let mut places = Vec::new();
    for server in &options.servers {
        let alone = MemcachedOptions { servers: vec![server.clone()], ..options.clone() };
        let reported = Memcached::new(alone).report().await;
        let report = reported.map_err(|error| Failure::failed(format!("{}: {error}", server.address)))?;
        if report.round_trip.is_none() {
            let line = format!("{}: the meta commands (mg, ms, md) are not known there", server.address);
            return Err(Failure::failed(line));
        }
        places.push(Place { address: server.address.to_string(), report });
    }
    Ok(places)
}

/// The sizes that every server takes, each once and smallest first; says which are left out.
fn fitting(args: &BenchArgs, places: &[Place]) -> Result<Vec<usize>, Failure> {
    let limit = places.iter().map(|place| place.report.item_bytes_max).min().unwrap_or_default();
    let mut sizes: Vec<_> = args.sizes.iter().map(|size| size.0).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let (fit, left_out): (Vec<_>, Vec<_>) = sizes.into_iter().partition(|&size| size <= limit);
    if let Some(least) = left_out.first() {
        let line = format!(
            "values of {} and more do not fit: the server takes {limit} bytes (memcached's -I)",
            size(*least)
        );
        match fit.is_empty() {
            true => return Err(Failure::failed(line)),
            false => note(&line),
        }
    }
    Ok(fit)
}

fn label(bytes: usize, callers: usize) -> String {
    format!("{}, {}", size(bytes), counted(callers as u64, "caller", "callers"))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs what makes runtimes of its own, away from this one.
async fn blocking<T: Send + 'static>(
    options: &MemcachedOptions,
    load: &Arc<Load>,
    work: impl FnOnce(&MemcachedOptions, &Arc<Load>) -> T + Send + 'static,
) -> Result<T, Failure> {
    let (options, load) = (options.clone(), load.clone());
    let done = tokio::task::spawn_blocking(move || work(&options, &load)).await;
    done.map_err(|error| Failure::failed(format!("the measurement broke off: {error}")))
}

#[cfg(test)]
mod tests {
    use strongroom_host::backend::ServerReport;

    use super::args::Size;
    use super::*;
    use crate::args::SettingsArgs;

    fn args(sizes: &[usize]) -> BenchArgs {
        BenchArgs {
            server: Vec::new(),
            callers: vec![1],
            sizes: sizes.iter().copied().map(Size).collect(),
            seconds: 1.0,
            gets: 95,
            runtime: args::RuntimeKind::Cores,
            settings: SettingsArgs::default(),
        }
    }

    fn place(item_bytes_max: usize) -> Place {
        let report = ServerReport {
            version: "1.6.18".to_owned(),
            item_bytes_max,
            round_trip: Some(Duration::from_micros(40)),
        };
        Place { address: "x:1".to_owned(), report }
    }

    #[test]
    fn sizes_that_do_not_fit_are_left_out_and_nothing_is_measured_where_none_does() {
        let places = [place(5000), place(2000)];
        let sizes = fitting(&args(&[3000, 100, 2000, 100]), &places).expect("some fit");
        assert_eq!(sizes, [100, 2000]);
        let failure = fitting(&args(&[3000]), &places).expect_err("none fits");
        assert_eq!(failure.code(), Failure::FAILED);
        assert!(failure.line().contains("-I"), "{}", failure.line());
    }
}
