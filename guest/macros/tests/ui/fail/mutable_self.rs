//! What it changes would stay as it is on a hit.

use strongroom::cached;

struct Bank {
    asked: u32,
}

impl Bank {
    #[cached(timeout = 600)]
    fn rate(&mut self) -> u32 {
        self.asked += 1;
        self.asked
    }
}

#[cached(timeout = 600)]
fn count(asked: &mut u32) -> u32 {
    *asked += 1;
    *asked
}

fn main() {}
