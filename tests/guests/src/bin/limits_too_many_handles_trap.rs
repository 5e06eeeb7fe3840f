//! A guest that opens caches without end is stopped.

fn main() {
    let mut held = Vec::new();
    for _ in 0..100_000 {
        held.push(strongroom::stack_cache().expect("a stack"));
    }
}
