//! Where randomness comes from: drawn here and passed on as a value, so that what uses it can be
//! tested with a fixed one.

use rand::rngs::SysRng;
use rand::{Rng, TryRng};

/// A nonce, from the operating system itself.
///
/// The thread's generator would be as hard to guess, and takes 10 ns instead of 500. But a process that
/// forks, or a virtual machine that is resumed twice from one snapshot, has two of it that go on alike, and
/// two messages under one nonce are what GCM can't survive. The kernel's generator is one for all processes,
/// and is told by the machine below when that was resumed. A write takes 30 us and more.
///
/// # Panics
///
/// Where the operating system has no random bytes: there is nothing that could be sealed safely then.
pub(crate) fn nonce<const N: usize>() -> [u8; N] {
    let mut nonce = [0; N];
    SysRng.try_fill_bytes(&mut nonce).expect("the operating system has random bytes");
    nonce
}

/// Random bytes from the thread's generator: a cryptographic one, seeded by the operating system. For what
/// may repeat by chance.
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
