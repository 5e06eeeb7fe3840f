//! What is kept must be owned.

use strongroom::cached;

#[cached(timeout = 600)]
fn name(id: u32) -> &'static str {
    if id == 0 { "nobody" } else { "somebody" }
}

#[cached(timeout = 600)]
fn first(of: &[u32]) -> Option<&u32> {
    of.first()
}

// The `E` is not kept.
#[cached(timeout = 600)]
fn allowed(id: u32) -> Result<u32, &'static str> {
    id.checked_sub(1).ok_or("nobody")
}

fn main() {
    let _ = allowed(1);
}
