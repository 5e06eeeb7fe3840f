//! Encoding and decoding agree, whatever the bytes and wherever they are cut.

use proptest::prelude::*;

use super::*;
use crate::backend::exptime::RELATIVE_SECONDS_MAX;
use crate::stored::Kind;
use crate::ttl::Lifetime;

const NOW: u64 = 1_800_000_000;

fn key() -> StorageKey {
    StorageKey::new("bank", &[b'k'; 32])
}

const KEY: &str = "bank:kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";

fn line(request: &Request) -> String {
    let mut out = BytesMut::new();
    request.encode(7, &mut out);
    String::from_utf8(out.to_vec()).expect("lines are ASCII").replace(KEY, "KEY")
}

fn ttl(seconds: u32, grace: u64) -> Ttl {
    let lifetime = Lifetime::seconds(seconds).unwrap_or(Lifetime::UntilEvicted);
    Ttl::new(lifetime, Duration::from_secs(grace), NOW)
}

fn bounds() -> Bounds {
    Bounds { announced_bytes_max: 1 << 20, value_bytes_max: 1 << 20, batch_bytes_left: usize::MAX }
}

/// Feeds the decoder as a socket does, and decodes whenever something has come.
fn decode_in_pieces(
    requests: &[Request],
    bytes: &[u8],
    sizes: &mut dyn Iterator<Item = usize>,
    bounds: &mut Bounds,
) -> Result<Vec<Reply>, ProtocolError> {
    let mut decoder = Decoder::default();
    let mut replies = Vec::new();
    let mut rest = bytes;
    loop {
        while let Some(request) = requests.get(replies.len()) {
            let expected = Expected { awaits: request.awaits(), opaque: replies.len() as u64 };
            match decoder.decode(expected, bounds)? {
                Some(reply) => replies.push(reply),
                None => break,
            }
        }
        if rest.is_empty() {
            return Ok(replies);
        }
        let mut space = decoder.space();
        let size = sizes.next().unwrap_or(usize::MAX).clamp(1, rest.len()).min(space.remaining_mut());
        assert!(size > 0, "there is always room for more");
        space.put_slice(&rest[..size]);
        rest = &rest[size..];
    }
}

fn decode(request: Request, bytes: &[u8]) -> Result<Option<Reply>, ProtocolError> {
    let sizes = &mut std::iter::repeat(usize::MAX);
    decode_in_pieces(&[request], bytes, sizes, &mut bounds()).map(|mut replies| replies.pop())
}

#[test]
fn each_request_is_one_line() {
    let entry = Stored { flags: Flags::entry(Kind::Text, 2), data: Bytes::from_static(b"abc") };
    let store = |when| Request::Store { key: key(), entry: entry.clone(), ttl: ttl(9, 2), when };
    let delete = |version| Request::Delete { key: key(), version };
    let count = |step, version| Request::Count { key: key(), step, version };
    for (request, expected) in [
        (Request::Read(key()), "mg KEY f t c v O7"),
        (Request::Look(key()), "mg KEY f t c O7"),
        (Request::Lease(key(), ttl(10, 0)), "mg KEY f t c v N10 O7"),
        (Request::Touch(key(), ttl(0, 0)), "mg KEY f t c T0 O7"),
        (store(When::Always), "ms KEY 3 T11 F131345 O7"),
        (store(When::Nothing), "ms KEY 3 T11 F131345 ME O7"),
        (store(When::Version(5)), "ms KEY 3 T11 F131345 C5 O7"),
        (delete(None), "md KEY O7"),
        (delete(Some(u64::MAX)), "md KEY C18446744073709551615 O7"),
        (count(Step::Up(0), None), "ma KEY v MI D0 O7"),
        (count(Step::Down(10), Some(3)), "ma KEY v MD D10 C3 O7"),
        (Request::Noop, "mn"),
        (Request::Version, "version"),
        (Request::Settings, "stats settings"),
    ] {
        assert_eq!(line(&request), format!("{expected}\r\n"));
    }
}

#[test]
fn lifetimes_are_sent_so_that_they_last() {
    assert_eq!(ttl(0, 100), Ttl(0), "until evicted");
    assert_eq!(ttl(1, 0), Ttl(2), "one second can be over at once");
    assert_eq!(ttl(1, 10), Ttl(12));
    assert_eq!(ttl(2, 0), Ttl(2));
    assert_eq!(ttl(RELATIVE_SECONDS_MAX, 0), Ttl(2_592_000));
    assert_eq!(ttl(RELATIVE_SECONDS_MAX, 1), Ttl(1_802_592_001), "absolute beyond 30 days");
    assert_eq!(ttl(u32::MAX, u64::MAX), Ttl(2_147_483_647));
    let late = Ttl::new(Lifetime::seconds(u32::MAX).expect("not zero"), Duration::ZERO, u64::MAX);
    assert_eq!(late, Ttl(2_147_483_647));
}

