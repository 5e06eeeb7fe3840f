//! Compiles the guest programs and the example extensions to components, and writes down where they are.
//!
//! For every suite (the part of a program's name before the first `_`) it makes a macro `foreach_<suite>!`,
//! which the host tests call to name each of their tests. A program without a host test of its name does not
//! compile. Guests that are written as WebAssembly text (`guests/wat`) are a suite of their own, `wat`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const TARGET: &str = "wasm32-wasip2";

/// The suites that host tests exist for; a program of another name would never run.
const SUITES: &[&str] = &["cache", "scope", "limits", "fetch", "fills", "macros", "hostile"];

fn main() {
    let tests = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(variable("OUT_DIR"));
    for watched in ["guests", "../guest", "../wit", "../Cargo.toml", "../Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", tests.join(watched).display());
    }
    let built = build_guests(&tests, &out);

    let mut code = format!("pub(crate) const GUESTS: &str = {built:?};\n");
    let mut suites: BTreeMap<&str, Vec<String>> = SUITES.iter().map(|suite| (*suite, Vec::new())).collect();
    for name in names(&tests.join("guests/src/bin")) {
        let suite = name.split('_').next().unwrap_or_default();
        let programs = suites.get_mut(suite).unwrap_or_else(|| {
            panic!("guests/src/bin/{name}.rs: no suite {suite:?}; a program is named <suite>_<behaviour>, with one of {SUITES:?}")
        });
        programs.push(name);
    }
    let texts = tests.join("guests/wat");
    code += &format!("pub(crate) const TEXTS: &str = {texts:?};\n");
    suites.insert("wat", names(&texts));
    for (suite, programs) in suites {
        let arms: String = programs.iter().map(|name| format!("        $mac!({name});\n")).collect();
        code += &format!("macro_rules! foreach_{suite} {{\n    ($mac:ident) => {{\n{arms}    }};\n}}\n");
    }
    fs::write(out.join("guests.rs"), code).expect("OUT_DIR is writable");
}

/// Builds all guests into a target folder of their own: cargo holds a lock on the usual one.
fn build_guests(tests: &Path, out: &Path) -> PathBuf {
    let target = out.join("guests");
    let status = Command::new(variable("CARGO"))
        .args([
            "build",
            "--release",
            "--locked",
            "--target",
            TARGET,
            "--package",
            "strongroom-test-guests",
            "--package",
            "fx",
            "--package",
            "statement",
        ])
        .env("CARGO_TARGET_DIR", &target)
        // Set by cargo for this script, and not meant for another build.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .current_dir(tests)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the guests do not compile (is the target there? rustup target add {TARGET})");
    target.join(TARGET).join("release")
}

/// The names of a folder's files, without their endings.
fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("the guests' folder is there");
    let mut names: Vec<_> = files
        .map(|file| file.expect("a readable entry").path())
        .filter(|path| path.is_file())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
