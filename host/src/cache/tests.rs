//! What the tests of the cache stand on.

pub(super) mod slow;
