//! The compressed form of an entry.
//!
//! ```text
//! raw length (4, big-endian) | zlib stream (RFC 1950)
//! ```
//!
//! - **Raw length** comes first so that whoever opens an entry can refuse it before it has
//!   allocated or inflated anything. It is a claim: the stream must inflate to exactly as many
//!   bytes, must be used up to its last byte, and its checksum must fit. So a zlib bomb costs no
//!   more than the largest value would, and one that claims more than deflate can hold is refused
//!   at once.
//! - **Level 1**: level 6 takes four to six times as long for a fifth less size.
//! - **From 1 KiB, and only if it shrinks by an eighth**: what is smaller hardly shrinks, and each
//!   read of an entry pays for inflating it.
//! - **State is kept per thread**: a compressor's is 300 KB, and making one anew for each value
//!   costs more than compressing a small one. What it holds of the last value is overwritten by the
//!   next.

use std::cell::RefCell;

use miniz_oxide::deflate::core::{CompressionStrategy, CompressorOxide};
use miniz_oxide::deflate::stream::deflate as deflate_stream;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};

use crate::codec::Error;

/// Values below this stay as they are.
const RAW_BYTES_MIN: usize = 1024;

const LENGTH_BYTES: usize = 4;

const LEVEL: u8 = 1;

/// zlib's own largest window, 32 KiB.
const WINDOW_BITS: u8 = 15;

/// The most that deflate can shrink anything: 258 bytes in two bits.
const RATIO_MAX: usize = 1032;

thread_local! {
    static COMPRESSOR: RefCell<Box<CompressorOxide>> = RefCell::new(Box::new(compressor()));
    static DECOMPRESSOR: RefCell<Box<DecompressorOxide>> = RefCell::default();
}

fn compressor() -> CompressorOxide {
    let strategy = CompressionStrategy::Default;
    CompressorOxide::with_params(DataFormat::Zlib, LEVEL, strategy, WINDOW_BITS)
}

/// Compresses `raw`, if that is worth it, into one allocation: `room_before` zeros, the compressed
/// form, and capacity for `room_after` bytes.
pub(super) fn deflate(raw: &[u8], room_before: usize, room_after: usize) -> Option<Vec<u8>> {
    if raw.len() < RAW_BYTES_MIN {
        return None;
    }
    let length = u32::try_from(raw.len()).ok()?;
    let most = raw.len() - raw.len() / 8;
    let mut buffer = vec![0; room_before + most];
    let (head, stream) = buffer[room_before..].split_at_mut(LENGTH_BYTES);
    head.copy_from_slice(&length.to_be_bytes());
    let written = COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.reset();
        let result = deflate_stream(compressor, raw, stream, MZFlush::Finish);
        // Anything but the end of the stream means that it did not fit.
        (result.status == Ok(MZStatus::StreamEnd)).then_some(result.bytes_written)
    })?;
    buffer.truncate(room_before + LENGTH_BYTES + written);
    buffer.shrink_to(buffer.len() + room_after);
    Some(buffer)
}

