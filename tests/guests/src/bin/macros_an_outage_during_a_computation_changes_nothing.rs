//! Computes for two seconds what its argument says, while the host's server goes away.

use std::time::Duration;
use strongroom::cached;

#[cached(timeout = 60)]
fn doubled(number: u32) -> u32 {
    std::thread::sleep(Duration::from_secs(2));
    number * 2
}

fn main() {
    let number = std::env::args().nth(1).and_then(|number| number.parse().ok()).expect("a number");
    println!("{}", doubled(number));
}
