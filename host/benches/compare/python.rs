//! pymemcache, where Python has it: a process of its own, with one thread and one connection.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::cpu_time::CpuTime;
use crate::load::{KEYS, Load};
use crate::round::Place;
use crate::series::Series;
use crate::statistics::{Measured, Quantiles};

/// The caller, in Python.
const SCRIPT: &str = include_str!("pymemcache_caller.py");

/// An interpreter that has pymemcache.
pub(crate) struct Python {
    program: String,
    /// Versions of Python and pymemcache.
    pub(crate) version: String,
}

impl Python {
    /// The interpreter that `PYTHON` names, or `python3`.
    pub(crate) fn find() -> Option<Self> {
        let program = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let asked = "import platform, pymemcache; \
                     print('pymemcache', pymemcache.__version__, 'on Python', platform.python_version())";
        let output = Command::new(&program).args(["-c", asked]).output().ok()?;
        let version = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !version.is_empty()).then_some(Self { program, version })
    }

    /// Runs a round.
    pub(crate) fn round(
        &self,
        series: &Series,
        load: &Arc<Load>,
        place: &Place<'_>,
    ) -> Result<Measured, String> {
        let prefix = load.names[0].split(':').next().unwrap_or_default();
        let numbers = [place.server.port() as usize, KEYS, series.value_bytes, series.gets_percent];
        let before = place.server.cpu_time();
        let output = Command::new(&self.program)
            .args(["-c", SCRIPT, prefix])
            .args(numbers.map(|number| number.to_string()))
            .args([place.warm_up, place.length].map(|time| time.as_secs_f64().to_string()))
            .output()
            .map_err(|error| format!("{}: {error}", self.program))?;
        let server = CpuTime::between(before, place.server.cpu_time());
        if !output.status.success() {
            return Err(format!("{}: {}", self.program, String::from_utf8_lossy(&output.stderr).trim_end()));
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let figures: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [rate, all, cpu, p50, p99, p999] = figures[..] else {
            return Err(format!("{} said {said:?}", self.program));
        };
        Ok(Measured {
            operations_per_second: rate,
            large_megabytes_per_second: 0.0,
            latency: Quantiles {
                p50: Duration::from_secs_f64(p50),
                p99: Duration::from_secs_f64(p99),
                p999: Duration::from_secs_f64(p999),
            },
            own_cpu: Some(cpu / all),
            server_cpu: server.map(|time| time.seconds() / all),
        })
    }
}
