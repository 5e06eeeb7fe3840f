//! `self` is no part of the key: two values of a type share results, unless `key` names what tells them
//! apart. Two types share none, and neither do methods of one name from two traits.

use std::cell::Cell;

use strongroom::cached;

struct Bank {
    region: &'static str,
    // It implements no `Serialize`, and needs none.
    calls: Cell<u32>,
}

impl Bank {
    fn called(&self) {
        self.calls.set(self.calls.get() + 1);
    }

    /// The same for every bank.
    #[cached(timeout = 600)]
    fn weekday(&self, day: u32) -> u32 {
        self.called();
        day % 7
    }

    #[cached(timeout = 600, key = "regional:{self.region}:{day}")]
    fn regional(&self, day: u32) -> String {
        self.called();
        format!("{} {day}", self.region)
    }

    #[cached(timeout = 600, in_impl)]
    fn is_open(day: u32) -> bool {
        day < 5
    }
}

struct Other;

impl Other {
    #[cached(timeout = 600)]
    fn weekday(&self, day: u32) -> u32 {
        1000 + day
    }

    #[cached(timeout = 600, in_impl)]
    fn is_open(day: u32) -> bool {
        day >= 5
    }
}

trait Long {
    #[cached(timeout = 600)]
    fn label(&self) -> String {
        "long".to_owned()
    }
}

trait Short {
    #[cached(timeout = 600)]
    fn label(&self) -> String {
        "short".to_owned()
    }
}

impl Long for Other {}
impl Short for Other {}

fn main() {
    let north = Bank { region: "north", calls: Cell::new(0) };
    let south = Bank { region: "south", calls: Cell::new(0) };
    let calls = || (north.calls.get(), south.calls.get());

    assert_eq!((north.weekday(8), south.weekday(8)), (1, 1));
    assert_eq!(calls(), (1, 0));
    assert_eq!(Other.weekday(8), 1008);
    assert_eq!((Bank::is_open(1), Other::is_open(1)), (true, false));
    assert_eq!((Long::label(&Other), Short::label(&Other)), ("long".to_owned(), "short".to_owned()));

    assert_eq!((north.regional(1), south.regional(1)), ("north 1".to_owned(), "south 1".to_owned()));
    assert_eq!(calls(), (2, 1));

    assert_eq!(south.weekday_uncached(8), 1);
    assert_eq!(south.weekday_refresh(8), 1);
    assert_eq!(calls(), (2, 3));
    assert!(south.weekday_invalidate(8).expect("invalidate"));
    assert_eq!(north.weekday(8), 1);
    assert_eq!(calls(), (3, 3));
}
