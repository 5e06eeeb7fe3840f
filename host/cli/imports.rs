//! What a component imports and exports, and what of it `run` has to offer.

use strongroom_host::{Grants, Scope};
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

/// The WASI 0.2 interfaces that `run` links, and what a guest finds there.
const WASI: &[(&str, &str)] = &[
    ("wasi:cli/environment", "arguments, and the variables of --env"),
    ("wasi:cli/exit", ""),
    ("wasi:cli/stdin", "empty"),
    ("wasi:cli/stdout", ""),
    ("wasi:cli/stderr", ""),
    ("wasi:cli/terminal-input", ""),
    ("wasi:cli/terminal-output", ""),
    ("wasi:cli/terminal-stdin", ""),
    ("wasi:cli/terminal-stdout", ""),
    ("wasi:cli/terminal-stderr", ""),
    ("wasi:clocks/monotonic-clock", ""),
    ("wasi:clocks/wall-clock", ""),
    ("wasi:filesystem/preopens", "the directories of --dir"),
    ("wasi:filesystem/types", "the directories of --dir"),
    ("wasi:io/error", ""),
    ("wasi:io/poll", ""),
    ("wasi:io/streams", ""),
    ("wasi:random/insecure", ""),
    ("wasi:random/insecure-seed", ""),
    ("wasi:random/random", ""),
    ("wasi:sockets/instance-network", NO_NETWORK),
    ("wasi:sockets/ip-name-lookup", NO_NETWORK),
    ("wasi:sockets/network", NO_NETWORK),
    ("wasi:sockets/tcp", NO_NETWORK),
    ("wasi:sockets/tcp-create-socket", NO_NETWORK),
    ("wasi:sockets/udp", NO_NETWORK),
    ("wasi:sockets/udp-create-socket", NO_NETWORK),
];

const NO_NETWORK: &str = "no network: every use is denied";

/// The cache's package, and the version of it that is linked.
const CACHE: (&str, &str) = ("strongroom:cache/", "0.1");

/// What a component must export to be run.
const RUN: &str = "wasi:cli/run";

/// Whether an import can be satisfied, and by what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Supply {
    /// A scope's cache, with a grant.
    Granted(Scope),
    /// A scope's cache, without a grant.
    Denied(Scope),
    /// Of the cache, and for every component.
    Cache,
    /// A WASI interface, with a remark on what is found there.
    Wasi(&'static str),
    /// Only names of types: there is nothing to provide.
    Types,
    /// Nothing that is known here.
    Missing,
}

/// An import, by its full name, and what there is for it.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Import {
    pub(crate) name: String,
    pub(crate) supply: Supply,
}

/// The component's imports, by name.
pub(crate) fn of(component: &Component, grants: Grants) -> Vec<Import> {
    let engine = component.engine();
    let ty = component.component_type();
    let mut imports: Vec<_> = ty
        .imports(engine)
        .map(|(name, import)| {
            let supply = match import.ty {
                ComponentItem::ComponentInstance(instance) => {
                    let is_types_only =
                        instance.exports(engine).all(|(_, item)| matches!(item.ty, ComponentItem::Type(_)));
                    supply(name, is_types_only, grants)
                }
                ComponentItem::Type(_) => Supply::Types,
                _ => Supply::Missing,
            };
            Import { name: name.to_owned(), supply }
        })
        .collect();
    imports.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    imports
}

/// The names of the component's exports.
pub(crate) fn exports(component: &Component) -> Vec<String> {
    let ty = component.component_type();
    ty.exports(component.engine()).map(|(name, _)| name.to_owned()).collect()
}

/// Whether an export is what `run` calls: `wasi:cli/run` of WASI 0.2.
pub(crate) fn is_run(export: &str) -> bool {
    let (name, version) = split(export);
    name == RUN && is_of(version, "0.2")
}

/// What there is for an import that is an interface.
fn supply(import: &str, is_types_only: bool, grants: Grants) -> Supply {
    let (name, version) = split(import);
    if let Some(interface) = name.strip_prefix(CACHE.0) {
        return match interface {
            _ if !is_of(version, CACHE.1) => Supply::Missing,
            "types" | "default" => Supply::Cache,
            _ => match interface.parse() {
                Ok(scope) if grants.allows(scope) => Supply::Granted(scope),
                Ok(scope) => Supply::Denied(scope),
                Err(_) => Supply::Missing,
            },
        };
    }
    let wasi = WASI.iter().find(|(known, _)| *known == name && is_of(version, "0.2"));
    match wasi {
        Some((_, remark)) => Supply::Wasi(remark),
        None if is_types_only => Supply::Types,
        None => Supply::Missing,
    }
}

