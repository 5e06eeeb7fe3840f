//! Turns: callers of one host that read, compute and write the same key take them, so that they don't undo
//! each other's work.
//!
//! A compare-and-swap loop makes sure that nothing is lost; turns make sure that it gets somewhere. Other
//! hosts don't take part.

use tokio::sync::{Mutex, MutexGuard};

use crate::stored::StorageKey;

/// How many keys can have their turns at once. Two keys that share one wait for each other, no more.
const STRIPES: usize = 256;

/// Who is at work on which keys.
pub(crate) struct Turns([Mutex<()>; STRIPES]);

impl Turns {
    pub(crate) fn new() -> Self {
        Self([const { Mutex::const_new(()) }; STRIPES])
    }

    /// Waits for the key's turn, which ends when what is answered is dropped.
    pub(crate) async fn take(&self, key: &StorageKey) -> MutexGuard<'_, ()> {
        // A storage key ends in a keyed hash, six bits a character: two of them are evenly spread.
        let stripe = key.as_bytes().iter().rev().take(2).fold(0, |sum, byte| sum * 31 + usize::from(*byte));
        self.0[stripe % STRIPES].lock().await
    }
}
