//! Which of them counts?

#[strongroom::cached(timeout = 600, timeout = 60)]
fn rate() -> f64 {
    1.0892
}

fn main() {}
