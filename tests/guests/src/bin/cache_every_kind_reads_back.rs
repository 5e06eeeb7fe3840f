//! Values of every kind read back as they were set, and one kind reads as another type that can hold it.

use std::collections::BTreeMap;
use strongroom::{Ttl, stack_cache};

fn main() {
    let cache = stack_cache().expect("a stack");
    let ttl = Ttl::minutes(1);

    cache.set("text", "naïve ☃ \u{0}\r\n", ttl).expect("set");
    assert_eq!(cache.get::<String>("text").expect("get").as_deref(), Some("naïve ☃ \u{0}\r\n"));

    let bytes: Vec<u8> = (0..=255).collect();
    cache.set_bytes("bytes", &bytes, ttl).expect("set");
    assert_eq!(cache.get_bytes("bytes").expect("get"), Some(bytes));

    for number in [0, -1, i64::MIN, i64::MAX] {
        cache.set("integer", &number, ttl).expect("set");
        assert_eq!(cache.get::<i64>("integer").expect("get"), Some(number));
    }

    let map = BTreeMap::from([("usd".to_owned(), vec![1.5, -0.25]), ("jpy".to_owned(), vec![])]);
    cache.set("json", &map, ttl).expect("set");
    assert_eq!(cache.get::<BTreeMap<String, Vec<f64>>>("json").expect("get"), Some(map));
}
