//! Free functions, with all that their signatures may have.
#![deny(warnings)]

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use strongroom::{Ttl, cached};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    per_euro: f64,
}

/// Documented.
#[cached(timeout = 600)]
#[must_use]
pub fn rate(currency: &str, mut day: u32) -> Rate {
    day += 1;
    Rate { per_euro: f64::from(day) + currency.len() as f64 }
}

#[cached(timeout = Ttl::hours(1), grace = 60, wait = 1, version = 2, namespace = "n", scope = stack)]
fn every_option() -> u8 {
    1
}

#[cached(timeout = Duration::from_secs(5), grace = Duration::from_secs(1), cache_none = false)]
fn durations() -> u8 {
    2
}

#[cached(timeout = 600)]
fn generic<T: Serialize + DeserializeOwned, const N: usize>(values: [T; N]) -> Vec<T>
where
    [T; N]: Serialize,
{
    values.into_iter().collect()
}

#[cached(timeout = 600)]
fn only_in_types<T>() -> String {
    std::any::type_name::<T>().to_owned()
}

#[cached(timeout = 600)]
fn hidden_type(value: impl Serialize + Into<u64>, map: &HashMap<String, u8>) -> u64 {
    value.into() + map.len() as u64
}

#[cached(timeout = 600)]
fn lifetimes<'a>(text: &'a str, other: &str) -> Cow<'a, str> {
    if other.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(other.to_owned()) }
}

#[cached(timeout = 600, key = "{T}/{N}/{value:?}/{type}/{pair.0}/{{}}")]
fn own_key<T: std::fmt::Debug, const N: usize>(value: T, r#type: u8, pair: (u8, u8)) -> String {
    format!("{value:?}{}{N}{}", r#type, pair.1)
}

#[cached(timeout = 600)]
fn factorial(of: u64) -> u64 {
    if of < 2 { 1 } else { of * factorial(of - 1) }
}

#[cached(timeout = 600)]
fn early(value: Option<u8>) -> Option<u8> {
    let value = value?;
    if value == 1 {
        return None;
    }
    Some(value)
}

#[cached(timeout = 600)]
#[cfg(any())]
fn not_there() -> Nothing {}

#[cached(timeout = 600)]
#[allow(clippy::too_many_arguments)]
fn many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u8 {
    a + b + c + d + e + f + g + h
}

fn main() {
    assert_eq!(rate("USD", 1), rate::uncached("USD", 1));
    assert_eq!(rate::refresh("USD", 1).per_euro, 5.0);
    assert!(rate::invalidate("USD", 1).is_err_and(|error| error.is_transient()));
    assert_eq!((every_option(), durations()), (1, 2));
    assert_eq!(generic([1, 2]), [1, 2]);
    assert_eq!(only_in_types::<u8>(), "u8");
    assert_eq!(only_in_types::refresh::<u16>(), "u16");
    assert!(only_in_types::invalidate::<u16>().is_err());
    assert_eq!(hidden_type(1_u8, &HashMap::new()), 1);
    assert_eq!(hidden_type::refresh(1_u8, &HashMap::new()), 1);
    assert_eq!(lifetimes("a", ""), "a");
    assert_eq!(own_key::<_, 3>("a", 1, (2, 4)), "\"a\"134");
    assert_eq!(factorial(5), 120);
    assert_eq!((early(None), early(Some(1)), early(Some(2))), (None, None, Some(2)));
    assert_eq!(many(1, 1, 1, 1, 1, 1, 1, 1), 8);
}
