//! What is kept is read again, as a type that has a name.

#[strongroom::cached(timeout = 600)]
fn primes() -> impl Iterator<Item = u32> {
    [2, 3, 5].into_iter()
}

fn main() {}
