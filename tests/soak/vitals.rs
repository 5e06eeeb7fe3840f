//! What the process holds: memory and sockets, as the kernel counts them.

use std::fs;

/// Bytes of a page, on every machine that this has been run on.
const PAGE_BYTES: u64 = 4096;

/// Resident memory, in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * PAGE_BYTES
}

/// Open sockets of this process, both ends where both are here.
pub(crate) fn sockets() -> usize {
    let open = fs::read_dir("/proc/self/fd").expect("Linux");
    let targets = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}
