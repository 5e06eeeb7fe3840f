//! From a file to a compiled component, which is kept on disk so that the next run need not compile it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use wasmtime::component::Component;
use wasmtime::{CacheConfig, Config, Engine};

use crate::failure::Failure;
use crate::output::{note, size};
use crate::progress;

/// What a component's file begins with: the magic, version 13 and layer 1.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// What a core module's file begins with.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A compiled component, with what to call it.
pub(crate) struct Loaded {
    pub(crate) component: Component,
    /// The file's name, without its directories.
    pub(crate) name: String,
    pub(crate) bytes: usize,
}

/// Reads and compiles a component, and shows that it is working.
pub(crate) async fn load(path: &Path) -> Result<Loaded, Failure> {
    let name = file_name(path);
    let binary = read(path).map_err(|line| Failure::invalid(line).about(path.display()))?;
    let bytes = binary.len();
    let (compile_cache, reason) = match compile_cache() {
        Ok(cache) => (Some(cache), None),
        Err(reason) => (None, Some(reason)),
    };
    let engine =
        engine(compile_cache).map_err(|error| Failure::failed(format!("can't start wasmtime: {error}")))?;
    let work = tokio::task::spawn_blocking(move || Component::from_binary(&engine, &binary));
    let (compiled, elapsed) = progress::shown(&format!("compiling {name} ({})", size(bytes)), work).await;
    tracing::info!(component = name, seconds = elapsed.as_secs_f64(), "compiled, or loaded from the disk");
    if let Some(reason) = reason {
        note(&format!("compiled code is not kept for the next time: {reason}"));
    }
    let component = compiled
        .map_err(|error| Failure::failed(format!("the compiler stopped: {error}")).about(path.display()))?
        .map_err(|error| {
            Failure::invalid(format!("not a valid component: {}", error.root_cause())).about(path.display())
        })?;
    Ok(Loaded { component, name, bytes })
}

/// The name of the file, or the path where it has none.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "no such file".to_owned(),
        ErrorKind::IsADirectory => "a directory, not a component".to_owned(),
        _ => format!("can't read the component: {error}"),
    })?;
    match complaint(&bytes) {
        None => Ok(bytes),
        Some(complaint) => Err(complaint.to_owned()),
    }
}

/// Why these bytes are no component, if that can be told by how they begin.
fn complaint(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(COMPONENT) {
        None
    } else if bytes.starts_with(CORE_MODULE) {
        Some(
            "a core module, not a component: build it for wasm32-wasip2, or make it one with \
             `wasm-tools component new`",
        )
    } else if bytes.starts_with(b"\0asm") {
        Some("WebAssembly of a version that is not known here, not a component")
    } else if bytes.is_empty() {
        Some("an empty file, not a component")
    } else if bytes.trim_ascii_start().starts_with(b"(") {
        Some("WebAssembly text, not a component: make it one with `wasm-tools parse`")
    } else {
        Some("not a WebAssembly component")
    }
}

fn engine(compile_cache: Option<wasmtime::Cache>) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    // Only plain functions cross the boundary, and calls are cheaper without.
    config.concurrency_support(false);
    // So that a guest that computes lets the deadline have its turn.
    config.epoch_interruption(true);
    config.cache(compile_cache);
    Engine::new(&config)
}

/// Wasmtime's own cache of compiled code, below the user's cache directory; or why there is none.
fn compile_cache() -> Result<wasmtime::Cache, String> {
    let directory = cache_directory(|name| std::env::var_os(name).map(PathBuf::from))
        .ok_or("neither XDG_CACHE_HOME nor HOME names an absolute directory")?;
    let reason = |error: std::io::Error| format!("{}: {error}", directory.display());
    create_private(&directory).map_err(reason)?;
    if !is_private(&directory).map_err(reason)? {
        return Err(format!("{}: others may write there, and what lies there is run", directory.display()));
    }
    // The cache itself says nothing when it can't write.
    let probe = directory.join(format!(".probe-{}", std::process::id()));
    std::fs::File::create_new(&probe).and_then(|_| std::fs::remove_file(&probe)).map_err(reason)?;
    let mut config = CacheConfig::new();
    config.with_directory(&directory);
    wasmtime::Cache::new(config).map_err(|error| format!("{}: {error:#}", directory.display()))
}

fn cache_directory(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join("strongroom").join("compiled"))
}

/// Creates the directory for its owner only: what lies there is run as native code.
fn create_private(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Whether only the directory's owner may write there, and that is who owns what we create.
#[cfg(unix)]
fn is_private(directory: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::symlink_metadata(directory)?;
    let ours = std::fs::metadata("/proc/self").map_or(found.uid(), |own| own.uid());
    Ok(found.is_dir() && found.uid() == ours && found.mode() & 0o022 == 0)
}

#[cfg(not(unix))]
fn is_private(_: &Path) -> std::io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_is_told_by_how_it_begins() {
        assert_eq!(complaint(b"\0asm\x0d\0\x01\0..."), None);
        let says = |bytes: &[u8], part| complaint(bytes).is_some_and(|complaint| complaint.contains(part));
        assert!(says(b"\0asm\x01\0\0\0", "core module"));
        assert!(says(b"\0asm\x0c\0\x01\0", "version"));
        assert!(says(b"  (component)", "WebAssembly text"));
        assert!(says(b"", "empty"));
        assert!(says(b"#!/bin/sh", "not a WebAssembly component"));
    }

    #[test]
    fn files_that_can_not_be_read_are_named() {
        assert_eq!(read(Path::new("/no/such.wasm")), Err("no such file".to_owned()));
        assert_eq!(read(&std::env::temp_dir()), Err("a directory, not a component".to_owned()));
    }

    #[test]
    fn compiled_code_lies_below_the_users_cache_directory() {
        let with = |xdg: &'static str, home: &'static str| {
            cache_directory(move |name| Some(PathBuf::from(if name == "HOME" { home } else { xdg })))
        };
        assert_eq!(with("/x", "/h"), Some("/x/strongroom/compiled".into()));
        assert_eq!(with("relative", "/h"), Some("/h/.cache/strongroom/compiled".into()));
        assert_eq!(with("", ""), None);
    }
}
