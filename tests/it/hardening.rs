//! The README's command lines of memcached, started as they stand there: they work, and they close what they
//! say that they close.

use std::time::Duration;

use strongroom_host::backend::Server;
use strongroom_host::{Cache, Config, Fetched, Partition, Value};

use crate::certificates::Authority;
use crate::harness::noise;
use crate::memcached::Memcached;

const README: &str = include_str!("../../README.md");

/// Where a test's server listens instead of where the README says, and as whom.
const OF_THE_PLACE: &[&str] = &["-l", "-s", "-a", "-u"];

/// The arguments of each command line, without those that say where it listens; and whether that is a socket.
fn command_lines() -> Vec<(Vec<&'static str>, bool)> {
    let lines = README.lines().filter_map(|line| line.strip_prefix("memcached "));
    lines
        .map(|line| {
            let words: Vec<_> = line.split(" # ").next().unwrap_or_default().split_whitespace().collect();
            let mut arguments = Vec::new();
            let mut rest = words.iter();
            while let Some(word) = rest.next() {
                match OF_THE_PLACE.contains(word) {
                    true => drop(rest.next()),
                    false => arguments.push(*word),
                }
            }
            (arguments, words.contains(&"-s"))
        })
        .collect()
}

/// One of everything that an extension may ask for, by the whole way.
async fn works(server: &Memcached) {
    let patience = Duration::from_secs(10);
    let servers = Server::parse(&server.text()).into_iter().collect();
    let config = Config::new().servers(servers).and_then(|config| config.timeout(patience));
    let config = config.and_then(|config| config.encryption_key("a passphrase")).expect("allowed");
    let cache = Cache::connect(config).await.expect("settings that go together");
    let acme = Partition::service("tests").and_then(|service| service.stack("acme")).expect("valid");
    let entries = cache.open(&acme, None).expect("opens");
    let largest = Value::from(noise(2 << 20));
    entries.set("k", largest.clone(), Some(60)).await.expect("the largest value fits");
    assert_eq!(entries.get("k").await.expect("get"), Some(largest));
    assert_eq!(entries.increment("n", 1, 7, None).await.expect("increment"), 7);
    assert!(entries.add("a", "b".into(), None).await.expect("add"));
    let (_, version) = entries.get_versioned("a").await.expect("get_versioned").expect("a hit");
    entries.swap("a", "c".into(), version, None).await.expect("swap");
    let Fetched::Vacant(mut fill) = entries.fetch("f", 60, Duration::ZERO).await.expect("fetch") else {
        panic!("nothing is there");
    };
    assert!(fill.complete("v".into(), Some(60)).await.expect("complete"));
    assert!(entries.touch("f", Some(60)).await.expect("touch"));
    assert!(entries.delete("a").await.expect("delete"));
    cache.clear(&acme).await.expect("clear");
    assert_eq!(entries.get("f").await.expect("get"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readmes_command_lines_of_memcached_work() {
    let folder = tempfile::tempdir().expect("a directory");
    let lines = command_lines();
    assert!(lines.iter().any(|(_, is_socket)| *is_socket) && lines.iter().any(|(_, is_socket)| !*is_socket));
    for (number, (arguments, is_socket)) in lines.into_iter().enumerate() {
        let server = match is_socket {
            true => Memcached::start_unix(folder.path().join(format!("{number}.sock")), &arguments),
            false => Memcached::start_with(&arguments),
        };
        works(&server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hardened_memcached_refuses_what_the_readme_says() {
    let (arguments, _) = command_lines().into_iter().next().expect("there is one");
    for flag in ["-B", "ascii", "-F", "-X", "-W", "-U", "0"] {
        assert!(arguments.contains(&flag), "{flag} is in the README");
    }
    let (hardened, usual) = (Memcached::start_with(&arguments), Memcached::start_with(&["-I", "3m"]));
    let said = |server: &Memcached, command: &str| {
        let answer = server.ask(&format!("{command}\r\n"), b"\r\n");
        String::from_utf8_lossy(&answer).into_owned()
    };
    for (flag, command) in [
        ("-F", "flush_all"),
        ("-X", "lru_crawler metadump all"),
        ("-X", "stats cachedump 1 1"),
        ("-W", "watch fetchers"),
    ] {
        assert!(said(&hardened, command).contains("not allowed"), "{flag} refuses {command}");
        assert!(!said(&usual, command).contains("not allowed"), "without {flag} there is {command}");
    }
    assert!(said(&hardened, "shutdown").contains("not enabled"), "as there is no -A");
    let settings = String::from_utf8_lossy(&hardened.ask("stats settings\r\n", b"END\r\n")).into_owned();
    for setting in
        ["udpport 0", "binding_protocol ascii", "flush_enabled no", "dump_enabled no", "cas_enabled yes"]
    {
        assert!(settings.contains(&format!("STAT {setting}\r\n")), "{setting}: {settings}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memcached_that_takes_tls_1_3_only_is_reached() {
    assert!(README.contains("ssl_min_version=3"));
    let authority = Authority::new();
    let server = authority.server(&["127.0.0.1"], &["-I", "3m"], ",ssl_min_version=3");
    let config = Config::new().servers(Server::parse(&server.text()).into_iter().collect());
    let config =
        config.and_then(|config| config.tls(true)).and_then(|config| config.timeout(Duration::from_secs(10)));
    let config = config.expect("allowed").tls_ca(&authority.ca().to_string_lossy());
    let cache = Cache::connect(config).await.expect("settings that go together");
    let acme = Partition::service("tests").and_then(|service| service.stack("acme")).expect("valid");
    let entries = cache.open(&acme, None).expect("opens");
    entries.set("k", "v".into(), None).await.expect("set");
    assert_eq!(entries.get("k").await.expect("get"), Some("v".into()));
}