#[test]
fn what_does_not_suit_the_request_is_an_error() {
    let store = Request::Store { key: key(), entry: entry(b""), ttl: ttl(0, 0), when: When::Always };
    for (request, reply, error) in [
        (Request::Read(key()), "EN O1\r\n", ProtocolError::WrongOpaque),
        (Request::Read(key()), "EN\r\n", ProtocolError::WrongOpaque),
        (Request::Read(key()), "VA 1 f16 t1 c1 O9\r\nx\r\n", ProtocolError::WrongOpaque),
        (Request::Read(key()), "HD f16 t1 c1 O0\r\n", ProtocolError::WrongReply),
        (Request::Look(key()), "VA 1 f16 t1 c1 O0\r\nx\r\n", ProtocolError::Malformed),
        (Request::Read(key()), "VA 1 f16 t1 O0\r\nx\r\n", ProtocolError::Malformed),
        (Request::Read(key()), "VA 1 f16 t-1 c1 O0\r\nxyz\r\n", ProtocolError::Malformed),
        (Request::Read(key()), "VA 1 f4294967296 t1 c1 O0\r\n", ProtocolError::Malformed),
        (Request::Read(key()), "VA +1 f1 t1 c1 O0\r\n", ProtocolError::Malformed),
        (Request::Read(key()), "EN O0\n", ProtocolError::Malformed),
        (Request::Read(key()), "VALUE k 0 3\r\nabc\r\n", ProtocolError::Malformed),
        (Request::Read(key()), "\r\n", ProtocolError::Malformed),
        (Request::Read(key()), "VA 3000000000 f16 t-1 c1 O0\r\n", ProtocolError::ValueTooLong(3_000_000_000)),
        (store.clone(), "NS O0\r\n", ProtocolError::WrongReply),
        (store.clone(), "EX O0\r\n", ProtocolError::WrongReply),
        (store.clone(), "CLIENT_ERROR bad data chunk\r\n", ProtocolError::ClientError),
        (store.clone(), "CLIENT_ERROR unauthenticated\r\n", ProtocolError::Unauthenticated),
        (store, "SERVER_ERROR whatever\r\n", ProtocolError::ServerError),
        (Request::Noop, "ERROR\r\n", ProtocolError::UnknownCommand),
        (Request::Version, "ERROR Too many open connections\r\n", ProtocolError::TooManyConnections),
        (Request::Version, "VERSION new\r\n", ProtocolError::Malformed),
        (Request::Settings, "END\r\n", ProtocolError::Malformed),
    ] {
        assert_eq!(decode(request, reply.as_bytes()), Err(error), "{reply}");
    }
    let long = vec![b'x'; 4096];
    assert_eq!(decode(Request::Noop, &long), Err(ProtocolError::LineTooLong));
}

#[test]
fn refusals_of_one_request_leave_the_connection_good() {
    let store = Request::Store { key: key(), entry: entry(b""), ttl: ttl(0, 0), when: When::Always };
    let count = Request::Count { key: key(), step: Step::Up(1), version: None };
    for (request, line, reply) in [
        (store.clone(), "SERVER_ERROR object too large for cache\r\n", Reply::TooLarge),
        (store, "SERVER_ERROR out of memory storing object\r\n", Reply::OutOfMemory),
        (count, "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n", Reply::NotANumber),
    ] {
        assert_eq!(decode(request, line.as_bytes()), Ok(Some(reply)));
    }
}

#[test]
fn versions_are_read_with_what_distributions_append() {
    for text in ["1.6.18", "1.6.18-debian", "1.6.18_1-gabcdef", "1.6.18.1"] {
        let reply = decode(Request::Version, format!("VERSION {text}\r\n").as_bytes());
        let version = Version { major: 1, minor: 6, patch: 18 };
        assert_eq!(reply, Ok(Some(Reply::Version(version))), "{text}");
    }
}

#[test]
fn the_item_size_limit_is_found_among_the_settings() {
    let text = b"STAT maxbytes 67108864\r\nSTAT item_size_max 3145728\r\nSTAT inter 127.0.0.1\r\nEND\r\n";
    assert_eq!(decode(Request::Settings, text), Ok(Some(Reply::Settings { item_size_max: 3_145_728 })));
    let endless = b"STAT a b\r\n".repeat(2000);
    assert_eq!(decode(Request::Settings, &endless), Err(ProtocolError::Malformed));
}

