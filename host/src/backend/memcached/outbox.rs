//! Encoded requests on their way to the socket.
//!
//! Lines and small values are copied together; a large value is sent from where it is.
//!
//! # Over TLS
//!
//! Up to 1.6.38, memcached waits for its socket while the rest of a TLS record lies decrypted in its TLS
//! library, unless it happens to need those bytes at once. Where a record ends within a request, the requests
//! that follow can so be stuck until something else is sent. An outbox [`in_records`](Outbox::in_records)
//! therefore hands out pieces, each to be a record of its own, that end where a request ends or within a
//! large value. It costs a record of two bytes for each large value.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::protocol::Request;

/// From here on a value is cheaper sent from where it is than copied.
const LARGE_BYTES: usize = 8 * 1024;

/// The most that a TLS record holds, and memcached reads at once.
pub(super) const RECORD_BYTES_MAX: usize = 16 * 1024;

/// Bytes to send, in order: first `parts`, then `tail`. No part is empty.
#[derive(Default)]
pub(super) struct Outbox {
    parts: VecDeque<Bytes>,
    tail: BytesMut,
    /// Bytes of all parts.
    parts_bytes: usize,
    /// Whether a part, or the tail, must end where a request or a large value ends, and holds no more than a
    /// record unless it is a large value.
    in_records: bool,
}

impl Outbox {
    /// For a connection over TLS: see the top of this file.
    pub(super) fn in_records() -> Self {
        Self { in_records: true, ..Self::default() }
    }

    /// Appends a request.
    pub(super) fn push(&mut self, request: &Request, opaque: u64) {
        let start = self.tail.len();
        request.encode(opaque, &mut self.tail);
        match request.data() {
            None => {}
            Some(data) if data.len() < LARGE_BYTES => {
                self.tail.put_slice(data);
                self.tail.put_slice(b"\r\n");
            }
            Some(data) => {
                self.begin_record(start);
                let lines = self.tail.split().freeze();
                self.push_part(lines);
                self.push_part(data.clone());
                self.tail.put_slice(b"\r\n");
                if self.in_records {
                    let end = self.tail.split().freeze();
                    self.push_part(end);
                }
                return;
            }
        }
        self.begin_record(start);
    }

    /// Where the tail is more than a record, what begins at `start` goes into the next one.
    fn begin_record(&mut self, start: usize) {
        if self.in_records && start > 0 && self.tail.len() > RECORD_BYTES_MAX {
            let full = self.tail.split_to(start).freeze();
            self.push_part(full);
        }
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

    #[test]
    fn every_record_ends_where_a_request_or_a_large_value_does() {
        let sizes = [0, 100, 3000, LARGE_BYTES - 1, LARGE_BYTES, 5, 40_000, LARGE_BYTES - 1, 8000, 7000, 1];
        let requests: Vec<_> = sizes.iter().cycle().take(200).map(|&size| store(size)).collect();
        let (mut whole, mut ends) = (BytesMut::new(), Vec::new());
        let mut outbox = Outbox::in_records();
        for (opaque, request) in (0..).zip(&requests) {
            outbox.push(request, opaque);
            request.encode(opaque, &mut whole);
            let data = request.data().expect("a value");
            if data.len() >= LARGE_BYTES {
                ends.push(whole.len()..whole.len() + data.len() + 1);
            }
            whole.put_slice(data);
            whole.put_slice(b"\r\n");
            ends.push(whole.len()..whole.len() + 1);
        }
        let (mut sent, mut records) = (0, 0);
        while outbox.has_remaining() {
            let record = outbox.chunk().len().min(RECORD_BYTES_MAX);
            assert!(whole[sent..].starts_with(&outbox.chunk()[..record]));
            outbox.advance(record);
            sent += record;
            records += 1;
            assert!(ends.iter().any(|end| end.contains(&sent)), "a record ends at {sent}, within a request");
        }
        assert_eq!(sent, whole.len());
        assert!(records < requests.len(), "small requests share records");
    }
}
