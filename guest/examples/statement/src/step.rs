//! One line of the report: what a step found in its cache, and how long it took.

use std::fmt;
use std::time::{Duration, Instant};

/// A step that is over.
#[derive(Debug)]
pub(crate) struct Step {
    name: String,
    scope: &'static str,
    found: String,
    took: Duration,
    note: String,
}

impl Step {
    pub(crate) fn since(
        started: Instant,
        name: String,
        scope: &'static str,
        found: impl Into<String>,
    ) -> Self {
        Self { name, scope, found: found.into(), took: started.elapsed(), note: String::new() }
    }

    pub(crate) fn noting(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, scope, found, note, .. } = self;
        let line =
            format!("{name:<21}{scope:<9}{found:<9}{:>10}  {note}", Milliseconds(self.took).to_string());
        f.write_str(line.trim_end())
    }
}

/// A time to the microsecond: `1.234 ms`.
pub(crate) struct Milliseconds(pub(crate) Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let microseconds = self.0.as_micros();
        write!(f, "{}.{:03} ms", microseconds / 1000, microseconds % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_aligned() {
        let mut step = Step::since(Instant::now(), "view all".into(), "session", "time 1");
        step.took = Duration::from_micros(1234);
        assert_eq!(step.to_string(), "view all             session  time 1     1.234 ms");
        assert_eq!(
            step.noting("noted").to_string(),
            "view all             session  time 1     1.234 ms  noted"
        );
    }
}
