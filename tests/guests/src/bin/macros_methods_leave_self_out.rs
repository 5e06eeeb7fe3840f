//! Two values of a type share results, unless `key` names a part of `self`; two types share none.

use strongroom::cached;

struct Bank {
    region: &'static str,
    // It implements no `Serialize`, and needs none.
    rate: fn() -> u32,
}

impl Bank {
    #[cached(timeout = 600)]
    fn rate(&self, day: u32) -> u32 {
        (self.rate)() + day
    }

    #[cached(timeout = 600, key = "regional:{self.region}:{day}")]
    fn regional(&self, day: u32) -> u32 {
        (self.rate)() + day
    }

    #[cached(timeout = 600, in_impl)]
    fn is_open(day: u32) -> bool {
        day < 5
    }
}

struct Other;

impl Other {
    #[cached(timeout = 600)]
    fn rate(&self, day: u32) -> u32 {
        1000 + day
    }

    #[cached(timeout = 600, in_impl)]
    fn is_open(day: u32) -> bool {
        day >= 5
    }
}

fn main() {
    let north = Bank { region: "north", rate: || 10 };
    let south = Bank { region: "south", rate: || 20 };
    assert_eq!((north.rate(1), south.rate(1), north.rate(2)), (11, 11, 12));
    assert_eq!(Other.rate(1), 1001);
    assert_eq!((north.regional(1), south.regional(1)), (11, 21));
    assert_eq!((Bank::is_open(1), Other::is_open(1)), (true, false));

    assert_eq!(south.rate_uncached(1), 21);
    assert_eq!(south.rate_refresh(1), 21);
    assert_eq!(north.rate(1), 21);
    assert!(south.rate_invalidate(1).expect("invalidate"));
    assert_eq!(north.rate(1), 11);
}
