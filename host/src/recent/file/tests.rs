//! Files there and back; and what no writer wrote.

use proptest::prelude::*;

use super::super::sealer;
use super::super::tests::codec;
use super::*;

const NAME: &str = "00112233445566778899aabbccddeeff.recent";
const NONCE: [u8; NONCE_BYTES] = *b"ABCDEFGHIJKLMNOPQRSTUVWX";

fn page(stack: &str, namespace: Option<&str>, keys: &[&str]) -> Page {
    let partition = Partition::service("fx").and_then(|service| service.stack(stack)).expect("valid");
    let namespace = namespace.map(|name| Namespace::new(name).expect("valid"));
    let seen = Seen { last_asked: 1_700_000_000_000_000, reads: 3, writes: 1 };
    Page { partition, namespace, keys: keys.iter().map(|key| (Arc::from(*key), seen)).collect() }
}

fn plain(pages: &[Page]) -> Vec<u8> {
    write(pages, NAME, None, NONCE).expect("nothing is sealed")
}

fn read_plain(file: &[u8]) -> Result<Vec<Page>, Unreadable> {
    read(file, NAME, None, |_| true)
}

#[test]
fn the_form_is_as_described() {
    let file = plain(&[page("acme", Some("n"), &["key"])]);
    let expected = [
        &b"SRRECENT\x01\x00"[..],
        b"\x00\x02fx\x00\x04acme\x00\x00\x00\x01n\x00\x00\x00\x01",
        b"\x00\x03key\x00\x06\x0a\x24\x18\x1e\x40\x00",
        &3_u64.to_be_bytes(),
        &1_u64.to_be_bytes(),
    ];
    assert_eq!(file, expected.concat());
    assert_eq!(plain(&[]), b"SRRECENT\x01\x00");
}

#[test]
fn a_sealed_file_shows_nothing_and_opens_in_its_place_only() {
    let pages = [page("acme", Some("accounts"), &["iban-1"]), page("globex", None, &["iban-2"])];
    let (ours, others) = (codec(Some("a passphrase")), codec(Some("another one")));
    let (ours, others) = (sealer(&ours), sealer(&others));
    let sealed = write(&pages, NAME, ours.as_ref(), NONCE).expect("short");
    let text = String::from_utf8_lossy(&sealed);
    for name in ["fx", "acme", "accounts", "iban", "globex"] {
        assert!(!text.contains(name), "{name} is readable");
    }
    assert_eq!(read(&sealed, NAME, ours.as_ref(), |_| true).as_deref(), Ok(&pages[..]));
    assert_eq!(read(&sealed, "another", ours.as_ref(), |_| true), Err(Unreadable::NotAuthentic));
    assert_eq!(read(&sealed, NAME, others.as_ref(), |_| true), Err(Unreadable::NotAuthentic));
    assert_eq!(read_plain(&sealed), Err(Unreadable::OtherForm));
    assert_eq!(read(&plain(&pages), NAME, ours.as_ref(), |_| true), Err(Unreadable::OtherForm));
    for at in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert!(read(&altered, NAME, ours.as_ref(), |_| true).is_err(), "byte {at}");
    }
}

#[test]
fn only_the_wanted_partition_is_kept() {
    let pages = [page("acme", None, &["a"]), page("globex", None, &["b"]), page("acme", Some("n"), &["c"])];
    let found = read(&plain(&pages), NAME, None, |found| *found == pages[0].partition);
    assert_eq!(found, Ok(vec![pages[0].clone(), pages[2].clone()]));
}

#[test]
fn lengths_that_no_writer_writes_are_refused() {
    let file = |body: &[&[u8]]| [&b"SRRECENT\x01\x00"[..], &body.concat()].concat();
    let numbers = [0; 24];
    let bodies: [&[&[u8]]; 7] = [
        // No service; a session without a stack; a count that is not there, and one beyond all memory.
        &[b"\0\0\0\0\0\0\0\0\0\0\0\0"],
        &[b"\0\x01s\0\0\0\x01s\0\0\0\0\0\0"],
        &[b"\0\x01s\0\0\0\0\0\0\0\0\0"],
        &[b"\0\x01s\0\0\0\0\0\0\xff\xff\xff\xff"],
        // An empty key, one that is too long, and one that is not UTF-8.
        &[b"\0\x01s\0\0\0\0\0\0\0\0\0\x01\0\0", &numbers],
        &[b"\0\x01s\0\0\0\0\0\0\0\0\0\x01\x04\x01", &[b'k'; 1025], &numbers],
        &[b"\0\x01s\0\0\0\0\0\0\0\0\0\x01\0\x01\xff", &numbers],
    ];
    for body in bodies {
        assert_eq!(read_plain(&file(body)), Err(Unreadable::Damaged), "{body:?}");
    }
    for foreign in [&b""[..], b"SRRECENT", b"SRRECENT\x02\x00", b"SRRECENT\x01\x02", b"SRRECENU\x01\x00"] {
        assert_eq!(read_plain(foreign), Err(Unreadable::Foreign), "{foreign:?}");
    }
}

fn any_page() -> impl Strategy<Value = Page> {
    let text = || proptest::string::string_regex("[a/\u{0}\u{1b}ü]{1,5}").expect("a valid pattern");
    let optional = || proptest::option::of(text());
    let seen = || {
        let numbers = (any::<u64>(), any::<u64>(), any::<u64>());
        numbers.prop_map(|(last_asked, reads, writes)| Seen { last_asked, reads, writes })
    };
    let keys = prop::collection::vec((text(), seen()), 0..4);
    (text(), proptest::option::of((text(), optional())), optional(), keys).prop_map(
        |(service, below, namespace, keys)| {
            let mut partition = Partition::service(&service).expect("valid");
            if let Some((stack, session)) = below {
                partition = partition.stack(&stack).expect("valid");
                if let Some(session) = session {
                    partition = partition.session(&session).expect("valid");
                }
            }
            let namespace = namespace.map(|name| Namespace::new(&name).expect("valid"));
            let keys = keys.into_iter().map(|(key, seen)| (Arc::from(key), seen)).collect();
            Page { partition, namespace, keys }
        },
    )
}

fn any_pages() -> impl Strategy<Value = Vec<Page>> {
    prop::collection::vec(any_page(), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_page_reads_back(pages in any_pages()) {
        prop_assert_eq!(read_plain(&plain(&pages)), Ok(pages));
    }

    #[test]
    fn a_file_that_was_cut_short_is_damaged_or_ends_with_a_page(pages in any_pages(), cut in any::<usize>()) {
        let file = plain(&pages);
        let cut = cut % file.len();
        match read_plain(&file[..cut]) {
            Ok(found) => prop_assert_eq!(&found[..], &pages[..found.len()]),
            Err(reason) => prop_assert!([Unreadable::Damaged, Unreadable::Foreign].contains(&reason)),
        }
    }

    #[test]
    fn garbage_is_no_file(body in prop::collection::vec(any::<u8>(), 0..300), is_headed in any::<bool>()) {
        let head = if is_headed { &b"SRRECENT\x01\x00"[..] } else { b"" };
        let _ = read_plain(&[head, &body].concat());
    }

    #[test]
    fn a_flipped_byte_does_not_panic(pages in any_pages(), at in any::<usize>(), to in any::<u8>()) {
        let mut file = plain(&pages);
        let at = at % file.len();
        file[at] = to;
        if let Ok(found) = read_plain(&file) {
            // What is read takes no more than what was there.
            let keys: usize = found.iter().map(|page| page.keys.len()).sum();
            prop_assert!(found.len() + keys <= file.len());
        }
    }
}
