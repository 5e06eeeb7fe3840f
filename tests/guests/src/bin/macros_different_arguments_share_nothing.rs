//! Arguments that look alike, other functions of the same arguments, and other types of the same function.

use std::collections::HashMap;

use serde::Serialize;
use strongroom::cached;

#[cached(timeout = 600)]
fn two(left: &str, right: &str) -> String {
    format!("{left}|{right}")
}

#[cached(timeout = 600)]
fn also_two(left: &str, right: &str) -> String {
    format!("{left}+{right}")
}

#[cached(timeout = 600)]
fn maybe(value: Option<Option<&str>>) -> String {
    format!("{value:?}")
}

#[cached(timeout = 600)]
fn float(value: f64) -> String {
    format!("{value:?}")
}

#[cached(timeout = 600)]
fn generic<T: Serialize, const N: usize>(value: T) -> String {
    format!("{} {N} {}", std::any::type_name::<T>(), size_of_val(&value))
}

#[cached(timeout = 600)]
fn shown(value: impl Serialize) -> String {
    std::any::type_name_of_val(&value).to_owned()
}

#[cached(timeout = 600)]
fn long(text: String) -> String {
    text
}

#[cached(timeout = 600)]
fn sum(of: &HashMap<String, u32>) -> u32 {
    of.values().sum()
}

mod elsewhere {
    #[strongroom::cached(timeout = 600)]
    pub(super) fn two(left: &str, right: &str) -> String {
        format!("{left}-{right}")
    }
}

fn inner() -> u32 {
    #[cached(timeout = 600)]
    fn value() -> u32 {
        1
    }
    value()
}

fn other_inner() -> u32 {
    #[cached(timeout = 600)]
    fn value() -> u32 {
        2
    }
    value()
}

fn main() {
    for (left, right) in [("ab", "c"), ("a", "bc"), ("", "abc"), ("a\",\"b", "c"), ("a", "b\",\"c")] {
        assert_eq!(two(left, right), format!("{left}|{right}"));
        assert_eq!(also_two(left, right), format!("{left}+{right}"));
        assert_eq!(elsewhere::two(left, right), format!("{left}-{right}"));
    }
    for value in [None, Some(None), Some(Some("")), Some(Some("none"))] {
        assert_eq!(maybe(value), format!("{value:?}"));
    }
    for value in [0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(float(value), format!("{value:?}"));
    }
    assert_eq!([generic::<_, 1>(1_u8), generic::<_, 2>(1_u8)], ["u8 1 1", "u8 2 1"]);
    assert_eq!([generic::<_, 1>(1_u16), generic::<_, 1>(1_u8)], ["u16 1 2", "u8 1 1"]);
    assert_eq!([shown(1_u8), shown(1_u16), shown(1_u8)], ["u8", "u16", "u8"], "hidden types take part");
    for end in ["a", "b"] {
        let text = format!("{}{end}", "x".repeat(5000));
        assert_eq!(long(text.clone()), text);
    }
    for n in 0..3 {
        let of = (0..n).map(|n| (n.to_string(), n)).collect();
        assert_eq!(sum(&of), (0..n).sum::<u32>());
    }
    assert_eq!((inner(), other_inner()), (1, 2));
}
