//! What the commands need on the machine, installed where that is possible, else asked for by name.

use std::process::{Command, Stdio};

use crate::{Outcome, root, run};

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

fn starts(program: &str, argument: &str) -> bool {
    let status = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    let asked = Command::new("id").arg("-u").output();
    asked.is_ok_and(|asked| asked.stdout.trim_ascii() == b"0")
}
