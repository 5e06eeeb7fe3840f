//! Batches answer as many as they were asked, in the same order; the last of a repeated key stays.

use strongroom::{Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let entries = [("a", "1"), ("b", "2"), ("a", "3")];
    let outcomes = cache.set_many(entries, Ttl::minutes(1)).expect("set_many");
    assert_eq!(outcomes, [Ok(()), Ok(()), Ok(())]);

    // Large values have a way of their own, and must not arrive there after a small one that came later.
    let mut noise = 1_u32;
    let letters = std::iter::from_fn(|| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(char::from(b'!' + (noise >> 24) as u8 % 90))
    });
    let large: String = letters.take(60_000).collect();
    for _ in 0..20 {
        let entries = [
            ("first", "small"),
            ("large", &large),
            ("large", "small"),
            ("small", "small"),
            ("small", &large),
        ];
        let outcomes = cache.set_many(entries, Ttl::minutes(1)).expect("set_many");
        assert_eq!(outcomes, [Ok(()), Ok(()), Ok(()), Ok(()), Ok(())]);
        let found = cache.get_many::<String>(["large", "small"]).expect("get_many");
        assert_eq!(found, [Some("small".to_owned()), Some(large.clone())]);
    }

    let found = cache.get_many::<String>(["b", "none", "a", "b"]).expect("get_many");
    let found: Vec<_> = found.iter().map(Option::as_deref).collect();
    assert_eq!(found, [Some("2"), None, Some("3"), Some("2")]);

    assert_eq!(cache.delete_many(["a", "none", "a", "b"]).expect("delete_many"), 2);
    assert_eq!(cache.delete_many(["a"]).expect("delete_many"), 0);

    let nothing: [&str; 0] = [];
    assert_eq!(cache.get_many::<String>(nothing).expect("get_many"), []);
    assert_eq!(cache.delete_many(nothing).expect("delete_many"), 0);
    assert_eq!(cache.set_many([("", 0); 0], Ttl::minutes(1)).expect("set_many"), []);
}
