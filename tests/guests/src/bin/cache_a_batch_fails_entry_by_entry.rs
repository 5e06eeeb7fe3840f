//! In a batch of sets the bad entries fail, and the good ones are stored.

use strongroom::{Error, Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let large = "x".repeat(2 * 1024 * 1024 + 1);
    let entries = [("good", "1"), ("", "2"), ("large", large.as_str()), ("fine", "4")];
    let outcomes = cache.set_many(entries, Ttl::minutes(1)).expect("set_many");
    assert_eq!(outcomes[0], Ok(()));
    assert_eq!(outcomes[1], Err(Error::InvalidKey));
    assert!(matches!(outcomes[2], Err(Error::ValueTooLarge { limit: 2_097_152, .. })));
    assert_eq!(outcomes[3], Ok(()));
    let found = cache.get_many::<String>(["good", "large", "fine"]).expect("get_many");
    assert_eq!(found, [Some("1".to_owned()), None, Some("4".to_owned())]);
}