/// `wasi:cli/run@0.2.6` as name and version.
fn split(name: &str) -> (&str, &str) {
    name.split_once('@').unwrap_or((name, ""))
}

/// Whether `0.2.6` is compatible with `0.2`.
fn is_of(version: &str, line: &str) -> bool {
    version.strip_prefix(line).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supplied(import: &str) -> Supply {
        supply(import, false, Grants::default())
    }

    #[test]
    fn scopes_are_granted_or_not() {
        assert_eq!(supplied("strongroom:cache/stack@0.1.0"), Supply::Granted(Scope::Stack));
        assert_eq!(supplied("strongroom:cache/service@0.1.0"), Supply::Denied(Scope::Service));
        let grants = Grants::default().with(Scope::Service);
        let service = supply("strongroom:cache/service@0.1.0", false, grants);
        assert_eq!(service, Supply::Granted(Scope::Service));
        assert_eq!(supplied("strongroom:cache/default@0.1.0"), Supply::Cache);
        assert_eq!(supplied("strongroom:cache/types@0.1.3"), Supply::Cache);
    }

    #[test]
    fn other_versions_and_unknown_interfaces_are_missing() {
        for import in [
            "strongroom:cache/stack@0.2.0",
            "strongroom:cache/stack",
            "strongroom:cache/vault@0.1.0",
            "wasi:http/types@0.2.0",
            "wasi:cli/environment@0.3.0",
            "wasi:cli/environment@0.20.0",
            "acme:core/api",
        ] {
            assert_eq!(supplied(import), Supply::Missing, "{import}");
        }
    }

    #[test]
    fn wasi_is_there_in_every_patch_of_its_version() {
        assert_eq!(supplied("wasi:cli/exit@0.2.0"), Supply::Wasi(""));
        assert_eq!(supplied("wasi:cli/exit@0.2.12"), Supply::Wasi(""));
        assert_eq!(supplied("wasi:sockets/tcp@0.2.6"), Supply::Wasi(NO_NETWORK));
    }

    #[test]
    fn an_interface_of_types_needs_nothing() {
        assert_eq!(supply("acme:core/types@1.0.0", true, Grants::default()), Supply::Types);
    }

    #[test]
    fn the_run_of_wasi_2_is_what_is_run() {
        assert!(is_run("wasi:cli/run@0.2.6"));
        assert!(!is_run("wasi:cli/run@0.3.0"));
        assert!(!is_run("wasi:http/incoming-handler@0.2.6"));
    }

    /// One item of each interface, in the order of [`WASI`].
    const ITEMS: &[&str] = &[
        "get-environment",
        "exit",
        "get-stdin",
        "get-stdout",
        "get-stderr",
        "terminal-input",
        "terminal-output",
        "get-terminal-stdin",
        "get-terminal-stdout",
        "get-terminal-stderr",
        "now",
        "now",
        "get-directories",
        "descriptor",
        "error",
        "pollable",
        "input-stream",
        "get-insecure-random-bytes",
        "insecure-seed",
        "get-random-bytes",
        "instance-network",
        "resolve-address-stream",
        "network",
        "tcp-socket",
        "create-tcp-socket",
        "udp-socket",
        "create-udp-socket",
    ];

    #[test]
    fn the_list_of_wasi_interfaces_is_what_is_linked() {
        let engine = wasmtime::Engine::default();
        let mut linker = crate::guest::linker(&engine, Grants::default()).expect("nothing is there twice");
        assert_eq!(WASI.len(), ITEMS.len());
        for ((interface, _), item) in WASI.iter().zip(ITEMS) {
            let mut instance = linker.instance(&format!("{interface}@0.2.12")).expect("it can be opened");
            // What is linked already can't be linked again.
            assert!(instance.func_wrap(item, |_, (): ()| Ok(())).is_err(), "{interface} lacks {item}");
        }
    }
}
