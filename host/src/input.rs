//! The bytes of a fuzzer, taken for decisions: one after the other, and zeros when there are no more.

/// What is left of a fuzzer's input.
#[derive(Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of an input.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    /// A number below `end`, which is at most 256.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    /// Whether the next byte is odd.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number of two bytes.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A number: mostly a small one, or one near the ends of what 32 and 64 bits hold.
    pub fn number(&mut self) -> u64 {
        let small = u64::from(self.byte());
        match self.byte() {
            ..192 => small,
            192..224 => u64::MAX - small,
            224..240 => u64::from(u32::MAX) - small,
            240..248 => (1 << 63) - 128 + small,
            _ => (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte())),
        }
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// The next so many bytes, or as many as there are.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, left) = self.0.split_at(len.min(self.0.len()));
        self.0 = left;
        taken
    }

    /// A length in the next byte, and so many bytes.
    pub fn chunk(&mut self) -> &'a [u8] {
        let len = self.byte();
        self.take(usize::from(len))
    }

    /// All that is left, as up to so many bytes: `~` and a byte stand for 128 times as many letters, so that
    /// a short input makes long data.
    pub fn expanded(&mut self, bytes_max: usize) -> Vec<u8> {
        let mut data = Vec::new();
        while !self.is_empty() && data.len() < bytes_max {
            match self.byte() {
                b'~' => data.resize(data.len() + 128 * usize::from(self.byte()), b'x'),
                byte => data.push(byte),
            }
        }
        data.truncate(bytes_max);
        data
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}
