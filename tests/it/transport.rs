//! The ways to a server: IPv6, Unix sockets, TLS and authentication, each against a real memcached.

use std::fs;
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use strongroom_host::backend::{
    Condition, Credentials, Memcached as Backing, MemcachedOptions, Server, StoreOutcome, Tls, TlsFiles,
};
use strongroom_host::{Flags, Kind, Lifetime, StorageKey, Stored};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::certificates::Authority;
use crate::harness::noise;
use crate::memcached::Memcached;

/// So long that only what hangs fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn key(number: usize) -> StorageKey {
    StorageKey::parse(&format!("way:{number:032}")).expect("of the right form")
}

fn entry(data: impl Into<Bytes>) -> Stored {
    Stored { flags: Flags::entry(Kind::Bytes, 0), data: data.into() }
}

fn backend(server: &Memcached, options: MemcachedOptions) -> Backing {
    Backing::new(MemcachedOptions {
        servers: Server::parse(&server.text()).into_iter().collect(),
        connect_timeout: PATIENCE,
        timeout: PATIENCE,
        ..options
    })
}

async fn set(backend: &Backing, number: usize, data: Bytes) {
    let stored = backend.store(&key(number), entry(data), Lifetime::UntilEvicted, Condition::Always).await;
    assert_eq!(stored.expect("stored"), StoreOutcome::Stored);
}

async fn get(backend: &Backing, number: usize) -> Option<Bytes> {
    backend.get(&key(number)).await.expect("reachable").map(|found| found.entry.data)
}

async fn works(backend: &Backing) {
    set(backend, 1, "here".into()).await;
    assert_eq!(get(backend, 1).await, Some("here".into()));
}

