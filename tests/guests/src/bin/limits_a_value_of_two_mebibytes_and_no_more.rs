//! A value of exactly 2 MiB is stored; with one byte more it is refused, and the old entry stays.

use strongroom::{Error, Ttl, stack_cache};

const LIMIT: usize = 2 * 1024 * 1024;

fn main() {
    let cache = stack_cache().expect("a stack");
    // Bytes that do not compress: a linear congruential generator's.
    let mut state = 1u32;
    let mut noise: Vec<u8> = (0..LIMIT)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    cache.set_bytes("k", &noise, Ttl::minutes(1)).expect("2 MiB");
    assert!(cache.get_bytes("k").expect("get").as_ref() == Some(&noise));

    let kept = noise.clone();
    noise.push(0);
    let refused = cache.set_bytes("k", &noise, Ttl::minutes(1));
    assert!(matches!(refused, Err(Error::ValueTooLarge { limit, .. }) if limit == LIMIT as u64));
    assert!(cache.get_bytes("k").expect("get") == Some(kept), "the old entry is untouched");

    // What compresses well is measured before it is compressed.
    let zeros = vec![0; LIMIT + 1];
    let refused = cache.set_bytes("zeros", &zeros, Ttl::minutes(1));
    assert!(matches!(refused, Err(Error::ValueTooLarge { limit, .. }) if limit == LIMIT as u64));
    cache.set_bytes("zeros", &zeros[1..], Ttl::minutes(1)).expect("2 MiB of zeros");
    assert!(cache.get_bytes("zeros").expect("get").as_deref() == Some(&zeros[1..]));
}
