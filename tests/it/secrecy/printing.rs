//! Every public type that can be printed, printed with secrets in it.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use strongroom_host::backend::{
    self, Address, Backend, Begun, Classic, Condition, Credentials, Memcached, MemcachedOptions, Memory,
    Negotiated, Protocol, Server, ServerHealth, ServerReport, ServerState, Step, StoreOutcome, Tls, TlsFiles,
    Versioned,
};
use strongroom_host::{
    Cache, CacheCtx, CacheCtxBuilder, CacheCtxView, Clock, Config, Error, Fetched, Fill, Flags, Grants,
    HasCache, InvocationLimits, Kind, Lifetime, OnUnavailable, Partition, Quota, RecentKey, RecentOnDisk,
    Scope, ScopedCache, Stats, StorageKey, Stored, SwapOutcome, Value,
};

use super::{KEY, NAMESPACE, PASSPHRASE, PREFIX, VALUE, config, is_silent, open, partition};
use crate::certificates::Authority;

/// Finds a type's `Debug`, or that it has none: what has none today may have one tomorrow.
struct Printed<'a, T>(&'a T);

trait WithDebug {
    fn text(&self) -> String;
}

impl<T: Debug> WithDebug for Printed<'_, T> {
    fn text(&self) -> String {
        format!("{:?} {:#?}", self.0, self.0)
    }
}

trait WithoutDebug {
    fn text(&self) -> String;
}

impl<T> WithoutDebug for &Printed<'_, T> {
    fn text(&self) -> String {
        String::new()
    }
}

/// Prints values, each with the name of its type, which must be what is said.
macro_rules! printed {
    ($($name:ident: $value:expr),* $(,)?) => {
        [$({
            let value: &$name = &$value;
            #[allow(unused_imports, reason = "one of them, for each type")]
            use {WithDebug as _, WithoutDebug as _};
            (stringify!($name), (&Printed(value)).text())
        }),*]
    };
}

