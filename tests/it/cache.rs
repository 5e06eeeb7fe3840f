//! Guests of the suite `cache`: the operations, as an extension author meets them.

use crate::kinds::passes;

crate::guests::foreach_cache!(passes);