#[test]
fn values_out_of_bounds_are_read_and_not_held() {
    let requests = vec![Request::Read(key()); 5];
    let mut bytes = Vec::new();
    for (opaque, (flags, length)) in
        [(272u32, 60usize), (0, 60), (272, 50_000), (272, 41), (272, 0)].into_iter().enumerate()
    {
        bytes.extend(format!("VA {length} f{flags} t-1 c1 O{opaque}\r\n").into_bytes());
        bytes.resize(bytes.len() + length, b'v');
        bytes.extend(b"\r\n");
    }
    let lengths = |mut bounds: Bounds| -> Vec<Option<usize>> {
        let replies = decode_in_pieces(&requests, &bytes, &mut (1..), &mut bounds);
        let held = |reply: &Reply| match reply {
            Reply::Found(found) => found.data.as_ref().map(Bytes::len),
            _ => None,
        };
        replies.expect("the bytes are well formed").iter().map(held).collect()
    };
    // A placeholder's value is of use to nobody, and does not count.
    assert_eq!(lengths(bounds()), [Some(60), None, Some(50_000), Some(41), Some(0)]);
    let batch = Bounds { batch_bytes_left: 100, ..bounds() };
    assert_eq!(lengths(batch), [Some(60), None, None, None, Some(0)], "nothing after what did not fit");
    let value = Bounds { value_bytes_max: 60, batch_bytes_left: 101, ..bounds() };
    assert_eq!(lengths(value), [Some(60), None, None, Some(41), Some(0)], "too large by itself: skipped");
}

fn entry(data: &'static [u8]) -> Stored {
    Stored { flags: Flags::entry(Kind::Bytes, 0), data: Bytes::from_static(data) }
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![any::<u64>().prop_map(Step::Up), any::<u64>().prop_map(Step::Down)]
}

fn any_request() -> impl Strategy<Value = Request> {
    let when = prop_oneof![Just(When::Always), Just(When::Nothing), any::<u64>().prop_map(When::Version)];
    let store = (any::<u32>(), any::<u32>(), proptest::collection::vec(any::<u8>(), 0..300), when);
    prop_oneof![
        Just(Request::Read(key())),
        Just(Request::Look(key())),
        any::<u32>().prop_map(|ttl| Request::Lease(key(), Ttl(ttl))),
        any::<u32>().prop_map(|ttl| Request::Touch(key(), Ttl(ttl))),
        store.prop_map(|(ttl, flags, data, when)| {
            let entry = Stored { flags: Flags(flags), data: data.into() };
            Request::Store { key: key(), entry, ttl: Ttl(ttl), when }
        }),
        any::<Option<u64>>().prop_map(|version| Request::Delete { key: key(), version }),
        (any_step(), any::<Option<u64>>()).prop_map(|(step, version)| Request::Count {
            key: key(),
            step,
            version
        }),
    ]
}

/// A server's reading of a line, as simple as can be.
fn read_back(line: &str, data: Option<&Bytes>) -> (Request, u64) {
    let words: Vec<&str> = line.strip_suffix("\r\n").expect("a line").split(' ').collect();
    assert_eq!(words[1], KEY);
    let flag = |name: char| words[2..].iter().rev().find_map(|word| word.strip_prefix(name));
    let number = |name| flag(name).map(|digits| digits.parse::<u64>().expect("a number"));
    let seconds = |name| number(name).map(|seconds| Ttl(seconds as u32));
    let version = number('C');
    let request = match words[0] {
        "mg" => match (seconds('N'), seconds('T')) {
            (Some(lease), _) => Request::Lease(key(), lease),
            (_, Some(ttl)) => Request::Touch(key(), ttl),
            _ if flag('v').is_some() => Request::Read(key()),
            _ => Request::Look(key()),
        },
        "ms" => {
            let data = data.expect("a value").clone();
            assert_eq!(words[2].parse(), Ok(data.len()));
            let flags = Flags(number('F').expect("flags") as u32);
            let when = match (flag('M'), version) {
                (Some("E"), None) => When::Nothing,
                (None, Some(version)) => When::Version(version),
                _ => When::Always,
            };
            let ttl = seconds('T').expect("a lifetime");
            Request::Store { key: key(), entry: Stored { flags, data }, ttl, when }
        }
        "md" => Request::Delete { key: key(), version },
        "ma" => {
            let delta = number('D').expect("a delta");
            let step = if flag('M') == Some("I") { Step::Up(delta) } else { Step::Down(delta) };
            Request::Count { key: key(), step, version }
        }
        verb => panic!("{verb}"),
    };
    (request, number('O').expect("an opaque"))
}

