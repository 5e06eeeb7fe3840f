//! What `tests/fuzz` runs: each takes a fuzzer's bytes, and panics where the host does not do what it
//! promises. Compiled with the feature `fuzzing` only, and no part of the API.

pub use crate::config::fuzzing as config;
pub use crate::input::Input;

/// Replies of servers: the decoder of the meta protocol, the connection that hands replies out, greetings,
/// discovery, and the checks before the classic client.
pub fn protocol(bytes: &[u8]) {
    crate::backend::fuzzing::replies(Input::new(bytes));
}

/// Stored entries, and files of recent keys.
pub fn entry(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.below(4) {
        0 => crate::codec::fuzzing::foreign(input),
        1 => crate::codec::fuzzing::altered(input),
        2 => crate::codec::fuzzing::altered_file(input),
        _ => crate::recent::fuzz_file(input),
    }
}

/// What is derived of places with hostile names.
pub fn key(bytes: &[u8]) {
    crate::key::fuzzing::derive(Input::new(bytes));
}