/// Inflates the compressed form of a value of at most `raw_bytes_max` bytes.
pub(super) fn inflate(data: &[u8], raw_bytes_max: usize) -> Result<Vec<u8>, Error> {
    let (length, stream) = data.split_first_chunk::<LENGTH_BYTES>().ok_or(Error::NotInflatable)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Error::OverBound)?;
    if length > raw_bytes_max {
        return Err(Error::OverBound);
    }
    if length.div_ceil(RATIO_MAX) > stream.len() {
        return Err(Error::NotInflatable);
    }
    let mut raw = vec![0; length];
    // The first of them has the checksum verified too.
    let flags =
        inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, read, written) = DECOMPRESSOR.with_borrow_mut(|decompressor| {
        decompressor.init();
        decompress(decompressor, stream, &mut raw, 0, flags)
    });
    let is_whole = status == TINFLStatus::Done && read == stream.len() && written == length;
    is_whole.then_some(raw).ok_or(Error::NotInflatable)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1 << 20;

    fn text(bytes: usize) -> Vec<u8> {
        b"the quick brown fox, ".iter().copied().cycle().take(bytes).collect()
    }

    /// Bytes that do not shrink.
    fn noise(bytes: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        std::iter::repeat_with(next).take(bytes).collect()
    }

    fn packed(raw: &[u8]) -> Vec<u8> {
        deflate(raw, 0, 0).expect("shrinks")
    }

    #[test]
    fn a_value_is_compressed_from_1_kib() {
        assert!(deflate(&text(1023), 0, 0).is_none());
        assert!(deflate(&text(1024), 0, 0).is_some());
    }

    #[test]
    fn a_value_is_compressed_only_if_it_shrinks_by_an_eighth() {
        assert!(deflate(&noise(100_000), 0, 0).is_none());
        for text_bytes in (0..4000).step_by(50) {
            let mut raw = noise(4000 - text_bytes);
            raw.extend(text(text_bytes));
            if let Some(packed) = deflate(&raw, 0, 0) {
                assert!(packed.len() <= 3500, "{}", packed.len());
                assert_eq!(inflate(&packed, MAX), Ok(raw));
            }
        }
    }

    #[test]
    fn the_room_asked_for_is_there() {
        let raw = text(5000);
        let buffer = deflate(&raw, 28, 16).expect("shrinks");
        assert_eq!(buffer[..28], [0; 28]);
        assert_eq!(buffer[28..], packed(&raw));
        assert!(buffer.capacity() >= buffer.len() + 16 && buffer.capacity() < 200);
    }

    #[test]
    fn values_of_all_sizes_come_back_whole() {
        for bytes in [1024, 1025, 4096, 32_768, 65_536, 65_537, 300_000, MAX] {
            let raw = text(bytes);
            assert_eq!(inflate(&packed(&raw), MAX), Ok(raw));
        }
    }

    #[test]
    fn the_state_left_by_one_value_does_not_show_in_the_next() {
        let first = packed(&text(2000));
        assert!(deflate(&noise(200_000), 0, 0).is_none());
        assert_eq!(inflate(&first[..first.len() - 1], MAX), Err(Error::NotInflatable));
        assert_eq!(packed(&text(2000)), first);
        assert_eq!(inflate(&first, MAX), Ok(text(2000)));
    }

    #[test]
    fn a_length_over_the_bound_is_refused_before_anything_is_inflated() {
        assert_eq!(inflate(&packed(&text(2000)), 1999), Err(Error::OverBound));
        assert_eq!(inflate(&[0xff; 4], MAX), Err(Error::OverBound));
    }

    #[test]
    fn a_zlib_bomb_stops_at_the_length_that_it_claims() {
        let mut bomb = packed(&vec![0; 64 << 20]);
        assert_eq!(inflate(&bomb, MAX), Err(Error::OverBound));
        bomb[..4].copy_from_slice(&(MAX as u32).to_be_bytes());
        assert_eq!(inflate(&bomb, MAX), Err(Error::NotInflatable));
    }

    #[test]
    fn a_claim_beyond_what_deflate_can_hold_is_refused() {
        let mut lie = vec![0x78, 0x01, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01];
        lie.splice(0..0, (MAX as u32).to_be_bytes());
        assert_eq!(inflate(&lie, MAX), Err(Error::NotInflatable));
        lie[..4].fill(0);
        assert_eq!(inflate(&lie, MAX), Ok(Vec::new()));
    }

    #[test]
    fn lengths_that_disagree_are_refused() {
        let whole = packed(&text(2000));
        for claim in [0_u32, 1, 1999, 2001, 4000] {
            let mut lie = whole.clone();
            lie[..4].copy_from_slice(&claim.to_be_bytes());
            assert_eq!(inflate(&lie, MAX), Err(Error::NotInflatable), "{claim}");
        }
    }

    #[test]
    fn cut_or_followed_by_more_it_is_refused() {
        let whole = packed(&text(2000));
        for len in 0..whole.len() {
            assert_eq!(inflate(&whole[..len], MAX), Err(Error::NotInflatable), "{len}");
        }
        let longer = [&whole[..], &[0]].concat();
        assert_eq!(inflate(&longer, MAX), Err(Error::NotInflatable));
    }

    #[test]
    fn a_wrong_checksum_is_refused() {
        let mut whole = packed(&text(2000));
        let last = whole.len() - 1;
        whole[last] ^= 1;
        assert_eq!(inflate(&whole, MAX), Err(Error::NotInflatable));
    }
}
