//! Recent keys, as an operator looks at them and deletes what they name.

use std::path::PathBuf;

use crate::cli::{ACME, Desk, KEY_1, KEY_2, guest, text};
use crate::memcached::Memcached;

const DAY: &str = "fx/day/2024-03-15";

impl Desk {
    /// With the two settings.
    fn remembering(self, keys: &str) -> Self {
        self.with("CACHE_RECENT_KEYS", keys).with("CACHE_RECENT_DIR", "recent")
    }

    fn files(&self) -> Vec<PathBuf> {
        let directory = std::fs::read_dir(self.directory.path().join("recent")).expect("it is made");
        directory.map(|entry| entry.expect("readable").path()).collect()
    }

    /// The keys that the command shows, with their reads, writes and namespaces; and what it notes.
    fn recent(&self, arguments: &[&str]) -> (Vec<String>, String) {
        let output = self.run(&[&["recent", "--service", "fx"], arguments].concat());
        let noted = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines = text(&output);
        let rows = lines.lines().skip(1).map(|line| {
            let (_, row) = line.split_once(" ago ").expect("when it was asked for");
            row.split_whitespace().collect::<Vec<_>>().join(" ")
        });
        (rows.collect(), noted)
    }
}

#[test]
fn operators_see_what_a_guest_asked_for_and_delete_it() {
    let server = Memcached::start();
    let desk = Desk::at(&server).remembering("100");
    assert_eq!(desk.fx(ACME), ["miss", "miss"]);
    let stack = ["--stack", "acme"];
    let (first, _) = desk.recent(&stack);
    assert!(first.len() == 1 && first[0].ends_with(&format!("- {DAY}")), "{first:?}");
    assert_eq!(desk.recent(ACME).0.len(), 1, "the session has a key of its own");
    for others in [&["--stack", "globex"][..], &[], &["--stack", "acme", "--session", "ben"]] {
        let (rows, noted) = desk.recent(others);
        assert!(rows.is_empty() && noted.contains("no recent keys here"), "{others:?}: {rows:?} {noted}");
    }
    assert_eq!(desk.fx(ACME), ["hit", "hit"]);
    assert_eq!(desk.recent(&stack).0.len(), 1, "of two processes, counted together");
    assert_eq!(desk.files().len(), 2);

    let delete = |keys: &[&str]| {
        let asked = [&["delete", "--service", "fx"], &stack[..], keys].concat();
        text(&desk.run(&asked))
    };
    assert_eq!(delete(&[DAY, "another", DAY]), "deleted 1 entry; there was none under 1 key\n");
    assert_eq!(desk.fx(ACME), ["miss", "hit"], "the session's entry stays");
    assert_eq!(delete(&["--namespace", "another", DAY]), "deleted 0 entries; there was none under 1 key\n");
    assert_eq!(desk.fx(ACME), ["hit", "hit"]);
    assert_eq!(desk.files().len(), 4, "what operators delete is not what a guest asked for");
}

#[test]
fn nothing_is_remembered_unless_it_is_set() {
    let server = Memcached::start();
    let desk = Desk::at(&server);
    assert_eq!(desk.fx(ACME), ["miss", "miss"]);
    assert_eq!(std::fs::read_dir(desk.directory.path()).expect("a directory").count(), 0);
    let (code, said) = desk.fails(&["recent", "--service", "fx", "--stack", "acme"]);
    assert!(code == 2 && said.contains("recent_keys") && said.contains("recent_dir"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    let alone = Desk::at(&server).with("CACHE_RECENT_DIR", "recent");
    for command in
        [&["run", &guest("fx"), "--stack", "acme"][..], &["doctor"], &["recent", "--service", "fx"]]
    {
        let (code, said) = alone.fails(command);
        assert!(code == 2 && said.contains("recent_dir: allowed only together with recent_keys"), "{said}");
    }
    let (code, said) = Desk::new().remembering("1001").fails(&["doctor"]);
    assert!(code == 2 && said.contains("CACHE_RECENT_KEYS: allowed are 0 to 1000"), "{said}");
    let (code, said) = Desk::new().remembering("100").fails(&["recent", "--service", "fx"]);
    assert!(code == 2 && said.contains("no such directory"), "{said}");
    let (code, said) = Desk::new().fails(&["delete", "--service", "fx", "rates"]);
    assert!(code == 2 && said.contains("CACHE_HOST"), "{said}");
}

#[cfg(unix)]
#[test]
fn the_directory_is_its_owners_alone() {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    let desk = Desk::new().remembering("100");
    desk.fx(ACME);
    let directory = desk.directory.path().join("recent");
    let mode = |path| metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(directory.clone()), mode(desk.files()[0].clone())), (0o700, 0o600));
    set_permissions(&desk.files()[0], Permissions::from_mode(0o644)).expect("it is ours");
    let (rows, noted) = desk.recent(&["--stack", "acme"]);
    assert!(rows.is_empty() && noted.contains("1 file was skipped"), "{rows:?} {noted}");
    set_permissions(&directory, Permissions::from_mode(0o755)).expect("it is ours");
    for command in [&["run", &guest("fx"), "--stack", "acme"][..], &["recent", "--service", "fx"]] {
        let (code, said) = desk.fails(command);
        assert!(code == 2 && said.contains("chmod 700"), "{said}");
    }
}

