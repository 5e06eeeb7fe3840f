//! Guests of the suite `fetch`: reading a value, or the right to compute it.

use crate::kinds::passes;

crate::guests::foreach_fetch!(passes);
