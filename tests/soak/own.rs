//! What one caller knows of a key that only it writes: which of its writings may still be there.
//!
//! An acknowledged writing replaces all before it, but one whose outcome is unknown may happen at any time
//! within what a server that hangs may hold back. One that has changed nothing, by its answer, must never be
//! seen.

use std::time::{Duration, Instant};

/// Longer than any fault, so than anything can be held back.
const DOUBT: Duration = Duration::from_secs(60);

pub(crate) struct Own {
    pub(crate) key: String,
    next: u64,
    acknowledged: Option<u64>,
    in_doubt: Vec<(u64, Instant)>,
}

impl Own {
    pub(crate) fn new(key: String) -> Self {
        Self { key, next: 1, acknowledged: None, in_doubt: Vec::new() }
    }

    /// The number of the next writing.
    pub(crate) fn next(&mut self) -> u64 {
        self.next += 1;
        self.next & crate::value::WRITING_MAX
    }

    pub(crate) fn written(&mut self, writing: u64) {
        self.acknowledged = Some(writing);
    }

    /// The writing may happen, or have happened.
    pub(crate) fn doubted(&mut self, writing: u64) {
        let now = Instant::now();
        self.in_doubt.retain(|(_, since)| now - *since < DOUBT);
        self.in_doubt.push((writing, now));
    }

    /// Deleted, or seen to be missing: what was there does not come back.
    pub(crate) fn missing(&mut self) {
        self.acknowledged = None;
    }

    /// A writing was read.
    pub(crate) fn seen(&mut self, writing: u64) -> Result<(), String> {
        if self.acknowledged == Some(writing) {
            return Ok(());
        }
        let Some(at) = self.in_doubt.iter().position(|(doubted, _)| *doubted == writing) else {
            let Self { acknowledged, in_doubt, .. } = self;
            let in_doubt: Vec<_> = in_doubt.iter().map(|(writing, _)| writing).collect();
            return Err(format!(
                "writing {writing} of a key of its own; acknowledged was {acknowledged:?}, in doubt were \
                 {in_doubt:?}"
            ));
        };
        self.in_doubt.remove(at);
        self.acknowledged = Some(writing);
        Ok(())
    }
}

/// Whether a stale reply would be noticed.
pub(crate) fn can_tell() -> bool {
    let mut own = Own::new(String::new());
    own.written(1);
    own.doubted(2);
    let in_order = own.seen(1).is_ok() && own.seen(2).is_ok() && own.seen(1).is_err();
    own.written(3);
    in_order && own.seen(2).is_err() && own.seen(3).is_ok()
}