/// Why nothing can be stored.
async fn refusal(backend: &Backing) -> String {
    let stored = backend.store(&key(1), entry("x"), Lifetime::UntilEvicted, Condition::Always).await;
    let error = stored.expect_err("the server must not be used");
    assert!(matches!(error, strongroom_host::backend::Error::Unavailable { .. }), "{error}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_reached_over_ipv6() {
    let server = Memcached::start_on(Ipv6Addr::LOCALHOST.into(), &["-I", "3m"]);
    assert!(server.text().starts_with("[::1]:"));
    works(&backend(&server, MemcachedOptions::default())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_name_of_several_addresses_is_reached_at_the_one_that_answers() {
    // `localhost` may be ::1 first; the server is on 127.0.0.1 only.
    let server = Memcached::start();
    let servers = Server::parse(&format!("localhost:{}", server.port())).into_iter().collect();
    works(&Backing::new(MemcachedOptions { servers, timeout: PATIENCE, ..MemcachedOptions::default() }))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_reached_by_a_unix_socket() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let server = Memcached::start_unix(folder.path().join("socket"), &["-I", "3m"]);
    works(&backend(&server, MemcachedOptions::default())).await;
    drop(server);
    let gone = Server::parse(&format!("unix:{}", folder.path().join("nothing").display()));
    let options = MemcachedOptions { servers: gone.into_iter().collect(), ..MemcachedOptions::default() };
    assert!(refusal(&Backing::new(options)).await.contains("No such file"));
}

fn as_user(user: &str, password: &str) -> MemcachedOptions {
    let credentials = Some(Credentials::new(user, password).expect("two words"));
    MemcachedOptions { credentials, ..MemcachedOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_takes_the_right_credentials_and_no_others() {
    let file = tempfile::NamedTempFile::new().expect("a temporary directory");
    fs::write(file.path(), "other:else\nhosts:cherry:pie\n").expect("it can be written");
    let path = file.path().to_str().expect("UTF-8");
    let server = Memcached::start_with(&["-Y", path]);
    works(&backend(&server, as_user("hosts", "cherry:pie"))).await;
    works(&backend(&server, as_user("other", "else"))).await;
    for (user, password) in [("hosts", "cherry"), ("nobody", "cherry:pie"), ("other", "cherry:pie")] {
        let reason = refusal(&backend(&server, as_user(user, password))).await;
        assert!(reason.contains("does not accept the username and password"), "{reason}");
        assert!(!reason.contains("cherry") && !reason.contains("nobody"), "{reason}");
    }
    let reason = refusal(&backend(&server, MemcachedOptions::default())).await;
    assert!(reason.contains("asks for authentication"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_ask_keeps_no_credentials() {
    let server = Memcached::start();
    works(&backend(&server, as_user("hosts", "cherry"))).await;
    assert_eq!(server.item("auth"), None);
    let held = server.dump();
    assert!(held.iter().all(|(_, data)| !data.windows(6).any(|bytes| bytes == b"cherry")));
}

fn over_tls(files: &TlsFiles) -> MemcachedOptions {
    let tls = Some(Tls::new(files).expect("files of ours"));
    MemcachedOptions { tls, ..MemcachedOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_reached_over_tls_and_certificates_are_verified() {
    let authority = Authority::new();
    let server = authority.server(&["127.0.0.1"], &[], "");
    works(&backend(&server, over_tls(&authority.files()))).await;

    let reason = refusal(&backend(&server, over_tls(&Authority::new().files()))).await;
    assert!(reason.contains("no TLS") && reason.contains("certificate"), "{reason}");
    // The system's authorities don't know it either.
    assert!(refusal(&backend(&server, over_tls(&TlsFiles::default()))).await.contains("no TLS"));
    let other = TlsFiles { name: Some("cache.example".to_owned()), ..authority.files() };
    let reason = refusal(&backend(&server, over_tls(&other))).await;
    assert!(reason.contains("no TLS") && reason.contains("cache.example"), "{reason}");
    // In plain, to a server that wants TLS; and with TLS, to one that does not have it.
    let options = MemcachedOptions { timeout: Duration::from_secs(1), ..MemcachedOptions::default() };
    let servers = Server::parse(&server.text()).into_iter().collect();
    refusal(&Backing::new(MemcachedOptions { servers, ..options })).await;
    let plain = Memcached::start();
    assert!(refusal(&backend(&plain, over_tls(&authority.files()))).await.contains("no TLS"));
}

/// Somebody on the way to a server, who passes everything on and keeps it.
async fn listens_in(server: &Memcached) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (port, heard) = (listener.local_addr().expect("bound").port(), Arc::new(Mutex::new(Vec::new())));
    let (server, kept) = (server.port(), Arc::clone(&heard));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", server)).await.expect("it is there");
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(pass_on(from_client, to_server, Arc::clone(&kept)));
            tokio::spawn(pass_on(from_server, to_client, Arc::clone(&kept)));
        }
    });
    (port, heard)
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, kept: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        kept.lock().expect("no panic").extend_from_slice(&buffer[..len]);
        if to.write_all(&buffer[..len]).await.is_err() {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_on_the_way_can_read_keys_values_or_passwords_over_tls() {
    let file = tempfile::NamedTempFile::new().expect("a temporary directory");
    fs::write(file.path(), "hosts:cherry\n").expect("it can be written");
    let asks = ["-Y", file.path().to_str().expect("UTF-8")];
    let authority = Authority::new();
    for is_tls in [true, false] {
        let server = match is_tls {
            true => authority.server(&["127.0.0.1"], &asks, ""),
            false => Memcached::start_with(&asks),
        };
        let (port, heard) = listens_in(&server).await;
        let options = if is_tls { over_tls(&authority.files()) } else { MemcachedOptions::default() };
        let servers = Server::parse(&format!("127.0.0.1:{port}")).into_iter().collect();
        let credentials = Credentials::new("hosts", "cherry");
        let backend = Backing::new(MemcachedOptions { servers, credentials, timeout: PATIENCE, ..options });
        set(&backend, 1, "a value in plain".into()).await;
        assert_eq!(get(&backend, 1).await, Some("a value in plain".into()));
        let heard = heard.lock().expect("no panic").clone();
        for word in ["cherry", key(1).as_str(), "a value in plain"] {
            let is_heard = heard.windows(word.len()).any(|bytes| bytes == word.as_bytes());
            assert_eq!(is_heard, !is_tls, "{word}, of {} bytes", heard.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_for_the_name_that_is_configured() {
    let authority = Authority::new();
    let server = authority.server(&["cache.example"], &[], "");
    assert!(refusal(&backend(&server, over_tls(&authority.files()))).await.contains("no TLS"));
    let named = TlsFiles { name: Some("cache.example".to_owned()), ..authority.files() };
    works(&backend(&server, over_tls(&named))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_a_certificate_takes_ours_and_no_stranger() {
    let authority = Authority::new();
    let ca = format!(",ssl_verify_mode=2,ssl_ca_cert={}", authority.ca().display());
    let server = authority.server(&["127.0.0.1"], &[], &ca);
    let ours = authority.certify("client", &["host-1.example"]);
    let files = |ours: crate::certificates::Certified| TlsFiles {
        certificate: Some(ours.certificate),
        key: Some(ours.key),
        ..authority.files()
    };
    works(&backend(&server, over_tls(&files(ours)))).await;
    refusal(&backend(&server, over_tls(&authority.files()))).await;
    let others = Authority::new();
    refusal(&backend(&server, over_tls(&files(others.certify("client", &["host-1.example"]))))).await;

    let mixed =
        TlsFiles { key: Some(authority.certify("a", &["a"]).key), ..files(authority.certify("b", &["b"])) };
    let error = Tls::new(&mixed).expect_err("the key is another one's").to_string();
    assert!(error.contains("tls_key: "), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_go_over_tls_too() {
    let file = tempfile::NamedTempFile::new().expect("a temporary directory");
    fs::write(file.path(), "hosts:cherry\n").expect("it can be written");
    let authority = Authority::new();
    let server = authority.server(&["127.0.0.1"], &["-Y", file.path().to_str().expect("UTF-8")], "");
    let credentials = Credentials::new("hosts", "cherry");
    works(&backend(&server, MemcachedOptions { credentials, ..over_tls(&authority.files()) })).await;
    let credentials = Credentials::new("hosts", "apple");
    let wrong = MemcachedOptions { credentials, ..over_tls(&authority.files()) };
    assert!(refusal(&backend(&server, wrong)).await.contains("does not accept"));
}

/// All at once, and nothing else until each is done: what follows would free a server that is stuck.
async fn at_once<F: Future<Output = ()> + Send + 'static>(calls: impl Iterator<Item = F>) {
    for call in calls.map(tokio::spawn).collect::<Vec<_>>() {
        call.await.expect("it is answered, and rightly");
    }
}

/// Before 1.6.39, memcached gets stuck where a TLS record ends within a request: `outbox` says why.
/// Without its care, some of these rounds end in time-outs.
#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_writes_of_all_sizes_are_in_flight_over_tls_and_none_gets_stuck() {
    const CALLERS: usize = 400;
    const SMALL: [usize; 3] = [100, 500, 2000];
    const ALL: [usize; 11] = [100, 500, 2000, 8191, 8192, 16_000, 16_384, 17_000, 50_000, 200_000, 1 << 20];
    let authority = Authority::new();
    let server = authority.server(&["127.0.0.1"], &["-I", "3m", "-m", "1024"], "");
    let backend = Arc::new(backend(&server, over_tls(&authority.files())));
    let noise = Bytes::from(noise(2 << 20));
    let begun = Instant::now();
    for round in 0..24 {
        let sizes = if round < 20 { &SMALL[..] } else { &ALL[..] };
        let noise = noise.clone();
        // In an order without a pattern, another one in each round.
        let value = move |number: usize| {
            noise.slice(number..number + sizes[(number + round) * 7919 % 97 % sizes.len()])
        };
        at_once((0..CALLERS).map(|number| {
            let (backend, value) = (Arc::clone(&backend), value(number));
            async move { set(&backend, number, value).await }
        }))
        .await;
        at_once((0..CALLERS).map(|number| {
            let (backend, value) = (Arc::clone(&backend), value(number));
            async move { assert!(get(&backend, number).await == Some(value), "a wrong value") }
        }))
        .await;
    }
    println!("{} writes and as many reads over TLS in {:?}", 24 * CALLERS, begun.elapsed());
}