/// A reply that suits a request, and how a server writes it.
fn any_reply() -> impl Strategy<Value = (Request, Reply)> {
    let length = prop_oneof![0..300usize, 16_000..17_000usize, 60_000..70_000usize];
    let found = (any::<u64>(), any::<Option<u32>>(), length, 0..3u8);
    let found = found.prop_map(|(version, remaining, length, lease)| {
        let data: Vec<u8> = (0..length).map(|i| b"\r\nVA E\0\xff"[i % 8]).collect();
        Found {
            flags: Flags::entry(Kind::Bytes, 0),
            remaining: remaining.map(|seconds| Duration::from_secs(u64::from(seconds))),
            version,
            lease: [Lease::None, Lease::Won, Lease::Held][usize::from(lease)],
            length,
            data: Some(data.into()),
        }
    });
    prop_oneof![
        found.prop_map(|found| (Request::Read(key()), Reply::Found(found))),
        Just((Request::Look(key()), Reply::Missing)),
        Just((Request::Delete { key: key(), version: None }, Reply::Done)),
        Just((Request::Delete { key: key(), version: Some(1) }, Reply::Changed)),
        Just((Request::Noop, Reply::Noop)),
        any::<u64>().prop_map(|number| {
            (Request::Count { key: key(), step: Step::Up(1), version: None }, Reply::Number(number))
        }),
    ]
}

fn write_reply(reply: &Reply, opaque: usize, out: &mut Vec<u8>) {
    let line = match reply {
        Reply::Found(found) => {
            let remaining = found.remaining.map_or(-1, |left| left.as_secs() as i64);
            let lease = [" W", " Z", ""][match found.lease {
                Lease::Won => 0,
                Lease::Held => 1,
                Lease::None => 2,
            }];
            let (length, flags, version) = (found.length, found.flags.0, found.version);
            format!("VA {length} f{flags} t{remaining} c{version} O{opaque}{lease}\r\n")
        }
        Reply::Missing => format!("EN O{opaque}\r\n"),
        Reply::Done => format!("HD O{opaque}\r\n"),
        Reply::Changed => format!("EX O{opaque}\r\n"),
        Reply::Noop => "MN\r\n".to_owned(),
        Reply::Number(number) => format!("VA {} O{opaque}\r\n{number}\r\n", number.to_string().len()),
        other => panic!("{other:?}"),
    };
    out.extend(line.into_bytes());
    if let Reply::Found(Found { data: Some(data), .. }) = reply {
        out.extend_from_slice(data);
        out.extend(b"\r\n");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_request_reads_back(request in any_request(), opaque in any::<u64>()) {
        let mut out = BytesMut::new();
        request.encode(opaque, &mut out);
        let line = str::from_utf8(&out).expect("lines are ASCII");
        prop_assert!(out.len() < 2048, "memcached reads no longer line");
        prop_assert_eq!(read_back(line, request.data()), (request.clone(), opaque));
    }

    #[test]
    fn any_replies_decode_however_they_are_cut(
        exchanges in proptest::collection::vec(any_reply(), 1..8),
        sizes in proptest::collection::vec(1..5000usize, 1..10),
    ) {
        let (requests, replies): (Vec<_>, Vec<_>) = exchanges.into_iter().unzip();
        let mut bytes = Vec::new();
        for (opaque, reply) in replies.iter().enumerate() {
            write_reply(reply, opaque, &mut bytes);
        }
        let mut sizes = sizes.into_iter().cycle();
        let decoded = decode_in_pieces(&requests, &bytes, &mut sizes, &mut bounds());
        prop_assert!(decoded == Ok(replies));
    }

    #[test]
    fn any_bytes_are_replies_or_errors(
        requests in proptest::collection::vec(any_request(), 1..4),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        size in 1..50usize,
    ) {
        let _ = decode_in_pieces(&requests, &bytes, &mut std::iter::repeat(size), &mut bounds());
    }

    #[test]
    fn any_damaged_reply_is_a_reply_or_an_error(
        (request, reply) in any_reply(),
        position in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = Vec::new();
        write_reply(&reply, 0, &mut bytes);
        let position = position.index(bytes.len());
        bytes[position] = byte;
        let _ = decode(request, &bytes);
    }
}
