//! Rules for what is written about the tests and the dependencies.

use std::collections::BTreeSet;
use std::fs;

use super::{Source, everything, is_function, report, root, sources};

#[test]
fn tests_that_the_manual_names_exist() {
    let everything = everything();
    let functions: Vec<_> = everything
        .iter()
        .flat_map(|source| source.text.lines().filter(|line| is_function(line)))
        .filter_map(|line| line.split("fn ").nth(1)?.split('(').next())
        .collect();
    let mut named = 0;
    let mut missing = Vec::new();
    for source in sources(&["host/src/manual"]) {
        let prose: Vec<_> = source.text.lines().map(|line| line.trim_start_matches("//!").trim()).collect();
        for after in prose.join(" ").split("test: `").skip(1) {
            let name = after.split('`').next().unwrap_or_default().to_owned();
            named += 1;
            missing.extend((!functions.contains(&name.as_str())).then_some(name));
        }
    }
    assert!(named > 10, "the manual names its tests");
    report("tests that the manual names", missing);
}

/// Whether a file has a test of that name: a function that is marked as one, or one of a list of them.
fn is_test(text: &str, name: &str) -> bool {
    let is_marked = |(at, _)| {
        let before = text[..at].rsplit_once('\n').map_or("", |(before, _)| before);
        let mut marks = before
            .lines()
            .rev()
            .map(str::trim)
            .take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        marks.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    };
    let listed =
        ["passes!(NAME)", "contract!(NAME(", "\n    NAME on "].map(|form| form.replace("NAME", name));
    listed.iter().any(|form| text.contains(form)) || text.match_indices(&format!("fn {name}(")).any(is_marked)
}

#[test]
fn the_threat_models_tests_exist() {
    let readme = fs::read_to_string(root().join("README.md")).expect("UTF-8");
    let table = readme.split("## Threat model").nth(1).and_then(|rest| rest.split("\n## ").next());
    let rows = table.unwrap_or_default().lines().filter(|line| line.starts_with("| ")).skip(1);
    let tests: Vec<_> = sources(&["host/src", "tests"]).into_iter().filter(Source::is_test).collect();
    let exists = |name: &str| match name.contains('/') {
        true => root().join(name).exists(),
        false => tests.iter().any(|source| is_test(&source.text, name)),
    };
    let mut missing = Vec::new();
    let mut threats = 0;
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        let names: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        threats += 1;
        if names.is_empty() {
            missing.push(format!("{row}: no test"));
        }
        missing.extend(names.into_iter().filter(|name| !exists(name)).map(str::to_owned));
    }
    assert!(threats > 20, "{threats} threats: is the table there?");
    report("tests that the threat model names and that don't exist", missing);
}

#[test]
fn what_is_a_test_is_seen() {
    let text =
        "#[test]\nfn a() {}\n\n/// What.\n#[tokio::test]\n#[should_panic]\nasync fn b() {}\n\nfn c() {}\n";
    assert!(is_test(text, "a") && is_test(text, "b"));
    assert!(!is_test(text, "c") && !is_test(text, "d"));
    assert!(is_test("attacks! {\n    c on BOTH;\n}\n", "c"));
}

/// What the workspace asks for is what was tested, to the last digit: nobody has tried anything older.
#[test]
fn versions_that_are_asked_for_are_those_that_are_locked() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace's");
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("it is committed");
    let locked: BTreeSet<_> = lock
        .split("[[package]]\nname = \"")
        .filter_map(|package| {
            let (name, rest) = package.split_once("\"\nversion = \"")?;
            // What follows a plus only says where it was made from.
            Some((name, rest.split(['"', '+']).next()?))
        })
        .collect();
    let section =
        manifest.split("[workspace.dependencies]\n").nth(1).and_then(|rest| rest.split("\n[").next());
    let asked = section.unwrap_or_default().lines().filter_map(|line| {
        let (name, rest) = line.split_once(" = ")?;
        let version = rest.strip_prefix("{ version = ").unwrap_or(rest).strip_prefix('"')?;
        Some((name, version.split('"').next()?))
    });
    let asked: Vec<_> = asked.collect();
    assert!(asked.len() > 40, "{asked:?}");
    let other = asked.into_iter().filter(|asked| !locked.contains(asked));
    report("asked for, and another version is locked", other.map(|asked| format!("{asked:?}")).collect());
}
