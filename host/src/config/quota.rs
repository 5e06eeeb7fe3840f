//! The settings of quotas and limits: what each stack may do on a host, and each invocation.

use std::num::NonZeroU32;

use super::Config;
use crate::error::Error;
use crate::invocation::InvocationLimits;
use crate::limits::{HANDLES_MAX, IDENTIFIER_BYTES_MAX};
use crate::quota::{Change, Quota};

/// How one stack's quota is written down.
const FORM: &str =
    "\"STACK: operations=N bytes_written=N concurrent=N\", of which each may be left out, or be none";

/// Quotas and limits.
impl Config {
    /// What each stack may do on this host; [no limit](Quota::UNLIMITED) unless set.
    #[must_use]
    pub fn quota(mut self, quota: Quota) -> Self {
        self.quotas.default = quota;
        self
    }

    /// What one stack may do on this host, in place of the whole [`quota`](Self::quota) of all others: what
    /// it does not set is not limited for this stack. Stacks of that name in every service have it, each
    /// counted by itself.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] where the stack's identifier is empty or longer than 256 bytes.
    pub fn stack_quota(mut self, stack: &str, quota: Quota) -> Result<Self, Error> {
        check_stack(stack)?;
        self.quotas.stacks.insert(stack.to_owned(), Change::to(quota));
        Ok(self)
    }

    /// Whether the quota of any stack is limited.
    pub fn has_quotas(&self) -> bool {
        let is_limited = |quota: Quota| quota != Quota::UNLIMITED;
        is_limited(self.quotas.default)
            || self.quotas.stacks.keys().any(|stack| is_limited(self.quotas.of(Some(stack))))
    }

    /// What each invocation may do, unless its [`CacheCtx`](crate::CacheCtxBuilder::limits) says something
    /// else; [no limit](InvocationLimits::UNLIMITED) unless set.
    #[must_use]
    pub fn invocation_limits(mut self, limits: InvocationLimits) -> Self {
        self.invocation_limits = limits;
        self
    }

    /// One setting of the quota more.
    pub(super) fn change_quota(self, change: impl Fn(Quota) -> Quota) -> Self {
        let quota = change(self.quotas.default);
        self.quota(quota)
    }

    /// One setting of the limits more.
    pub(super) fn change_limits(self, change: impl Fn(InvocationLimits) -> InvocationLimits) -> Self {
        let limits = change(self.invocation_limits);
        self.invocation_limits(limits)
    }

    /// `stack_quotas = ["acme: operations=500 concurrent=none", ...]`. What a stack's line leaves out is as
    /// for all others.
    pub(super) fn read_stack_quotas(mut self, lines: &[String]) -> Result<Self, Error> {
        let allowed = || Error::invalid_config(format!("stack_quotas: allowed are {FORM}"));
        // A list takes the place of an earlier one, as all lists do.
        self.quotas.stacks.clear();
        for line in lines.iter().filter(|line| !line.is_empty()) {
            // From the right, as a stack may be called anything.
            let (stack, words) = line.rsplit_once(':').ok_or_else(allowed)?;
            check_stack(stack)?;
            self.quotas.stacks.insert(stack.to_owned(), read_change(words).ok_or_else(allowed)?);
        }
        Ok(self)
    }
}

fn check_stack(stack: &str) -> Result<(), Error> {
    if stack.is_empty() || stack.len() > IDENTIFIER_BYTES_MAX {
        return Err(Error::invalid_config("stack_quotas: a stack has 1 to 256 bytes"));
    }
    Ok(())
}

fn read_change(words: &str) -> Option<Change> {
    let mut change = Change::default();
    for word in words.split_whitespace() {
        let (name, number) = word.split_once('=')?;
        let number = if number == "none" { None } else { Some(number.parse().ok()?) };
        match name {
            "operations" => change.operations = Some(number),
            "bytes_written" => change.bytes_written = Some(number),
            "concurrent" => change.concurrent = Some(number),
            _ => return None,
        }
    }
    Some(change)
}

/// Handles as the setting says: at most what the limited table holds.
pub(super) fn handles(handles: NonZeroU32) -> Result<NonZeroU32, Error> {
    if handles.get() as usize > HANDLES_MAX {
        return Err(Error::invalid_config("invocation_handles: allowed are 1 to 1024"));
    }
    Ok(handles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, values: &[&str]) -> Result<Config, Error> {
        let values: Vec<_> = values.iter().map(|&value| value.to_owned()).collect();
        Config::new().with_setting(name, &values)
    }

    #[test]
    fn a_stacks_line_changes_what_it_names() {
        let change = read_change(" operations=500  concurrent=none").expect("of the right form");
        assert_eq!(change.operations, Some(NonZeroU32::new(500)));
        assert_eq!((change.bytes_written, change.concurrent), (None, Some(None)));
        for wrong in
            ["operations", "operations=", "operations=0", "operations=-1", "bytes=5", "operations=1,2"]
        {
            assert!(read_change(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_quota_is_one_where_any_stack_is_limited() {
        assert!(!Config::new().has_quotas());
        assert!(read("quota_concurrent", &["5"]).expect("of the right form").has_quotas());
        assert!(read("stack_quotas", &["acme: operations=5"]).expect("of the right form").has_quotas());
        assert!(!read("stack_quotas", &["acme: operations=none"]).expect("of the right form").has_quotas());
    }

    #[test]
    fn stacks_may_be_called_anything() {
        let config = read("stack_quotas", &["a: b=c:operations=5", "", "ünï:"]).expect("of the right form");
        let mut stacks: Vec<_> = config.quotas.stacks.keys().collect();
        stacks.sort();
        assert_eq!(stacks, ["a: b=c", "ünï"]);
    }

    #[test]
    fn what_is_wrong_is_named_without_the_stack() {
        for line in ["acme", "acme operations=5", ":operations=5", "acme: operations=many"] {
            let error = read("stack_quotas", &[line]).expect_err("it is wrong").to_string();
            assert!(error.starts_with("stack_quotas: ") && !error.contains("acme"), "{error}");
        }
        for name in ["quota_operations", "quota_bytes_written", "quota_concurrent", "invocation_handles"] {
            let error = read(name, &["0"]).expect_err("at least one").to_string();
            assert!(error.starts_with(&format!("{name}: allowed is a number")), "{error}");
        }
        assert!(read("invocation_handles", &["1025"]).is_err());
        assert!(read("invocation_time", &["-1"]).is_err());
    }

    #[test]
    fn limits_are_read_one_by_one() {
        let config = read("invocation_operations", &["7"])
            .and_then(|config| config.with_setting("invocation_time", &["0.5".to_owned()]));
        let expected = InvocationLimits::UNLIMITED.operations(7).time(std::time::Duration::from_millis(500));
        assert_eq!(config.expect("of the right form").invocation_limits, expected);
    }
}
