//! What a round measured, and what several rounds say together: medians, and ratios within the same turn.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::series::{Contestant, Series};

/// What one round measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Gets and sets of small values.
    pub(crate) operations_per_second: f64,
    /// Of large values stored meanwhile, in millions of bytes.
    pub(crate) large_megabytes_per_second: f64,
    /// Of gets.
    pub(crate) latency: Quantiles,
    /// Processor seconds of the client for each operation, connecting and warming up included. `None` where
    /// the system does not say.
    pub(crate) own_cpu: Option<f64>,
    /// The same of the server.
    pub(crate) server_cpu: Option<f64>,
}

/// Quantiles of latencies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantiles {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) p999: Duration,
}

impl Quantiles {
    /// Of a histogram in nanoseconds.
    pub(crate) fn of(histogram: &Histogram<u32>) -> Self {
        let at = |quantile| Duration::from_nanos(histogram.value_at_quantile(quantile));
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
    }
}

/// A series with all its rounds: those of each contestant, in the order in which they took turns.
pub(crate) struct Table {
    pub(crate) series: Series,
    pub(crate) rows: Vec<(Contestant, Vec<Measured>)>,
}

/// How something compares to the baseline, turn by turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Table {
    /// The rounds of a contestant, if it took part.
    pub(crate) fn rounds(&self, contestant: Contestant) -> Option<&[Measured]> {
        self.rows.iter().find(|(other, _)| *other == contestant).map(|(_, rounds)| rounds.as_slice())
    }

    /// A contestant's figure divided by the baseline's of the same turn. `None` where one was not there.
    pub(crate) fn ratio(&self, contestant: Contestant, figure: fn(&Measured) -> f64) -> Option<Ratio> {
        let pairs = self.rounds(contestant)?.iter().zip(self.rounds(Contestant::BASELINE)?);
        let mut ratios: Vec<_> = pairs.map(|(own, baseline)| figure(own) / figure(baseline)).collect();
        ratios.sort_by(f64::total_cmp);
        Some(Ratio { median: median(&ratios), lowest: *ratios.first()?, highest: *ratios.last()? })
    }

    /// A line about the engine, for whoever watches.
    pub(crate) fn in_short(&self) -> String {
        let rates = self.rows.iter().map(|(_, rounds)| {
            let rate = median_of(rounds, |round| round.operations_per_second);
            format!("{:.0}", rate / 1000.0)
        });
        let rates = rates.collect::<Vec<_>>().join(", ");
        match self.ratio(Contestant::Strongroom, |round| round.operations_per_second) {
            Some(ratio) => format!("  {rates} thousand a second; the engine {:.2} times", ratio.median),
            None => format!("  {rates} thousand a second"),
        }
    }
}

/// The median of a figure of the rounds.
pub(crate) fn median_of(rounds: &[Measured], figure: fn(&Measured) -> f64) -> f64 {
    let mut figures: Vec<_> = rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    median(&figures)
}

/// The median of figures in order: the mean of the middle two of an even number.
fn median(ordered: &[f64]) -> f64 {
    let middle = ordered.len() / 2;
    match ordered.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => ordered[middle],
        _ => (ordered[middle - 1] + ordered[middle]) / 2.0,
    }
}
