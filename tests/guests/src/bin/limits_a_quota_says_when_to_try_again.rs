//! Beyond its stack's quota of 50 operations a second an operation says when to try again, changes nothing,
//! and is done then. A batch has no more keys than that.

use std::thread::sleep;

use strongroom::{Error, Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let (mut stored, mut refused) = (0, 0);
    while refused < 3 {
        assert!(stored < 10_000, "it is never refused");
        match cache.set(&format!("key {stored}"), &stored, Ttl::minutes(1)) {
            Ok(()) => stored += 1,
            Err(Error::QuotaExceeded { retry_after, .. }) => {
                refused += 1;
                assert!(retry_after.as_millis() <= 20, "one operation is 20 ms: {retry_after:?}");
                sleep(retry_after);
                // Others of the stack may have been faster, but there are none.
                cache.set(&format!("key {stored}"), &stored, Ttl::minutes(1)).expect("it is time");
                stored += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(stored >= 52, "a second's worth at once, of which one has opened the cache: {stored}");

    let keys: Vec<_> = (0..51).map(|number| format!("key {number}")).collect();
    let refused = cache.get_many::<i64>(&keys).expect_err("it never fits");
    assert!(matches!(refused, Error::BatchTooLarge { limit: 50, .. }), "{refused}");
    let Err(Error::QuotaExceeded { retry_after, .. }) = cache.get_many::<i64>(&keys[..50]) else {
        panic!("there are not 50 left")
    };
    sleep(retry_after);
    let found = cache.get_many::<i64>(&keys[..50]).expect("it is time");
    assert!(found.iter().zip(0..).all(|(found, number)| *found == Some(number)), "nothing is lost");
}
