//! Tests of what goes through the whole cache, and what they stand on.

mod shared;
pub(super) mod slow;
