//! `uncached` leaves the cache alone, `refresh` replaces, `invalidate` removes.

use std::sync::atomic::{AtomicU32, Ordering};

use strongroom::cached;

static NOW: AtomicU32 = AtomicU32::new(0);

#[cached(timeout = 600, skip(label))]
fn now(place: &str, label: &str) -> Result<Option<u32>, String> {
    let now = NOW.load(Ordering::Relaxed);
    match now {
        0 => Err(format!("{label}: no clock at {place}")),
        1 => Ok(None),
        now => Ok(Some(now)),
    }
}

#[cached(timeout = 600, grace = 60)]
fn graced() -> u32 {
    NOW.load(Ordering::Relaxed)
}

fn set(time: u32) {
    NOW.store(time, Ordering::Relaxed);
}

fn main() {
    assert_eq!(now::invalidate("here", "x"), Ok(false));
    set(5);
    assert_eq!(now::uncached("here", "x"), Ok(Some(5)));
    assert_eq!(now::invalidate("here", "x"), Ok(false), "it was not stored");

    assert_eq!(now("here", "x"), Ok(Some(5)));
    set(6);
    // The label is skipped.
    assert_eq!((now("here", "y"), now("there", "x")), (Ok(Some(5)), Ok(Some(6))));
    assert_eq!(now::uncached("here", "x"), Ok(Some(6)));
    assert_eq!(now("here", "x"), Ok(Some(5)));
    assert_eq!(now::refresh("here", "x"), Ok(Some(6)));
    assert_eq!(now("here", "x"), Ok(Some(6)));

    // A failure changes nothing; what is gone is removed.
    set(0);
    assert_eq!(now::refresh("here", "x"), Err("x: no clock at here".to_owned()));
    assert_eq!(now("here", "x"), Ok(Some(6)));
    set(1);
    assert_eq!(now::refresh("here", "x"), Ok(None));
    assert_eq!(now::invalidate("here", "x"), Ok(false));

    set(7);
    assert_eq!(now("here", "x"), Ok(Some(7)));
    assert_eq!((now::invalidate("here", "x"), now::invalidate("here", "x")), (Ok(true), Ok(false)));

    assert_eq!((graced(), graced::refresh()), (7, 7));
    set(8);
    assert_eq!((graced(), graced::refresh(), graced()), (7, 8, 8));
}
