//! What the command line says while it works, and when it can't, to whoever keeps its output.

use std::fs;

use super::{KEY, NAMESPACE, PASSPHRASE, PREFIX, SECRET, SERVICE, SESSION, STACK, VALUE};
use crate::cli::{Desk, guest};
use crate::memcached::{Memcached, free_address};

/// A server that asks for a password, and how to reach it with the right one.
fn guarded() -> (Memcached, tempfile::NamedTempFile, Desk) {
    let users = tempfile::NamedTempFile::new().expect("a temporary directory");
    fs::write(users.path(), "hush-user:hush-password\n").expect("it can be written");
    let server = Memcached::start_with(&["-I", "3m", "-Y", users.path().to_str().expect("UTF-8")]);
    let desk = secretive(Desk::at(&server)).with("CACHE_USERNAME", "hush-user");
    (server, users, desk)
}

fn secretive(desk: Desk) -> Desk {
    desk.with("CACHE_PREFIX", PREFIX)
        .with("CACHE_ENCRYPTION_KEY", PASSPHRASE)
        .with("CACHE_PREVIOUS_KEYS", "hush-another-one")
        .with("CACHE_KEY_SECRET", "hush-key-secret")
        .with("CACHE_RECENT_KEYS", "10")
        .with("CACHE_RECENT_DIR", "recent")
        .with("RUST_LOG", "trace")
        .with("RUST_BACKTRACE", "full")
}

/// Runs a command, and answers what it printed and what it said, with its exit code.
fn outcome(desk: &Desk, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = desk.run(&[&["-vvv"], arguments].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

const OF: [&str; 6] = ["--service", SERVICE, "--stack", STACK, "--session", SESSION];

/// The commands that are about a tenant, and what their output is for: it names what was asked for.
fn commands(component: &str) -> Vec<Vec<&str>> {
    let told = [&["run", component][..], &OF, &["--stats", "--", "session", "set", VALUE]].concat();
    vec![
        told,
        [&["run", component][..], &OF, &["--", "no such thing"]].concat(),
        [&["key"][..], &OF, &["--namespace", NAMESPACE, KEY]].concat(),
        [&["recent"][..], &OF].concat(),
        [&["delete"][..], &OF, &[KEY]].concat(),
        [&["clear"][..], &OF].concat(),
    ]
}

#[test]
fn stderr_never_names_a_tenant_a_key_a_value_or_a_secret() {
    let (_server, _users, desk) = guarded();
    let desk = desk.with("CACHE_PASSWORD", "hush-password");
    let component = guest("scope_writes_and_reads_what_it_is_told");
    let mut codes = Vec::new();
    for command in commands(&component) {
        let (code, _, said) = outcome(&desk, &command);
        assert!(!said.contains(SECRET), "{command:?}: {said}");
        codes.push(code);
    }
    assert_eq!(codes, [Some(0), Some(1), Some(0), Some(0), Some(0), Some(0)]);
    let (code, printed, said) = outcome(&desk, &["doctor"]);
    assert!(code == Some(0) && !printed.contains(SECRET) && !said.contains(SECRET), "{printed} {said}");
}

#[test]
fn nor_where_nothing_works() {
    let component = guest("scope_writes_and_reads_what_it_is_told");
    let (_server, _users, refused) = guarded();
    let refused = refused.with("CACHE_PASSWORD", "hush-another");
    let nobody = secretive(Desk::new()).with("CACHE_HOST", "127.0.0.1");
    let nobody = nobody.with("CACHE_PORT", free_address().port().to_string());
    for desk in [refused, nobody] {
        let desk = desk.with("CACHE_TIMEOUT", "2").with("CACHE_CONNECT_TIMEOUT", "2");
        for command in commands(&component) {
            let (_, _, said) = outcome(&desk, &command);
            assert!(!said.contains(SECRET), "{command:?}: {said}");
        }
        let (code, printed, said) = outcome(&desk, &["doctor"]);
        assert!(code == Some(1) && !printed.contains(SECRET) && !said.contains(SECRET), "{printed} {said}");
        let (code, printed, said) = outcome(&desk, &["bench", "--seconds", "0.1"]);
        assert!(code == Some(1) && !printed.contains(SECRET) && !said.contains(SECRET), "{printed} {said}");
    }
}

/// The names that an operator gives are said back on stdout where the command is about them, and by a run for
/// several tenants; a trap and its backtrace hold none.
#[test]
fn a_trap_of_a_guest_names_nobody() {
    let desk = secretive(Desk::new());
    let component = guest("limits_too_many_handles_trap");
    let (code, printed, said) = outcome(&desk, &[&["run", &component][..], &OF].concat());
    assert!(code == Some(1) && said.contains("stopped: "), "{said}");
    assert!(!printed.contains(SECRET) && !said.contains(SECRET), "{printed} {said}");
}
