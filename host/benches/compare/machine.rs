//! The machine and the versions that figures belong to.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::python::Python;
use crate::round::cores;
use crate::server::{ARGUMENTS, Server};

/// What is known of the machine: names and texts, in the order in which they are shown.
pub(crate) struct Machine(pub(crate) Vec<(&'static str, String)>);

pub(crate) fn describe(server: &Server, python: Option<&Python>) -> Machine {
    let unknown = || "unknown".to_owned();
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let locked = |name| locked_version(name).unwrap_or_else(unknown);
    let started = ARGUMENTS.join(" ");
    let memcached = said("memcached", &["-V"]).unwrap_or_else(unknown);
    let mut known = vec![
        ("processor", format!("{}, {} cores", processor().unwrap_or_else(unknown), cores())),
        ("memory", memory().unwrap_or_else(unknown)),
        ("kernel", read("/proc/sys/kernel/osrelease").unwrap_or_else(unknown)),
        ("load when it began", read("/proc/loadavg").unwrap_or_else(unknown)),
        ("server", format!("{memcached}, `{started}`, on this machine, port {}", server.port())),
        ("compiler", said(&rustc, &["--version"]).unwrap_or_else(unknown)),
        ("commit", commit().unwrap_or_else(unknown)),
        ("memcache-async", locked("memcache-async")),
        ("async-memcached", locked("async-memcached")),
        ("tokio", locked("tokio")),
    ];
    known.push(("Python", python.map_or("without pymemcache".to_owned(), |python| python.version.clone())));
    Machine(known)
}

/// Today, by the system.
pub(crate) fn today() -> String {
    said("date", &["-u", "+%Y-%m-%d"]).unwrap_or_else(|| "an unknown day".to_owned())
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory() -> Option<String> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kibibytes: f64 = text.lines().next()?.split_whitespace().nth(1)?.parse().ok()?;
    Some(format!("{:.1} GiB", kibibytes / 1024.0 / 1024.0))
}

fn commit() -> Option<String> {
    let folder = env!("CARGO_MANIFEST_DIR");
    let commit = said("git", &["-C", folder, "rev-parse", "--short", "HEAD"])?;
    let is_changed = said("git", &["-C", folder, "status", "--porcelain", "--untracked-files=no"]).is_some();
    Some(if is_changed { format!("{commit}, with changes") } else { commit })
}

/// The version of a dependency, from the lock file.
fn locked_version(name: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock")).ok()?;
    let (_, rest) = text.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

fn read(file: &str) -> Option<String> {
    fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
}

/// The first line that a program says, if it says something.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}
