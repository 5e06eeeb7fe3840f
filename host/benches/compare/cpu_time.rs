//! Processor time of a process, as Linux counts it.

use std::fs;

/// How finely Linux counts a process's time, in ticks a second. The same on all its common builds.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time that a process has used, in user and kernel mode, by all its threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuTime(f64);

impl CpuTime {
    pub(crate) fn of_this_process() -> Option<Self> {
        Self::of_process("self")
    }

    /// From `/proc/PID/stat`, whose fields after the name in parentheses are numbers; `utime` and `stime` are
    /// the 14th and 15th of all.
    pub(crate) fn of_process(pid: &str) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<f64>().ok();
        Some(Self((ticks()? + ticks()?) / TICKS_PER_SECOND))
    }

    pub(crate) fn between(begin: Option<Self>, end: Option<Self>) -> Option<Self> {
        Some(Self(end?.0 - begin?.0))
    }

    pub(crate) fn seconds(self) -> f64 {
        self.0
    }
}
