//! The tables as Markdown: what RESULTS.md says.

use std::time::Duration;

use crate::machine::{self, Machine};
use crate::options::Options;
use crate::series::{Contestant, LARGE_BYTES, Threads};
use crate::statistics::{Measured, Ratio, Table, median_of};

const HOW_TO_READ: &str = "\
- Client and server share the machine's cores, over loopback: the figures compare clients, and don't say what a server
  on another machine would do. Ratios travel better than rates.
- A caller is a task that has one operation after the other. Gets and sets are on random-looking keys out of 1000, all
  of which are there. Latencies are those of gets; a round's warm-up, a fifth of it, counts for nothing.
- Every figure is the median of the rounds. A ratio is the median of the ratios to memcache-async with a connection for each
  caller **in the same turn**, with the lowest and the highest in parentheses. Above 1 is more; for latencies, below 1 is
  better.
- CPU is processor time for each operation, of the client's process and of memcached, by Linux's count of 10 ms
  ticks; large sets count as operations there.
- Strongroom is asked through its public API (`Backend`): its sets are acknowledged, and every reply is
  checked against its request. memcache-async's `set` asks for no reply; async-memcached's waits for one. On a connection of
  its own each of them serves one request at a time. All have `TCP_NODELAY`.
- Where each core has a runtime, callers, connections and pools are divided among them, and Strongroom's one
  `Memcached` is shared by all.
- pymemcache runs in one process with one thread, as more threads take turns at the interpreter. Its `set` asks for no
  reply.";

/// The whole page.
pub(crate) fn whole(machine: &Machine, options: &Options, tables: &[Table]) -> String {
    let date = options.date.clone().unwrap_or_else(machine::today);
    let Machine(known) = machine;
    let known: String = known.iter().map(|(name, text)| format!("| {name} | {text} |\n")).collect();
    format!(
        "# memcached clients side by side\n\n\
         Measured on {date} by `cargo xtask compare`, {} rounds of {} s for each contestant, taking turns.\n\n\
         | | |\n|---|---|\n{known}\n\
         ## In short\n\n{}\n## How to read it\n\n{HOW_TO_READ}\n\n## All figures\n\n{}",
        options.rounds,
        options.length.as_secs_f64(),
        in_short(tables),
        self::tables(tables),
    )
}

/// Strongroom against the baseline, a line for each series.
fn in_short(tables: &[Table]) -> String {
    let mut text =
        "Strongroom's figures as multiples of memcache-async's with a connection for each caller:\n\n\
                    | load | operations a second | p50 | p99 | p99.9 |\n|---|--:|--:|--:|--:|\n"
            .to_owned();
    for table in tables {
        let ratio = |figure| table.ratio(Contestant::Strongroom, figure).map_or("-".to_owned(), plain);
        text.push_str(&format!(
            "| {} | **{}** | {} | {} | {} |\n",
            table.series,
            ratio(|round| round.operations_per_second),
            ratio(|round| round.latency.p50.as_secs_f64()),
            ratio(|round| round.latency.p99.as_secs_f64()),
            ratio(|round| round.latency.p999.as_secs_f64()),
        ));
    }
    text
}

/// Every series' own table.
pub(crate) fn tables(tables: &[Table]) -> String {
    let mut text = String::new();
    let mut threads: Option<Threads> = None;
    for each in tables {
        if threads.replace(each.series.threads) != Some(each.series.threads) {
            text.push_str(&format!("### {}\n\n", capitalised(&each.series.threads.to_string())));
        }
        text.push_str(&table(each));
        text.push('\n');
    }
    text
}

fn table(table: &Table) -> String {
    let has_large = table.series.large_callers > 0;
    let large_head = if has_large { format!(" {} sets, MB/s |", of_large()) } else { String::new() };
    let large_line = if has_large { "--:|" } else { "" };
    let mut text = format!(
        "**{}**\n\n\
         | client | ops/s | ratio | p50 us | p99 us | p99.9 us | client CPU us | server CPU us |{large_head}\n\
         |---|--:|--:|--:|--:|--:|--:|--:|{large_line}\n",
        table.series,
    );
    for (contestant, rounds) in &table.rows {
        let median = |figure: fn(&Measured) -> f64| median_of(rounds, figure);
        let ratio = match *contestant {
            Contestant::BASELINE => "1".to_owned(),
            other => {
                table.ratio(other, |round| round.operations_per_second).map_or("-".to_owned(), with_spread)
            }
        };
        text.push_str(&format!(
            "| {contestant} | {} | {ratio} | {} | {} | {} | {} | {} |",
            grouped(median(|round| round.operations_per_second)),
            micros(median(|round| round.latency.p50.as_secs_f64())),
            micros(median(|round| round.latency.p99.as_secs_f64())),
            micros(median(|round| round.latency.p999.as_secs_f64())),
            cpu(median(|round| round.own_cpu.unwrap_or(f64::NAN))),
            cpu(median(|round| round.server_cpu.unwrap_or(f64::NAN))),
        ));
        if has_large {
            text.push_str(&format!(" {:.0} |", median(|round| round.large_megabytes_per_second)));
        }
        text.push('\n');
    }
    text
}

fn of_large() -> String {
    format!("{} MiB", LARGE_BYTES / 1024 / 1024)
}

fn plain(ratio: Ratio) -> String {
    format!("{:.2}", ratio.median)
}

fn with_spread(ratio: Ratio) -> String {
    format!("{:.2} ({:.2}-{:.2})", ratio.median, ratio.lowest, ratio.highest)
}

/// Seconds as microseconds, to three digits or so.
fn micros(seconds: f64) -> String {
    let micros = Duration::from_secs_f64(seconds.max(0.0)).as_nanos() as f64 / 1000.0;
    if micros < 100.0 { format!("{micros:.1}") } else { grouped(micros) }
}

fn cpu(seconds: f64) -> String {
    if seconds.is_finite() { format!("{:.2}", seconds * 1e6) } else { "-".to_owned() }
}

/// A number in groups of three digits.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
