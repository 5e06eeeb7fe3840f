//! What fuzzing tells servers to answer, and how it cuts that into pieces.

use super::{classic, memcached};
use crate::input::Input;

/// Fuzzes one of the parts that read replies.
pub(crate) fn replies(mut input: Input<'_>) {
    match input.below(5) {
        4 => memcached::fuzzing::callers(input),
        0 => memcached::fuzzing::decoder(input),
        1 => memcached::fuzzing::greeting(input),
        2 => memcached::fuzzing::discovery(input),
        _ => classic::fuzzing::check(input),
    }
}

/// Into which pieces a reply is cut.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut<'a> {
    Whole,
    Bytes,
    /// Pieces of these lengths, again and again.
    At(&'a [u8]),
}

impl<'a> Cut<'a> {
    pub(super) fn new(input: &mut Input<'a>) -> Self {
        let len = input.below(16);
        Self::At(input.take(len))
    }

    /// The lengths of the pieces, without end; none is 0.
    pub(super) fn lengths(self) -> impl Iterator<Item = usize> + 'a {
        let pieces: &[u8] = match self {
            Self::Whole | Self::At([]) => &[u8::MAX],
            Self::Bytes => &[1],
            Self::At(pieces) => pieces,
        };
        // The longest are longer than what a connection reads into a buffer of its own.
        let length = |&piece: &u8| match piece {
            u8::MAX => usize::MAX,
            240.. => usize::from(piece - 239) * 4096,
            piece => usize::from(piece).max(1),
        };
        pieces.iter().map(length).cycle()
    }
}

/// What is left of the input, as a reply that may be longer than what a connection reads at once.
pub(super) fn reply(input: &mut Input<'_>) -> Vec<u8> {
    input.expanded(72 * 1024)
}
