//! Limits a guest's memory: all its memories together, and its tables.

use wasmtime::ResourceLimiter;

/// Elements of all tables together. Function tables of large components (a JavaScript engine) hold some
/// ten thousand; each element costs the host a pointer or two.
const TABLE_ELEMENTS_MAX: usize = 200_000;

/// Core instances, memories and tables of one component each. A Python component has about 60 instances.
const PARTS_MAX: usize = 200;

/// Counts what a store's guest uses, and refuses what is beyond its limit.
///
/// (Wasmtime's own `StoreLimits` limits each memory by itself, and a component may have many.)
pub(crate) struct Limiter {
    memory_bytes_max: usize,
    memory_bytes: usize,
    table_elements: usize,
    /// What the last permitted growth added, in case that it fails.
    last_growth_bytes: usize,
    was_refused: bool,
}

impl Limiter {
    pub(crate) fn new(memory_bytes_max: usize) -> Self {
        Self {
            memory_bytes_max,
            memory_bytes: 0,
            table_elements: 0,
            last_growth_bytes: 0,
            was_refused: false,
        }
    }

    /// Whether the guest asked for more memory than it may have.
    pub(crate) fn was_refused(&self) -> bool {
        self.was_refused
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Beyond the maximum that the guest itself declares it fails anyway, and is not to be counted.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let growth = desired.saturating_sub(current);
        let total = self.memory_bytes.saturating_add(growth);
        if total > self.memory_bytes_max {
            self.was_refused = true;
            return Ok(false);
        }
        self.memory_bytes = total;
        self.last_growth_bytes = growth;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_bytes -= std::mem::take(&mut self.last_growth_bytes);
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let total = self.table_elements.saturating_add(desired.saturating_sub(current));
        if total > TABLE_ELEMENTS_MAX {
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        PARTS_MAX
    }

    fn tables(&self) -> usize {
        PARTS_MAX
    }

    fn memories(&self) -> usize {
        PARTS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 65_536;

    fn grow(limiter: &mut Limiter, from: usize, to: usize) -> bool {
        limiter.memory_growing(from * PAGE, to * PAGE, None).expect("it never traps")
    }

    #[test]
    fn all_memories_count_together() {
        let mut limiter = Limiter::new(10 * PAGE);
        assert!(grow(&mut limiter, 0, 6));
        assert!(grow(&mut limiter, 0, 3));
        assert!(!limiter.was_refused());
        assert!(!grow(&mut limiter, 6, 8));
        assert!(limiter.was_refused());
        assert!(grow(&mut limiter, 6, 7), "what still fits is granted");
    }

    #[test]
    fn growth_that_fails_is_not_counted() {
        let mut limiter = Limiter::new(10 * PAGE);
        assert!(grow(&mut limiter, 0, 10));
        limiter.memory_grow_failed(wasmtime::format_err!("no memory")).expect("it never traps");
        assert!(grow(&mut limiter, 0, 10));
        assert!(!limiter.memory_growing(0, 5 * PAGE, Some(4 * PAGE)).expect("it never traps"));
        assert!(!limiter.was_refused());
    }

    #[test]
    fn tables_are_limited() {
        let mut limiter = Limiter::new(PAGE);
        assert!(limiter.table_growing(0, TABLE_ELEMENTS_MAX, None).expect("it never traps"));
        assert!(!limiter.table_growing(0, 1, None).expect("it never traps"));
    }
}
