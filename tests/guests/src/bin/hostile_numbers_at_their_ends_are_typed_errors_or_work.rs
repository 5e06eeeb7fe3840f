//! The largest and smallest numbers wherever the contract takes one, without the SDK's own checks.

#[path = "../raw.rs"]
mod raw;

use raw::strongroom::cache::stack;
use raw::strongroom::cache::types::{Cache, Error, Fetched, SwapOutcome, Value};

const MOST: u64 = i64::MAX as u64;

fn opened() -> Cache {
    let cache = stack::open(Some("numbers")).expect("a stack");
    let keys = ["ttl", "count", "integer", "one", "two", "grace", "json"].map(str::to_owned);
    cache.delete_many(&keys).expect("delete_many");
    cache
}

fn main() {
    let cache = opened();
    let text = |text: &str| Value::Text(text.to_owned());
    let is_text =
        |value: Option<Value>, expected: &str| matches!(value, Some(Value::Text(text)) if text == expected);

    // Lifetimes: none is zero, and any other is one.
    assert!(matches!(cache.set("ttl", &text("x"), Some(0)), Err(Error::InvalidTtl)));
    assert!(matches!(cache.touch("ttl", Some(0)), Err(Error::InvalidTtl)));
    assert!(matches!(cache.increment("ttl", 1, 1, Some(0)), Err(Error::InvalidTtl)));
    assert!(cache.get("ttl").expect("get").is_none(), "nothing was stored");
    for seconds in [u32::MAX, i32::MAX as u32, i32::MAX as u32 + 1, 30 * 86_400, 30 * 86_400 + 1] {
        cache.set("ttl", &text("x"), Some(seconds)).expect("set");
        assert!(is_text(cache.get("ttl").expect("get"), "x"), "{seconds}");
        assert!(cache.touch("ttl", Some(seconds)).expect("touch"));
        assert!(is_text(cache.get("ttl").expect("get"), "x"), "{seconds}");
    }

    // Counters stop at both ends, whatever they begin with.
    assert_eq!(cache.increment("count", u64::MAX, u64::MAX, None).expect("begins"), MOST);
    assert_eq!(cache.increment("count", u64::MAX, 0, None).expect("stops"), MOST);
    assert_eq!(cache.decrement("count", u64::MAX, u64::MAX, None).expect("stops"), 0);
    assert_eq!(cache.decrement("count", u64::MAX, 0, None).expect("stops"), 0);
    assert_eq!(cache.increment("count", u64::MAX, 0, None).expect("stops"), MOST);
    for number in [i64::MIN, -1, i64::MAX] {
        cache.set("integer", &Value::Integer(number), None).expect("set");
        assert!(matches!(cache.get("integer"), Ok(Some(Value::Integer(found))) if found == number));
    }
    cache.set("integer", &Value::Integer(i64::MIN), None).expect("set");
    assert!(matches!(cache.increment("integer", 1, 1, None), Err(Error::NotAnInteger)));

    // Versions that were never given out, and one of another key.
    cache.set("one", &text("1"), None).expect("set");
    cache.set("two", &text("2"), None).expect("set");
    let of_two = cache.get_versioned("two").expect("get").expect("it is there").version;
    for version in (0..100).chain([u64::MAX, u64::MAX - 1, MOST, of_two, of_two.wrapping_sub(1)]) {
        let outcome = cache.swap("one", &text("swapped"), version, None).expect("swap");
        assert_eq!(outcome, SwapOutcome::Changed, "{version}");
        let missing = cache.swap("nothing", &text("swapped"), version, None).expect("swap");
        assert_eq!(missing, SwapOutcome::Missing, "{version}");
    }
    assert!(is_text(cache.get("one").expect("get"), "1"));

    // A grace beyond its cap; and a fill whose value is refused is still held.
    assert!(matches!(cache.fetch("grace", u32::MAX, 0), Err(Error::InvalidTtl)));
    assert!(matches!(cache.fetch("grace", 65_536, 0), Err(Error::InvalidTtl)));
    let Ok(Fetched::Vacant(fill)) = cache.fetch("grace", 65_535, 0) else { panic!("nobody has it") };
    assert!(matches!(fill.complete(&text("x"), Some(0)), Err(Error::InvalidTtl)));
    let large = Value::Bytes(vec![0; 2 * 1024 * 1024 + 1]);
    assert!(matches!(fill.complete(&large, None), Err(Error::ValueTooLarge(2_097_152))));
    assert!(fill.complete(&text("first"), Some(u32::MAX)).expect("complete"));
    assert!(!fill.complete(&text("second"), None).expect("a fill completes once"));
    drop(fill);
    assert!(is_text(cache.get("grace").expect("get"), "first"));

    // What is said to be JSON need not be.
    cache.set("json", &Value::Json("{no json".to_owned()), None).expect("set");
    assert!(matches!(cache.get("json"), Ok(Some(Value::Json(text))) if text == "{no json"));
}
