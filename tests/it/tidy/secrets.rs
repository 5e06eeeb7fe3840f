//! Rules for what holds secrets and names, and for where randomness comes from.

use super::{report, sources};

/// Types that hold secrets: not comparable in a time that depends on how much is right, and not printable.
const SECRET: &[&str] =
    &["Secret", "Xaes", "PartitionKeys", "PartitionKey", "KeyDeriver", "Credentials", "Transport", "Config"];

/// Types that hold names, keys or values of guests: not printable either.
const CONFIDENTIAL: &[&str] =
    &["Identifier", "Namespace", "StorageKey", "Stored", "Value", "RecentKey", "Page"];

#[test]
fn secrets_and_names_have_no_derived_debug() {
    let mut wrong = Vec::new();
    let mut seen = Vec::new();
    for source in sources(&["host/src"]) {
        let code: Vec<_> = source.code().collect();
        for (name, derived) in derives(&code) {
            let is_secret = SECRET.contains(&name.as_str());
            if !is_secret && !CONFIDENTIAL.contains(&name.as_str()) {
                continue;
            }
            let refused = |derived: &str| derived == "Debug" || (is_secret && derived == "PartialEq");
            wrong.extend(
                derived
                    .iter()
                    .filter(|derived| refused(derived))
                    .map(|derived| format!("{}: {name} derives {derived}", source.path)),
            );
            seen.push(name);
        }
    }
    report("types that must not derive it", wrong);
    let listed = SECRET.iter().chain(CONFIDENTIAL);
    report(
        "on the lists, and not in the code",
        listed.filter(|name| !seen.contains(&(**name).to_owned())).map(|name| (*name).to_owned()).collect(),
    );
}

/// Structs and enums with what each derives.
fn derives(code: &[&str]) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    let mut derived = Vec::new();
    for line in code.iter().map(|line| line.trim_start()) {
        if let Some(list) = line.strip_prefix("#[derive(") {
            let list = list.trim_end_matches(")]").split(", ");
            derived.extend(list.map(|path| path.rsplit(':').next().unwrap_or_default().to_owned()));
        } else if !line.starts_with("#[") {
            let mut words =
                line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
            let is_type = |word: &str| ["struct", "enum"].contains(&word);
            let is_head = line.starts_with("pub") || line.split(' ').next().is_some_and(is_type);
            if is_head && words.by_ref().any(is_type) {
                found.push((words.next().unwrap_or_default().to_owned(), std::mem::take(&mut derived)));
            }
            derived.clear();
        }
    }
    found
}

/// Where something is sealed, and whatever its nonce must be.
const SEALED: [&str; 2] = ["sealer.seal(key,", "directory.write("];

#[test]
fn nonces_are_drawn_from_the_operating_system() {
    let sources = sources(&["host/src"]);
    let sealing: Vec<_> = sources
        .iter()
        .filter(|source| !source.is_test())
        .flat_map(|source| source.code().map(|line| (&source.path, line)))
        .filter(|(_, line)| SEALED.iter().any(|sealed| line.contains(sealed)))
        .collect();
    assert_eq!(sealing.len(), SEALED.len(), "{sealing:?}: what is sealed is on the list");
    let wrong = sealing.iter().filter(|(_, line)| !line.contains("random::nonce"));
    report(
        "sealed under another nonce",
        wrong.map(|(path, line)| format!("{path}: {}", line.trim())).collect(),
    );
}

#[test]
fn what_a_type_derives_is_seen() {
    let code = ["#[derive(Clone, Debug)]", "#[must_use]", "pub(crate) struct A<T>(T);", "struct B {", "}"];
    let found = [("A", vec!["Clone", "Debug"]), ("B", Vec::new())];
    let found =
        found.map(|(name, derived)| (name.to_owned(), derived.into_iter().map(str::to_owned).collect()));
    assert_eq!(derives(&code), found);
}
