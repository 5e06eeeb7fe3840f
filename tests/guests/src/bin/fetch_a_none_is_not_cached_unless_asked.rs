//! `None` is computed each time, until `cache_none` makes it a hit. A unit is a value like any other.

use strongroom::{ComputeOptions, Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let ttl = Ttl::minutes(1);
    let none = || cache.get_or_set_with("k", ttl, || None::<String>);
    assert_eq!((none(), none()), (None, None));
    assert_eq!(cache.get::<Option<String>>("k").expect("get"), None, "a miss");

    let asked = ComputeOptions::new(ttl).cache_none();
    assert_eq!(cache.get_or_set_with("k", asked, || None::<String>), None);
    assert_eq!(cache.get::<Option<String>>("k").expect("get"), Some(None), "a hit");
    assert_eq!(cache.get_or_set_with("k", ttl, || Some("late".to_owned())), None);

    assert_eq!(cache.get_or_try_set_with("tried", ttl, || Ok::<_, ()>(None::<u8>)), Ok(None));
    assert_eq!(cache.get_or_try_set_with("tried", ttl, || Ok::<_, ()>(Some(1))), Ok(Some(1)));

    cache.get_or_set_with("unit", ttl, || ());
    assert_eq!(cache.get::<()>("unit").expect("get"), Some(()));
}
