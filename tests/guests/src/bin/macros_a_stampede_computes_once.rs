//! Run by many at once: whoever computes says so, and all print the same.

use std::thread::sleep;
use std::time::{Duration, SystemTime};

use strongroom::cached;

/// Takes its time, and never returns the same twice.
#[cached(timeout = 60)]
fn value() -> u128 {
    println!("computed");
    sleep(Duration::from_millis(100));
    SystemTime::UNIX_EPOCH.elapsed().expect("it is later than 1970").as_nanos()
}

fn main() {
    println!("{}", value());
}
