//! What was measured, as text: a table, a histogram, and what it was measured on.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use strongroom_host::backend::ServerReport;

use super::args::RuntimeKind;
use super::load::Measured;
use crate::output::{columns, counted, size};

/// Width of the histogram's longest bar.
const BAR_MAX: u64 = 50;

/// Where the histogram's rows end, in each power of ten.
const STEPS: [u64; 6] = [100, 150, 200, 300, 500, 700];

/// Powers of ten that the histogram covers, beginning at 100 ns.
const DECADES: u32 = 9;

/// A server, and what it said of itself.
pub(super) struct Place {
    pub(super) address: String,
    pub(super) report: ServerReport,
}

/// One line of the table.
pub(super) struct Line {
    pub(super) size: usize,
    pub(super) callers: usize,
    pub(super) measured: Measured,
}

/// Everything that was measured.
pub(super) struct Report {
    places: Vec<Place>,
    runtime: RuntimeKind,
    cores: usize,
    gets_percent: u8,
    lines: Vec<Line>,
}

impl Report {
    pub(super) fn new(places: Vec<Place>, runtime: RuntimeKind, cores: usize, gets_percent: u8) -> Self {
        Self { places, runtime, cores, gets_percent, lines: Vec::new() }
    }

    pub(super) fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    fn table(&self) -> String {
        let head = ["size", "callers", "ops/s", "MB/s", "p50", "p99", "p99.9", "misses", "errors"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(self.lines.iter().map(Line::cells));
        columns(&rows)
    }

    /// The line whose latencies are drawn: the smallest size with the most callers.
    fn drawn(&self) -> Option<&Line> {
        let with_hits = self.lines.iter().filter(|line| !line.measured.latencies.is_empty());
        with_hits.min_by_key(|line| (line.size, std::cmp::Reverse(line.callers)))
    }

    fn surroundings(&self) -> String {
        let cores = counted(self.cores as u64, "core", "cores");
        let runtime = match self.runtime {
            RuntimeKind::Cores => format!("a current-thread runtime on each of {cores}"),
            RuntimeKind::Multi => format!("one multi-thread runtime on {cores}"),
        };
        let servers = self.places.iter().map(|place| {
            let time = place.report.round_trip.map(|time| format!(", round trip {}", shown(time)));
            let version = &place.report.version;
            format!("{} (memcached {version}{})", place.address, time.unwrap_or_default())
        });
        let servers = servers.collect::<Vec<_>>().join(", ");
        format!("{}% gets, {runtime}; {servers}.", self.gets_percent)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table())?;
        if let Some(line) = self.drawn() {
            let callers = counted(line.callers as u64, "caller", "callers");
            writeln!(f, "\nGets that hit, {}, {callers}:", size(line.size))?;
            f.write_str(&histogram(&line.measured.latencies))?;
        }
        writeln!(f, "\n{}", self.surroundings())
    }
}

impl Line {
    fn cells(&self) -> Vec<String> {
        let Measured { operations, bytes, misses, errors, time, latencies } = &self.measured;
        let each_second = |count: u64| match time.is_zero() {
            true => 0.0,
            false => count as f64 / time.as_secs_f64(),
        };
        let at = |quantile| match latencies.is_empty() {
            true => "-".to_owned(),
            false => shown(Duration::from_nanos(latencies.value_at_quantile(quantile))),
        };
        vec![
            size(self.size),
            self.callers.to_string(),
            format!("{:.0}", each_second(*operations)),
            format!("{:.1}", each_second(*bytes) / 1e6),
            at(0.5),
            at(0.99),
            at(0.999),
            misses.to_string(),
            errors.to_string(),
        ]
    }
}