/// What `pub use` and `pub` name in a file of the library: types, no functions and no traits.
fn public_types(file: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src").join(file);
    let text = std::fs::read_to_string(path).expect("a file of the library");
    let uses = text.split("\npub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let uses = uses.flat_map(|used| used.rsplit("::").next().unwrap_or_default().split(['{', '}', ',']));
    let declared = text.lines().filter_map(|line| {
        let name = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub enum "))?;
        name.split(|c: char| !c.is_alphanumeric()).next()
    });
    let names = uses.chain(declared).map(|name| name.trim().to_owned());
    names.filter(|name| name.starts_with(|c: char| c.is_uppercase())).collect()
}

/// Traits, and what is not to be printed by its name alone.
const NOT_VALUES: &[&str] = &["CacheView"];

#[tokio::test(flavor = "multi_thread")]
async fn no_public_type_prints_a_name_a_key_a_value_or_a_secret() {
    let folder = tempfile::tempdir().expect("a directory");
    let config = config().recent_keys(10).expect("allowed");
    let config = config.recent_dir(&folder.path().join("recent").to_string_lossy());
    let config = config.username("hush-user").and_then(|config| config.password("hush-password"));
    let config =
        config.and_then(|config| config.previous_keys([PASSPHRASE, "hush-another"])).expect("allowed");
    let memory: Arc<dyn Backend> = Arc::new(Memory::new(1 << 20, Clock::system()));
    let cache = Cache::with_backend(config.clone(), Arc::clone(&memory)).expect("they go together");
    let scoped = open(&cache);
    let Fetched::Vacant(fill) = scoped.fetch(KEY, 0, Duration::ZERO).await.expect("a fetch") else {
        panic!("nothing is there");
    };
    let refusal = cache.open(&partition(), Some(&NAMESPACE.repeat(100))).map(drop).expect_err("too long");
    scoped.set("another", VALUE.into(), None).await.expect("stored");
    let storage_key = scoped.storage_key("another").await.expect("derived");
    let versioned = memory.get(&storage_key).await.expect("a read").expect("it is there");
    let stored = versioned.entry.clone();
    cache.flush_recent().expect("written");
    let on_disk = Cache::recent_on_disk(&config, &partition()).expect("readable");
    let recent = cache.recent(&partition()).remove(0);
    assert!(on_disk.keys.len() == 2 && recent.key() == "another");
    let mut ctx = context(&cache).build().expect("valid");

    let all = printed![
        Cache: cache,
        ScopedCache: scoped,
        Fetched: Fetched::Hit(VALUE.into()),
        Fill: fill,
        SwapOutcome: SwapOutcome::Changed,
        Clock: Clock::system(),
        Config: config,
        OnUnavailable: OnUnavailable::Miss,
        CacheCtx: ctx.clone(),
        CacheCtxBuilder: context(&cache),
        CacheCtxView: CacheCtxView { ctx: &mut ctx, table: &mut strongroom_host::limited_table() },
        HasCache: HasCache,
        Error: refusal,
        RecentKey: recent,
        RecentOnDisk: on_disk,
        Grants: Grants::default(),
        Partition: partition(),
        Scope: Scope::Session,
        Quota: Quota::UNLIMITED,
        InvocationLimits: InvocationLimits::UNLIMITED,
        Flags: stored.flags,
        Kind: Kind::Text,
        StorageKey: storage_key,
        Stored: stored,
        Stats: cache.stats(),
        Lifetime: Lifetime::UntilEvicted,
        Value: Value::from(VALUE),
    ];
    let backends = of_backends(&config, versioned);
    check("lib.rs", &all);
    check("backend/mod.rs", &backends);
    let item = storage_key.as_str().trim_start_matches(PREFIX);
    for (name, text) in all.iter().chain(&backends) {
        is_silent(text);
        assert!(!text.contains(item), "{name}: {text}");
    }
}

fn context(cache: &Cache) -> CacheCtxBuilder {
    CacheCtx::builder(cache).service(super::SERVICE).stack(super::STACK).session(super::SESSION)
}

/// Every public type has been printed, or is known to be none.
fn check(file: &str, printed: &[(&str, String)]) {
    let mut missing = public_types(file);
    assert!(missing.len() > 10, "{file} is understood: {missing:?}");
    for name in printed.iter().map(|(name, _)| *name).chain(NOT_VALUES.iter().copied()) {
        missing.remove(name);
    }
    assert!(missing.is_empty(), "{file}: not printed here: {missing:?}");
}

fn of_backends(config: &Config, versioned: Versioned) -> Vec<(&'static str, String)> {
    type BackendError = backend::Error;

    let reachable = config.clone().host("localhost").expect("a name");
    let options = Cache::server_options(&reachable).expect("they go together").expect("a server");
    let credentials = options.credentials.clone().expect("they were set");
    let authority = Authority::new();
    let tls = Tls::new(&authority.files()).expect("there is an authority");
    let server = Server::parse("a=localhost").expect("of the right form");
    let mut printed = printed![
        Classic: Classic::new(options.clone()),
        Address: server.address.clone(),
        Credentials: credentials,
        Memcached: Memcached::new(options.clone()),
        Negotiated: Negotiated::new(options.clone()),
        MemcachedOptions: options,
        Memory: Memory::new(1 << 20, Clock::system()),
        Server: server.clone(),
        ServerReport: ServerReport { version: "1.6.18".into(), item_bytes_max: 1, round_trip: None },
        ServerState: ServerState::Up,
        TlsFiles: TlsFiles::default(),
        Protocol: Protocol::Auto,
        Condition: Condition::Version(1),
        StoreOutcome: StoreOutcome::Exists,
        Step: Step::Up(1),
        Begun: Begun::Live(versioned.clone()),
        Versioned: versioned,
        BackendError: BackendError::TooLarge { limit: 1 },
    ]
    .to_vec();
    let memcached = Memcached::new(MemcachedOptions { servers: vec![server], ..MemcachedOptions::default() });
    printed.extend(printed![ServerHealth: memcached.health().remove(0), Tls: tls]);
    for (name, _) in &mut printed {
        *name = name.trim_start_matches("Backend");
    }
    printed
}
