//! Functions in modules, in functions and from macros, where names mean something else, and a crate of
//! another name.
#![deny(warnings)]

use strongroom as renamed;

mod bank {
    #[strongroom::cached(timeout = 600)]
    pub(crate) fn rate(day: u32) -> u32 {
        day + one()
    }

    #[strongroom::cached(timeout = 600)]
    pub(in crate::bank) fn one() -> u32 {
        1
    }
}

// Both the function and its companions.
use bank::rate;

mod shadowed {
    #![allow(dead_code)]

    pub(super) struct Option;
    pub(super) struct Result;
    pub(super) mod std {}
    pub(super) mod core {}
    pub(super) struct Memo;

    #[strongroom::cached(timeout = 600)]
    pub(super) fn memo(key: u32, format: u32) -> u32 {
        key + format
    }
}

#[renamed::cached(timeout = 600, crate = crate::renamed)]
fn by_another_name() -> u8 {
    1
}

macro_rules! functions {
    ($($name:ident($argument:ident) = $value:expr;)*) => {
        $(
            #[strongroom::cached(timeout = 600)]
            fn $name($argument: u32, inner: u32) -> u32 {
                $value + $argument + inner
            }
        )*
    };
}

functions! {
    one_more(to) = 1;
    two_more(to) = 2;
}

fn main() {
    #[strongroom::cached(timeout = 600)]
    fn local(day: u32) -> u32 {
        struct Inner(u32);
        impl Inner {
            fn new(day: u32) -> Self {
                Self(day)
            }
        }
        Inner::new(day).0
    }
    assert_eq!((local(1), local::refresh(1)), (1, 1));
    assert_eq!((rate(1), rate::uncached(1)), (2, 2));
    assert_eq!(shadowed::memo(1, 2), 3);
    assert_eq!(by_another_name(), 1);
    assert_eq!(one_more(1, 1) + two_more::refresh(1, 1), 7);
}