/// A bar for each range of latencies, from the first to the last in which there are some.
fn histogram(latencies: &Histogram<u32>) -> String {
    let ends = (0..DECADES).flat_map(|power| STEPS.map(|step| step * 10_u64.pow(power)));
    let mut begin = 0;
    let mut ranges = Vec::new();
    for end in ends {
        ranges.push((begin, end, latencies.count_between(begin, end - 1)));
        begin = end;
    }
    let is_met = |range: &(u64, u64, u64)| range.2 > 0;
    let first = ranges.iter().position(is_met).unwrap_or_default();
    let last = ranges.iter().rposition(is_met).unwrap_or_default();
    let most = ranges.iter().map(|range| range.2).max().unwrap_or_default().max(1);
    let total = latencies.len().max(1);
    let rows: Vec<_> = ranges[first..=last]
        .iter()
        .map(|&(begin, end, count)| {
            // What is there at all is seen.
            let bar = (count * BAR_MAX).div_ceil(most);
            let percent = format!("{:.2}%", count as f64 * 100.0 / total as f64);
            let (begin, end) = (Duration::from_nanos(begin), Duration::from_nanos(end));
            vec![format!("{} to {}", shown(begin), shown(end)), percent, "#".repeat(bar as usize)]
        })
        .collect();
    columns(&rows)
}

/// A time to three digits.
fn shown(time: Duration) -> String {
    let micros = time.as_nanos() as f64 / 1e3;
    let (number, unit) = match micros {
        ..1e3 => (micros, "us"),
        1e3..1e6 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    match number {
        ..10.0 => format!("{number:.2} {unit}"),
        10.0..100.0 => format!("{number:.1} {unit}"),
        _ => format!("{number:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(size: usize, callers: usize, nanoseconds: &[u64]) -> Line {
        let mut latencies = Histogram::new_with_bounds(100, 60_000_000_000, 3).expect("bounds in order");
        for &each in nanoseconds {
            latencies.saturating_record(each);
        }
        let operations = nanoseconds.len() as u64;
        let bytes = operations * size as u64;
        let time = Duration::from_millis(500);
        Line {
            size,
            callers,
            measured: Measured { operations, bytes, misses: 3, errors: 1, time, latencies },
        }
    }

    fn report(lines: Vec<Line>) -> Report {
        let report = ServerReport {
            version: "1.6.18".to_owned(),
            item_bytes_max: 1,
            round_trip: Some(Duration::from_micros(40)),
        };
        let place = Place { address: "x:1".to_owned(), report };
        Report { places: vec![place], runtime: RuntimeKind::Cores, cores: 2, gets_percent: 95, lines }
    }

    #[test]
    fn the_smallest_size_with_the_most_callers_is_drawn() {
        let hits = [1000];
        let report =
            report(vec![line(9, 64, &hits), line(5, 1, &hits), line(5, 16, &hits), line(5, 64, &[])]);
        assert_eq!(report.drawn().map(|line| (line.size, line.callers)), Some((5, 16)));
        let text = report.to_string();
        assert!(text.contains("Gets that hit, 5 bytes, 16 callers:"), "{text}");
        assert!(text.contains("each of 2 cores; x:1 (memcached 1.6.18, round trip 40.0 us)."), "{text}");
    }

    #[test]
    fn a_line_has_rates_and_latencies_or_says_that_there_are_none() {
        let cells = line(1_000_000, 4, &[50_000, 50_000]).cells();
        assert_eq!(cells[..5], ["1.0 MB", "4", "4", "4.0", "50.0 us"]);
        assert_eq!(cells[7..], ["3", "1"]);
        assert_eq!(line(1, 1, &[]).cells()[4..7], ["-", "-", "-"]);
    }

    #[test]
    fn every_latency_is_in_the_histogram_and_the_longest_bar_is_the_most_frequent() {
        let latencies = line(1, 1, &[1_200, 1_250, 1_300, 40_000]).measured.latencies;
        let text = histogram(&latencies);
        let rows: Vec<_> = text.lines().collect();
        assert!(
            rows[0].contains("1.00 us to 1.50 us  75.00%") && rows[0].ends_with(&"#".repeat(50)),
            "{text}"
        );
        assert!(rows[rows.len() - 1].contains("30.0 us to 50.0 us  25.00%"), "{text}");
    }
}
