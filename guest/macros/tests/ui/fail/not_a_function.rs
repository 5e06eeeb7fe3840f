//! On a type, and on a function that is only declared.

#[strongroom::cached(timeout = 600)]
struct Rate;

trait Bank {
    #[strongroom::cached(timeout = 600)]
    fn rate(&self) -> f64;
}

fn main() {}
