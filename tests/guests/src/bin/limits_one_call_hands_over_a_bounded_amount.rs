//! A guest that hands over more than a batch can hold in one call is stopped before the host copies it.

use strongroom::{Ttl, stack_cache};

fn main() {
    let bytes = vec![0; 32 * 1024 * 1024];
    let answered = stack_cache().expect("a stack").set_bytes("k", &bytes, Ttl::minutes(1));
    println!("{answered:?}");
}
