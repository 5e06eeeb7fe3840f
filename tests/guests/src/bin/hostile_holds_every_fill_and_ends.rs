//! Takes the fills of as many keys as its second argument says, and then by its first one traps, loops or
//! exits.

use std::time::Duration;
use strongroom::{FetchOptions, Fetched, stack_cache};

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let cache = stack_cache().expect("a stack");
    let mut held = Vec::new();
    for number in 0..arguments[1].parse().expect("a number") {
        let options = FetchOptions::new().wait(Duration::ZERO);
        let fetched = cache.fetch::<String>(&format!("held-{number}"), options).expect("fetch");
        let Fetched::Vacant(fill) = fetched else { panic!("{number}: {fetched:?}") };
        held.push(fill);
    }
    println!("{} held", held.len());
    match arguments[0].as_str() {
        "trap" => std::process::abort(),
        "exit" => std::process::exit(3),
        "loop" => loop {
            std::hint::spin_loop();
        },
        other => panic!("trap, exit or loop, not {other}"),
    }
}
