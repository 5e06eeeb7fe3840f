//! The house rules that a machine can see: who imports whom, heads of files, lengths of functions.

mod documents;
mod secrets;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest file and function, in lines. A file of tests may be longer.
const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// As wide as rustfmt's code.
const COMMENT_COLUMNS_MAX: usize = 110;

/// Who may import whom in `host/src`: for each module the modules of the crate that it may name. `*` marks
/// leaves, which anybody may import.
const MAY_IMPORT: &[(&str, &str)] = &[
    ("linker", "guest_api ctx scope"),
    ("guest_api", "ctx cache scope"),
    ("ctx", "cache invocation quota scope"),
    ("cache", "backend codec config fair generation invocation key quota recent scope telemetry"),
    ("generation", "backend key scope"),
    ("key", "scope"),
    ("scope", ""),
    ("codec", ""),
    ("recent", "codec key scope"),
    ("backend", ""),
    ("config", "backend codec invocation quota"),
    ("quota", "fair scope"),
    ("invocation", ""),
    ("fair", ""),
    ("fuzzing", "backend codec config key recent"),
    ("input", "*"),
    ("manual", ""),
    ("telemetry", "*"),
    ("value", "*"),
    ("stored", "*"),
    ("ttl", "*"),
    ("error", "*"),
    ("limits", "*"),
    ("clock", "*"),
    ("random", "*"),
    ("turns", "*"),
];

/// What only some files of `host/src` may name.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("wasmtime::", &["lib.rs", "linker.rs", "ctx.rs", "guest_api/"]),
    (
        "tokio::net",
        &[
            "backend/memcached/connection",
            "backend/memcached/dial",
            "backend/memcached/tls",
            "backend/classic/transport",
        ],
    ),
    ("memcache_async", &["backend/classic/link"]),
    ("tokio_rustls", &["backend/memcached/dial", "backend/memcached/tls"]),
    ("rustls_native_certs", &["backend/memcached/tls"]),
    ("aes_gcm", &["codec/encryption"]),
    ("aes::", &["codec/encryption"]),
    ("argon2", &["codec/keyring"]),
    ("miniz_oxide", &["codec/compression", "codec/tests"]),
    ("quick_cache", &["backend/memory.rs", "generation.rs", "quota.rs"]),
    ("governor", &["quota.rs"]),
    ("xxhash_rust", &["backend/memcached/router.rs", "backend/memcached/lanes.rs"]),
    ("std::fs", &["backend/memcached/tls", "recent/directory"]),
    ("std::env", &["config/text.rs"]),
    ("rand::", &["random.rs"]),
    ("clap", &[]),
    ("serde", &[]),
    ("wasmtime_wasi", &[]),
];

/// Packages that don't take the workspace's lints, each with its reason.
const LINTS_OF_THEIR_OWN: &[(&str, &str)] = &[(
    "tests/fuzz/Cargo.toml",
    "libFuzzer's entry point and an allocator that counts can't be had without `unsafe`: it is denied there, and \
     allowed at the two places",
)];

struct Source {
    /// Below the repository, with `/`.
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_owned()
}

/// All Rust files below some folders of the repository.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut waiting: Vec<_> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("readable").path();
            if path.is_dir() && !path.ends_with("target") {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("UTF-8");
                let path =
                    path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty());
    found
}

fn everything() -> Vec<Source> {
    sources(&["guest", "host", "tests"])
}

impl Source {
    fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.contains("/tests/") || self.path.starts_with("tests/")
    }

    /// The lines of code, without comments, up to the inline tests.
    fn code(&self) -> impl Iterator<Item = &str> {
        let tests = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        self.text[..tests].lines().filter(|line| !line.trim_start().starts_with("//"))
    }
}

fn report(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn every_file_says_its_job_first() {
    let silent = everything().into_iter().filter(|source| !source.text.starts_with("//! "));
    report("files without a `//!` head", silent.map(|source| source.path).collect());
}

#[test]
fn comments_are_wrapped() {
    let long = everything().into_iter().flat_map(|source| {
        let lines = (1..).zip(source.text.lines());
        let is_long =
            |line: &str| line.trim_start().starts_with("//") && line.chars().count() > COMMENT_COLUMNS_MAX;
        let long: Vec<_> = lines.filter(|(_, line)| is_long(line)).map(|(number, _)| number).collect();
        long.into_iter().map(move |number: u32| format!("{}:{number}", source.path))
    });
    report("comments that rustfmt does not wrap", long.collect());
}

#[test]
fn files_and_functions_are_short() {
    let mut long = Vec::new();
    for source in everything() {
        let lines = source.text.lines().count();
        if !source.is_test() && lines > FILE_LINES_MAX {
            long.push(format!("{}: {lines} lines", source.path));
        }
        long.extend(
            functions(&source.text)
                .filter(|(_, lines)| *lines > FUNCTION_LINES_MAX)
                .map(|(name, lines)| format!("{}: fn {name} has {lines} lines", source.path)),
        );
    }
    report("what is too long", long);
}

/// Functions and how many lines each takes: from its head to the brace that closes at the head's indentation,
/// which rustfmt guarantees.
fn functions(text: &str) -> impl Iterator<Item = (String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let heads: Vec<_> = (0..lines.len()).filter(|&number| is_function(lines[number])).collect();
    heads.into_iter().map(move |head| {
        let indentation = lines[head].len() - lines[head].trim_start().len();
        let close = format!("{}}}", " ".repeat(indentation));
        let signature = (head..lines.len()).find(|&number| lines[number].ends_with([';', '{', '}']));
        let signature = signature.unwrap_or(head);
        let has_body = lines[signature].ends_with('{');
        let last = (signature..lines.len()).find(|&number| !has_body || lines[number] == close);
        let name = lines[head].trim_start().split("fn ").nth(1).unwrap_or_default();
        let name = name.split(['(', '<']).next().unwrap_or_default().to_owned();
        (name, last.unwrap_or(head) - head + 1)
    })
}

fn is_function(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| {
        word.starts_with("pub") || ["async", "const", "unsafe", "in", "super)"].contains(word)
    });
    words.next() == Some("fn")
}

