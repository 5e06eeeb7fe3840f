//! Who can get at it, and what else lies there.

use super::super::tests::after;
use super::*;

const NAME: [u8; NAME_BYTES] = [0xab; NAME_BYTES];

fn acme() -> Partition {
    Partition::service("fx").and_then(|service| service.stack("acme")).expect("valid")
}

fn pages() -> [Page; 1] {
    [Page { partition: acme(), namespace: None, keys: vec![("k".into(), super::super::Seen::default())] }]
}

fn open(path: &Path) -> Result<Directory, Error> {
    Directory::open(path, None, NAME, after(0))
}

fn counted(path: &Path) -> (usize, usize) {
    let found = read(path, None, &acme()).expect("readable");
    (found.read, found.skipped)
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

#[cfg(unix)]
#[test]
fn nobody_else_can_get_at_it() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("recent");
    let directory = open(&path).expect("made");
    directory.write(&pages(), [0; NONCE_BYTES]).expect("written");
    let file = path.join(format!("{}.recent", "ab".repeat(16)));
    assert_eq!((mode(&path), mode(&file)), (0o700, 0o600));
    assert_eq!(counted(&path), (1, 0));

    set_mode(&file, 0o640);
    assert_eq!(counted(&path), (0, 1));
    set_mode(&path, 0o750);
    for error in [open(&path).map(drop), read(&path, None, &acme()).map(drop)] {
        let said = error.expect_err("others can get at it").to_string();
        assert!(said.contains("(mode 750): chmod 700 it"), "{said}");
    }
}

#[test]
fn what_is_none_is_said() {
    let folder = tempfile::tempdir().expect("a directory");
    let missing = folder.path().join("recent");
    let said = read(&missing, None, &acme()).expect_err("there is none").to_string();
    assert!(said.contains("no such directory; the first host"), "{said}");
    let said = open(&missing.join("below")).expect_err("its parent is missing").to_string();
    assert!(said.contains("recent/below: "), "{said}");
    fs::write(&missing, "a file").expect("written");
    let said = open(&missing).expect_err("it is a file").to_string();
    assert!(said.ends_with(": not a directory"), "{said}");
}

#[test]
fn what_is_not_ours_is_left_alone_and_what_is_damaged_is_counted() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("recent");
    open(&path).expect("made").write(&pages(), [0; NONCE_BYTES]).expect("written");
    let name = |digit: &str, ending: &str| path.join(format!("{}{ending}", digit.repeat(32)));
    for other in [path.join("notes.recent"), name("g", ENDING), name("0", ".other"), name("1", ENDING_NEW)] {
        fs::write(other, "else").expect("written");
    }
    fs::create_dir(name("2", ENDING)).expect("made");
    assert_eq!(counted(&path), (1, 0));
    let damaged = name("3", ENDING);
    write_new(&damaged, b"SRRECENT\x01\x00\x00").expect("written");
    assert_eq!(counted(&path), (1, 1));
    #[cfg(unix)]
    {
        // A link that somebody put there is not followed.
        std::os::unix::fs::symlink(&damaged, name("4", ENDING)).expect("made");
        assert_eq!(counted(&path), (1, 1));
    }
    // Of a file that is too large to be one, no more is read than a host writes.
    let large = name("5", ENDING);
    write_new(&large, b"").expect("written");
    let file = OpenOptions::new().write(true).open(&large).expect("it is there");
    file.set_len(RECENT_FILE_BYTES_MAX + 1).expect("a file with a hole");
    assert_eq!(counted(&path), (1, 2));
}

#[test]
fn there_are_only_so_many_files() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("recent");
    open(&path).expect("made");
    for number in 0..RECENT_FILES_MAX + 10 {
        fs::write(path.join(format!("{number:032x}.recent")), "old").expect("written");
    }
    open(&path).expect("usable");
    assert_eq!(fs::read_dir(&path).expect("it is there").count(), RECENT_FILES_MAX - 1);
}
