//! One line of the report: what a step found in its cache, and how long it took.

use std::fmt;
use std::time::{Duration, Instant};

use strongroom::Error;

/// What a step found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    Hit,
    Miss,
    /// There is no cache to ask, or it failed.
    Nothing(Error),
}

/// A step that is over.
#[derive(Debug)]
pub(crate) struct Step {
    name: String,
    scope: &'static str,
    found: Found,
    took: Duration,
    note: String,
}

impl Found {
    /// What a read answered, and the value that it found.
    pub(crate) fn from_read<T>(read: Result<Option<T>, Error>) -> (Self, Option<T>) {
        match read {
            Ok(Some(value)) => (Self::Hit, Some(value)),
            Ok(None) => (Self::Miss, None),
            Err(error) => (Self::Nothing(error), None),
        }
    }

    /// Remarks on what went wrong, if something did.
    fn remark(&self, scope: &str) -> String {
        match self {
            Self::Hit | Self::Miss => String::new(),
            Self::Nothing(Error::NoSuchScope) => format!("this run has no {scope}"),
            Self::Nothing(error) if error.is_transient() => "no cache answers now".to_owned(),
            Self::Nothing(error) => error.to_string(),
        }
    }
}

impl Step {
    pub(crate) fn since(started: Instant, name: String, scope: &'static str, found: Found) -> Self {
        let note = found.remark(scope);
        Self { name, scope, found, took: started.elapsed(), note }
    }

    /// Adds a remark, if there is one to make.
    pub(crate) fn noting(mut self, remark: impl AsRef<str>) -> Self {
        let remark = remark.as_ref();
        if !self.note.is_empty() && !remark.is_empty() {
            self.note += ", ";
        }
        self.note += remark;
        self
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = match self.found {
            Found::Hit => "hit",
            Found::Miss => "miss",
            Found::Nothing(_) => "none",
        };
        let milliseconds = self.took.as_secs_f64() * 1000.0;
        let line =
            format!("{:<19}{:<9}{found:<5}{milliseconds:>9.3} ms  {}", self.name, self.scope, self.note);
        f.write_str(line.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(found: Found) -> Step {
        let mut step = Step::since(Instant::now(), "last conversion".into(), "session", found);
        step.took = Duration::from_micros(1234);
        step
    }

    #[test]
    fn lines_are_aligned() {
        assert_eq!(step(Found::Hit).to_string(), "last conversion    session  hit      1.234 ms");
        assert_eq!(
            step(Found::Miss).noting("stored").to_string(),
            "last conversion    session  miss     1.234 ms  stored"
        );
    }

    #[test]
    fn a_cache_that_is_not_there_is_told_from_one_that_fails() {
        let line = |error| step(Found::Nothing(error)).to_string();
        assert!(line(Error::NoSuchScope).ends_with("none     1.234 ms  this run has no session"));
        assert!(line(Error::Unavailable).ends_with("no cache answers now"));
    }
}
