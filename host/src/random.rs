//! Where randomness comes from: drawn here and passed on as a value, so that what uses it can be
//! tested with a fixed one.

use rand::Rng;

/// Random bytes from the thread's generator: a cryptographic one, seeded by the operating system.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// A random number that is not zero.
pub(crate) fn nonzero() -> u64 {
    u64::from_be_bytes(bytes()).max(1)
}

/// A duration between half of `base` and one and a half of it, so that those who wait for the same thing
/// don't ask at the same moment.
pub(crate) fn jittered(base: std::time::Duration) -> std::time::Duration {
    base / 2 + base.mul_f64(f64::from(u16::from_be_bytes(bytes())) / f64::from(u16::MAX))
}

/// A random number from 0 to 1.
pub(crate) fn unit() -> f64 {
    f64::from(u32::from_be_bytes(bytes())) / f64::from(u32::MAX)
}
