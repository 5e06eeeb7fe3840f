//! How a command fails: an exit code, and mostly one line that says why.

use std::error::Error;
use std::process::ExitCode;

/// Why the program ends with something else than 0.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    /// `None` where enough was said already.
    line: Option<String>,
}

impl Failure {
    /// What was asked for did not work.
    pub(crate) const FAILED: u8 = 1;
    /// The arguments, the settings or a file are not what they have to be. Clap uses the same code.
    pub(crate) const INVALID: u8 = 2;
    /// The component may not run here.
    pub(crate) const REFUSED: u8 = 3;

    pub(crate) fn failed(line: impl Into<String>) -> Self {
        Self { code: Self::FAILED, line: Some(line.into()) }
    }

    pub(crate) fn invalid(line: impl Into<String>) -> Self {
        Self { code: Self::INVALID, line: Some(line.into()) }
    }

    pub(crate) fn refused(line: impl Into<String>) -> Self {
        Self { code: Self::REFUSED, line: Some(line.into()) }
    }

    /// Ends with this code and says nothing more.
    pub(crate) fn silent(code: u8) -> Self {
        Self { code, line: None }
    }

    /// The code and the line of an error of the library's.
    pub(crate) fn of_host(error: &strongroom_host::Error) -> Self {
        if error.is_invalid_config() || error.is_invalid_key() {
            return Self::invalid(error.to_string());
        }
        if error.is_access_denied() {
            return Self::refused(error.to_string());
        }
        // The innermost error is the one that says what happened, as "connection refused".
        let mut innermost: &dyn Error = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        Self::failed(innermost.to_string())
    }

    /// Puts what the failure is about before its line.
    #[must_use]
    pub(crate) fn about(mut self, what: impl std::fmt::Display) -> Self {
        self.line = self.line.map(|line| format!("{what}: {line}"));
        self
    }

    /// Says why on stderr, and answers the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if let Some(line) = &self.line {
            eprintln!("strongroom: {}", one_line(line));
        }
        ExitCode::from(self.code)
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    #[cfg(test)]
    pub(crate) fn line(&self) -> &str {
        self.line.as_deref().unwrap_or_default()
    }
}

/// The text without line breaks and other control characters, which paths and names of others may hold.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.trim().chars() {
        match c {
            '\n' | '\r' | '\t' => line.push(' '),
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(one_line("a\nb\u{1b}[2J\n"), "a b\\u{1b}[2J");
    }

    #[test]
    fn what_a_failure_is_about_comes_first() {
        let failure = Failure::invalid("is a directory").about("x.wasm");
        assert_eq!((failure.code(), failure.line()), (2, "x.wasm: is a directory"));
        assert_eq!(Failure::silent(7).about("x.wasm").line(), "");
    }
}
