//! Where the errors go that a computation doesn't return: what fails in the cache never fails the function.

use std::sync::{Mutex, PoisonError};

use crate::error::Error;

static HOOK: Mutex<fn(&Error)> = Mutex::new(say);

/// Sets what is called with each error of the cache that was not returned, since the value could be
/// computed without it: by [`Cache::get_or_set_with`](crate::Cache::get_or_set_with) and its
/// siblings, and by every [`#[cached]`](macro@crate::cached) function.
///
/// A value that came too late for the host's lease, or that somebody wrote over meanwhile, is no error.
///
/// Without a call to this function a debug build prints such an error to stderr unless it
/// [is transient](Error::is_transient), and a release build ignores it. An error holds neither keys nor
/// values.
///
/// The hook is one for the whole extension. It may use the cache, but not compute once, lest an error
/// in it call it again.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static FAILED: AtomicU32 = AtomicU32::new(0);
///
/// strongroom::on_cache_error(|error| {
///     FAILED.fetch_add(1, Ordering::Relaxed);
///     eprintln!("computed without the cache: {error}");
/// });
/// ```
pub fn on_cache_error(hook: fn(&Error)) {
    *HOOK.lock().unwrap_or_else(PoisonError::into_inner) = hook;
}

/// Passes on an error that is not returned.
pub(crate) fn report(error: &Error) {
    // Copied, so that the hook is called without the lock and may set another.
    let hook = *HOOK.lock().unwrap_or_else(PoisonError::into_inner);
    hook(error);
}

/// What is transient passes by itself; everything else is for the author to mend.
fn say(error: &Error) {
    if cfg!(debug_assertions) && !error.is_transient() {
        eprintln!("strongroom: computed without the cache: {error}");
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        static SEEN: RefCell<Vec<Error>> = const { RefCell::new(Vec::new()) };
    }

    /// What is reported meanwhile. The hook is the same in all tests, and each has a thread of its own.
    pub(crate) fn reported_by(run: impl FnOnce()) -> Vec<Error> {
        on_cache_error(|error| SEEN.with_borrow_mut(|seen| seen.push(error.clone())));
        SEEN.take();
        run();
        SEEN.take()
    }

    #[test]
    fn the_hook_sees_what_is_reported() {
        let seen = reported_by(|| {
            report(&Error::InvalidTtl);
            report(&Error::Unavailable);
        });
        assert_eq!(seen, [Error::InvalidTtl, Error::Unavailable]);
    }

    #[test]
    fn without_a_hook_nothing_panics() {
        say(&Error::InvalidKey);
        say(&Error::Unavailable);
    }
}