#[test]
fn the_host_imports_along_the_data_path() {
    let rules: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources(&["host/src"]) {
        let inner = source.path.trim_start_matches("host/src/");
        if source.code().any(|line| line.contains("crate::{")) {
            wrong.push(format!("{inner}: `crate::{{` hides from this test what it imports"));
        }
        let module = inner.split(['/', '.']).next().unwrap_or_default();
        if source.is_test() || module == "lib" {
            continue;
        }
        let Some(allowed) = rules.get(module) else {
            wrong.push(format!("{inner}: its module is not on the whiteboard"));
            continue;
        };
        for named in source.code().flat_map(imported) {
            let is_leaf = rules.get(named.as_str()) == Some(&"*");
            if named != module && !is_leaf && !allowed.split(' ').any(|module| module == named) {
                wrong.push(format!("{inner} imports {named}"));
            }
        }
    }
    report("imports against the whiteboard", wrong);
}

/// The modules of the crate that a line names.
fn imported(line: &str) -> Vec<String> {
    line.match_indices("crate::")
        .map(|(at, _)| {
            let rest = &line[at + "crate::".len()..];
            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
        })
        .filter(|name| name.starts_with(|c: char| c.is_lowercase()))
        .collect()
}

#[test]
fn crates_are_used_where_they_belong() {
    let mut wrong = Vec::new();
    for source in sources(&["host/src"]) {
        let inner = source.path.trim_start_matches("host/src/");
        for (name, places) in ONLY_IN {
            let used = source.code().any(|line| names(line, name));
            if used && !source.is_test() && !places.iter().any(|place| inner.starts_with(place)) {
                wrong.push(format!("{inner} uses {name}"));
            }
        }
    }
    report("crates out of place", wrong);
}

/// Whether a line names a crate or path, and not just something that ends or goes on like it.
fn names(line: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + name.len()..].chars().next();
        !before.is_some_and(is_word) && (name.ends_with(':') || !after.is_some_and(is_word))
    })
}

#[test]
fn every_package_keeps_the_workspaces_lints() {
    let root_manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace's");
    assert!(root_manifest.contains("unsafe_code = \"forbid\""), "unsafe code is forbidden");
    let mut manifests = Vec::new();
    let mut waiting: Vec<_> = ["guest", "host", "tests"].iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("readable").path();
            if path.is_dir() && !path.ends_with("target") {
                waiting.push(path);
            } else if path.ends_with("Cargo.toml") {
                manifests.push(path);
            }
        }
    }
    assert!(manifests.len() >= 9, "{manifests:?}");
    let wrong = manifests.iter().filter_map(|manifest| {
        let name = manifest.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        let text = fs::read_to_string(manifest).expect("UTF-8");
        let has = |line| text.contains(line);
        let keeps = has("\n[lints]\nworkspace = true\n") && has("\nrust-version.workspace = true\n");
        (!keeps && !LINTS_OF_THEIR_OWN.iter().any(|(exempt, _)| *exempt == name)).then_some(name)
    });
    report("without `[lints] workspace = true` or the workspace's `rust-version`", wrong.collect());
}

#[test]
fn the_top_level_stays_small() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "CHANGELOG.md",
        "README.md",
        "rust-toolchain.toml",
        "wit",
        "guest",
        "host",
        "tests",
        "target",
    ];
    let visible =
        fs::read_dir(root()).expect("the repository").map(|entry| entry.expect("readable").file_name());
    let visible =
        visible.map(|name| name.to_string_lossy().into_owned()).filter(|name| !name.starts_with('.'));
    report("at the top level", visible.filter(|name| !allowed.contains(&name.as_str())).collect());
}

#[test]
fn the_rules_can_fail() {
    assert_eq!(functions("fn a() {\n    b();\n}\n").collect::<Vec<_>>(), [("a".to_owned(), 3)]);
    assert_eq!(
        functions("    pub(crate) async fn a(\n        b: u8,\n    ) {\n    }\n").next(),
        Some(("a".to_owned(), 4))
    );
    assert_eq!(
        functions("    fn a(\n        &self,\n    ) -> u8;\n\n    fn b() {\n    }\n")
            .map(|(_, lines)| lines)
            .collect::<Vec<_>>(),
        [3, 2]
    );
    assert_eq!(imported("use crate::codec::{Codec};"), ["codec"]);
    assert!(names("use rand::Rng;", "rand::") && !names("use operand::Rng;", "rand::"));
    assert!(names("use aes_gcm::Aes256Gcm;", "aes_gcm") && !names("let clapped = 1;", "clap"));
}
