//! A process's record through its file and back, among others'.

use std::time::Duration;

use super::*;
use crate::codec::{CodecOptions, Keyring, Purpose, Secret};
use crate::key::Place;
use crate::limits::RECENT_FILE_AGE_MAX;

pub(super) fn partition(stack: &str) -> Partition {
    Partition::service("fx").and_then(|service| service.stack(stack)).expect("valid")
}

pub(super) fn place(stack: &str, namespace: Option<&str>) -> Place {
    let namespace = namespace.map(|name| Namespace::new(name).expect("valid"));
    Place { partition: partition(stack), namespace }
}

pub(super) fn codec(passphrase: Option<&str>) -> Codec {
    let keyring = passphrase.map(|passphrase| {
        let secret = Secret::from_text(passphrase, Purpose::Encryption).expect("a good secret");
        Keyring::new(secret, Vec::new()).expect("one key")
    });
    Codec::new(CodecOptions { keyring, compress: false, value_bytes_max: 1024 })
}

pub(super) fn after(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

fn note(recent: &Arc<Recent>, namespace: Option<&str>, key: &str, asked: Asked, seconds: u64) {
    Recorder::new(recent, &place("acme", namespace)).note([key], asked, after(seconds));
}

fn names(keys: &[RecentKey]) -> Vec<(Option<&str>, &str, u64, u64)> {
    keys.iter().map(|key| (key.namespace(), key.key(), key.reads(), key.writes())).collect()
}

#[test]
fn what_several_processes_were_asked_for_is_counted_together() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("recent");
    for codec in [codec(None), codec(Some("a passphrase"))] {
        let begin = || Arc::new(Recent::new(10, Some(&path), &codec, SystemTime::now()).expect("usable"));
        let (first, second) = (begin(), begin());
        note(&first, None, "a", Asked::Read, 1);
        note(&first, Some("n"), "b", Asked::Write, 2);
        note(&second, None, "a", Asked::Read, 5);
        note(&second, None, "b", Asked::Read, 4);
        first.write().and_then(|()| second.write()).expect("written");
        let found = RecentOnDisk::read(&path, &codec, &partition("acme")).expect("readable");
        assert_eq!(names(&found.keys), [(None, "a", 2, 0), (None, "b", 1, 0), (Some("n"), "b", 0, 1)]);
        assert_eq!(found.keys[0].last_asked(), after(5));
        let nobody = RecentOnDisk::read(&path, &codec, &partition("globex")).expect("readable");
        assert!(nobody.keys.is_empty());
    }
    // Each of the two deployments skips the files of the other one.
    let found = RecentOnDisk::read(&path, &codec(None), &partition("acme")).expect("readable");
    assert_eq!((found.files, found.skipped), (2, 2));
    let found = RecentOnDisk::read(&path, &codec(Some("another one")), &partition("acme"));
    assert_eq!(found.expect("readable").skipped, 4);
}

#[test]
fn a_file_is_written_where_something_has_changed() {
    let folder = tempfile::tempdir().expect("a directory");
    let files = || std::fs::read_dir(folder.path().join("recent")).expect("it is there").count();
    let path = folder.path().join("recent");
    let recent = Arc::new(Recent::new(10, Some(&path), &codec(None), after(0)).expect("usable"));
    recent.write().expect("there is nothing to write");
    assert_eq!(files(), 0);
    note(&recent, None, "a", Asked::Read, 1);
    recent.write().expect("written");
    assert_eq!(files(), 1);
    std::fs::remove_dir_all(&path).expect("removed");
    recent.write().expect("nothing has changed");
    note(&recent, None, "b", Asked::Read, 2);
    let error = recent.write().expect_err("there is no directory");
    assert!(error.to_string().contains("recent: No such file"), "{error}");
    std::fs::create_dir(&path).expect("made");
    recent.write().expect("what failed is written the next time");
    assert_eq!(files(), 1);
}

#[test]
fn a_host_that_starts_removes_what_is_old() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("recent");
    let now = SystemTime::now();
    let begin = |now| Arc::new(Recent::new(10, Some(&path), &codec(None), now).expect("usable"));
    let recent = begin(now);
    note(&recent, None, "a", Asked::Read, 1);
    recent.write().expect("written");
    std::fs::write(path.join("notes.txt"), "mine").expect("written");
    let files = || std::fs::read_dir(&path).expect("it is there").count();
    begin(now + RECENT_FILE_AGE_MAX - Duration::from_secs(60));
    assert_eq!(files(), 2);
    begin(now + RECENT_FILE_AGE_MAX + Duration::from_secs(60));
    assert_eq!(files(), 1, "what is not ours stays");
}

#[test]
fn debug_shows_no_name() {
    let recent = Arc::new(Recent::new(10, None, &codec(None), after(0)).expect("no directory is needed"));
    note(&recent, Some("hush-namespace"), "hush-key", Asked::Read, 1);
    let keys = recent.of(&partition("acme"));
    let pages = recent.record.take_changed();
    let on_disk = RecentOnDisk { keys: keys.clone(), files: 1, skipped: 0 };
    let said = format!("{keys:?} {pages:?} {on_disk:?}");
    assert!(said.contains("[redacted]") && !said.contains("hush"), "{said}");
}
