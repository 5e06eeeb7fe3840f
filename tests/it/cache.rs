//! Guests of the suite `cache`: the operations, as an extension author meets them.

use crate::harness::passes;

crate::guests::foreach_cache!(passes);
