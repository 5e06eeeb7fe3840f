//! `Err` and `None` are computed each time, by whatever name the `Result` goes, until asked for.

use std::sync::atomic::{AtomicU32, Ordering};

use strongroom::cached;

static CALLS: AtomicU32 = AtomicU32::new(0);

/// Without serde.
#[derive(Debug, PartialEq)]
struct Down(u32);

type Fallible<T> = Result<T, Down>;

fn call() -> u32 {
    CALLS.fetch_add(1, Ordering::Relaxed) + 1
}

#[cached(timeout = 600)]
fn fails(up: bool) -> Fallible<u32> {
    if up { Ok(call()) } else { Err(Down(call())) }
}

#[cached(timeout = 600, cache_err)]
fn fails_for_long() -> Result<u32, String> {
    Err(call().to_string())
}

#[cached(timeout = 600)]
fn finds_nothing() -> Option<u32> {
    call();
    None
}

#[cached(timeout = 600, cache_none)]
fn finds_nothing_for_long() -> Option<u32> {
    call();
    None
}

#[cached(timeout = 600)]
fn tries_and_finds_nothing() -> Fallible<Option<u32>> {
    call();
    Ok(None)
}

#[cached(timeout = 600, cache_err)]
fn keeps_errors_and_finds_nothing() -> Result<Option<u32>, String> {
    call();
    Ok(None)
}

#[cached(timeout = 600)]
fn checks() -> Fallible<()> {
    call();
    Ok(())
}

/// How often the function was called in three calls.
fn calls<T>(function: impl Fn() -> T) -> u32 {
    CALLS.store(0, Ordering::Relaxed);
    for _ in 0..3 {
        function();
    }
    CALLS.load(Ordering::Relaxed)
}

fn main() {
    assert_eq!(calls(|| fails(false)), 3);
    assert_eq!(fails(false), Err(Down(4)));
    assert_eq!(calls(|| fails(true)), 1);
    assert_eq!(fails(true), Ok(1));
    assert_eq!(calls(fails_for_long), 1);
    assert_eq!(fails_for_long(), Err("1".to_owned()));
    assert_eq!(calls(finds_nothing), 3);
    assert_eq!(calls(finds_nothing_for_long), 1);
    assert_eq!(calls(tries_and_finds_nothing), 3);
    assert_eq!(calls(keeps_errors_and_finds_nothing), 3);
    assert_eq!(calls(checks), 1);
}