#[test]
fn files_are_sealed_where_entries_are() {
    let desk = Desk::new().remembering("100").with("CACHE_ENCRYPTION_KEY", KEY_1);
    desk.fx(ACME);
    let file = std::fs::read(&desk.files()[0]).expect("readable");
    let readable = String::from_utf8_lossy(&file);
    for name in ["fx", "acme", "anna", "day", "2024"] {
        assert!(!readable.contains(name), "{name} is readable");
    }
    assert_eq!(desk.recent(&["--stack", "acme"]).0.len(), 1);
    let desk = desk.with("CACHE_ENCRYPTION_KEY", KEY_2);
    let (rows, noted) = desk.recent(&["--stack", "acme"]);
    assert!(rows.is_empty() && noted.contains("1 file was skipped"), "{rows:?} {noted}");
    let desk = desk.with("CACHE_PREVIOUS_KEYS", KEY_1);
    assert_eq!(desk.recent(&["--stack", "acme"]).0.len(), 1, "rotated");
}

#[test]
fn namespaces_are_shown_and_guests_can_not_drive_the_terminal() {
    let desk = Desk::new().remembering("100");
    let run = |name: &str| text(&desk.run(&["run", &guest(name), "--service", "fx", "--stack", "acme"]));
    run("cache_a_namespace_is_a_cache_of_its_own");
    let (rows, _) = desk.recent(&["--stack", "acme"]);
    let namespaces: Vec<_> = rows.iter().filter_map(|row| row.split(' ').nth(2)).collect();
    assert!(namespaces.contains(&"-") && namespaces.iter().any(|name| *name != "-"), "{rows:?}");

    run("cache_keys_are_any_text");
    let shown = text(&desk.run(&["recent", "--service", "fx", "--stack", "acme"]));
    assert!(!shown.chars().any(|c| c != '\n' && c.is_control()), "{shown:?}");
    assert!(shown.contains('"'), "some stand in quotes: {shown}");
}

#[test]
fn the_newest_keys_stay() {
    let desk = Desk::new().remembering("2");
    for day in ["2024-03-13", "2024-03-14", "2024-03-15"] {
        text(&desk.run(&["run", &guest("fx"), "--stack", "acme", "--", "1", "USD", "JPY", "--on", day]));
    }
    // Each process remembers its own.
    assert_eq!(desk.recent(&["--stack", "acme"]).0.len(), 3);
    let (rows, noted) = desk.recent(&["--stack", "acme", "--limit", "1"]);
    assert!(rows.len() == 1 && rows[0].ends_with(DAY) && noted.contains("and 2 older keys"), "{rows:?}");

    let many = Desk::new().remembering("2");
    text(&many.run(&[
        "run",
        &guest("cache_batches_keep_order_and_duplicates"),
        "--service",
        "fx",
        "--stack",
        "acme",
    ]));
    let (rows, _) = many.recent(&["--stack", "acme"]);
    assert_eq!(rows.len(), 2, "{rows:?}");
}
