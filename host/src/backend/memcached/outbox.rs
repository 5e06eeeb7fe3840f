//! Encoded requests on their way to the socket.
//!
//! Lines and small values are copied together; a large value is sent from where it is.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::protocol::Request;

/// From here on a value is cheaper sent from where it is than copied.
const LARGE_BYTES: usize = 8 * 1024;

/// Bytes to send, in order: first `parts`, then `tail`. No part is empty.
#[derive(Default)]
pub(super) struct Outbox {
    parts: VecDeque<Bytes>,
    tail: BytesMut,
    /// Bytes of all parts.
    parts_bytes: usize,
}

impl Outbox {
    /// Appends a request.
    pub(super) fn push(&mut self, request: &Request, opaque: u64) {
        request.encode(opaque, &mut self.tail);
        let Some(data) = request.data() else {
            return;
        };
        if data.len() < LARGE_BYTES {
            self.tail.put_slice(data);
        } else {
            let lines = self.tail.split().freeze();
            self.push_part(lines);
            self.push_part(data.clone());
        }
        self.tail.put_slice(b"\r\n");
    }

    fn push_part(&mut self, part: Bytes) {
        self.parts_bytes += part.len();
        self.parts.push_back(part);
    }
}

impl Buf for Outbox {
    fn remaining(&self) -> usize {
        self.parts_bytes + self.tail.len()
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&self.tail, |part| part)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = self.parts.iter().map(|part| &part[..]);
        let tail = Some(&self.tail[..]).filter(|tail| !tail.is_empty());
        let mut count = 0;
        for (slice, bytes) in slices.iter_mut().zip(parts.chain(tail)) {
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(part) = self.parts.front_mut() {
            let here = count.min(part.len());
            part.advance(here);
            self.parts_bytes -= here;
            count -= here;
            if !part.is_empty() {
                return;
            }
            self.parts.pop_front();
        }
        self.tail.advance(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::{Flags, Kind, StorageKey, Stored};
    use crate::ttl::Lifetime;

    use super::super::protocol::{Ttl, When};

    fn store(length: usize) -> Request {
        Request::Store {
            key: StorageKey::new("t", &[b'k'; 32]),
            entry: Stored { flags: Flags::entry(Kind::Bytes, 0), data: vec![b'v'; length].into() },
            ttl: Ttl::new(Lifetime::UntilEvicted, std::time::Duration::ZERO, 0),
            when: When::Always,
        }
    }

    #[test]
    fn any_mix_of_sizes_leaves_in_order_however_it_is_cut() {
        let requests = [Request::Noop, store(0), store(LARGE_BYTES), store(100), store(LARGE_BYTES + 1)];
        let mut expected = BytesMut::new();
        let mut outbox = Outbox::default();
        for (opaque, request) in (0..).zip(&requests) {
            outbox.push(request, opaque);
            request.encode(opaque, &mut expected);
            if let Some(data) = request.data() {
                expected.put_slice(data);
                expected.put_slice(b"\r\n");
            }
        }
        let mut sent = Vec::new();
        for size in (1..).step_by(37) {
            if !outbox.has_remaining() {
                break;
            }
            let mut slices = [IoSlice::new(&[]); 8];
            let count = outbox.chunks_vectored(&mut slices);
            let all: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
            assert!(all.starts_with(outbox.chunk()));
            let size = size.min(all.len());
            sent.extend_from_slice(&all[..size]);
            outbox.advance(size);
        }
        assert!(sent == expected, "{} of {} bytes", sent.len(), expected.len());
    }
}
