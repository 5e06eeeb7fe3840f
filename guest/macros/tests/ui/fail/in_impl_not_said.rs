//! It looks like a free function, whose companions belong to an enum of its name. `in_impl` makes them
//! methods.

use strongroom::cached;

struct Bank;

impl Bank {
    #[cached(timeout = 600)]
    fn is_open(day: u32) -> bool {
        day < 5
    }
}

fn main() {}
