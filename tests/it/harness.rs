//! Runs guest programs on a host of either backend.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use strongroom_host::backend::{Backend, Memory, Protocol};
use strongroom_host::{Cache, CacheCtx, CacheCtxView, CacheView, Clock, Config, Grants};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::guests::GUESTS;
use crate::memcached::Memcached;

/// More than any guest here needs, and less than a leak would take.
const GUEST_MEMORY_BYTES: usize = 256 * 1024 * 1024;
const OUTPUT_BYTES: usize = 1024 * 1024;

/// Longer than any guest takes; a guest that hangs fails its test instead of the whole run.
const GUEST_TIME: Duration = Duration::from_secs(60);

/// A host with one cache. Wasmtime's concurrency support is off on memory and on over memcached: the library
/// works with both.
pub(crate) struct Host {
    pub(crate) cache: Cache,
    runner: &'static Runner,
    _server: Option<Memcached>,
}

/// An engine and the components compiled for it, shared by all tests.
struct Runner {
    engine: Engine,
    compiled: Mutex<HashMap<String, Component>>,
}

static SERIAL: LazyLock<Runner> = LazyLock::new(|| Runner::new(false));
static CONCURRENT: LazyLock<Runner> = LazyLock::new(|| Runner::new(true));

/// For whom a guest runs, and with what arguments.
#[derive(Clone)]
pub(crate) struct Invocation<'a> {
    pub(crate) service: &'a str,
    pub(crate) stack: Option<&'a str>,
    pub(crate) session: Option<&'a str>,
    pub(crate) grants: Grants,
    pub(crate) arguments: Vec<&'a str>,
}

impl Default for Invocation<'_> {
    fn default() -> Self {
        Self {
            service: "tests",
            stack: Some("acme"),
            session: Some("9f2"),
            grants: Grants::default(),
            arguments: Vec::new(),
        }
    }
}

/// How a guest ended.
pub(crate) struct Ended {
    pub(crate) output: String,
    /// The trap, or a guest's own failure.
    pub(crate) failure: Option<String>,
}

impl Host {
    pub(crate) fn on_memory(config: Config) -> Self {
        Self::over(config, Arc::new(Memory::new(256 << 20, Clock::system())))
    }

    pub(crate) fn over(config: Config, backend: Arc<dyn Backend>) -> Self {
        let cache = Cache::with_backend(config, backend).expect("settings that go together");
        Self { cache, runner: &SERIAL, _server: None }
    }

    pub(crate) async fn on_memcached(config: Config) -> Self {
        let server = Memcached::start();
        let cache = connect(config, &server).await;
        Self { cache, runner: &CONCURRENT, _server: Some(server) }
    }

    /// A host with a cache that the test has.
    pub(crate) fn with(cache: Cache) -> Self {
        Self { cache, runner: &CONCURRENT, _server: None }
    }

    /// A host at a server that the test keeps, with the time-outs of the configuration.
    pub(crate) async fn at(server: &Memcached, config: Config) -> Self {
        Self::with(connect_as_configured(config, server).await)
    }

    /// Runs a guest in a store of its own.
    pub(crate) async fn run(&self, guest: &str, invocation: Invocation<'_>) -> Ended {
        let output = MemoryOutputPipe::new(OUTPUT_BYTES);
        let errors = MemoryOutputPipe::new(OUTPUT_BYTES);
        let run = self.run_into(guest, invocation, output.clone(), errors.clone());
        let ended = tokio::time::timeout(GUEST_TIME, run).await.expect("the guest does not hang");
        let errors = String::from_utf8_lossy(&errors.contents()).into_owned();
        let failure = ended.err().map(|error| format!("{errors}{error:?}"));
        Ended { output: String::from_utf8_lossy(&output.contents()).into_owned(), failure }
    }

    async fn run_into(
        &self,
        guest: &str,
        invocation: Invocation<'_>,
        output: MemoryOutputPipe,
        errors: MemoryOutputPipe,
    ) -> wasmtime::Result<()> {
        let component = self.runner.component(guest)?;
        strongroom_host::check_grants(&component, invocation.grants)?;
        let mut linker = Linker::<State>::new(&self.runner.engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        strongroom_host::add_to_linker_granted(&mut linker, invocation.grants)?;
        let command = CommandPre::new(linker.instantiate_pre(&component)?)?;

        let mut arguments = vec![guest];
        arguments.extend(&invocation.arguments);
        let state = State {
            cache: context(&self.cache, &invocation)?,
            wasi: WasiCtx::builder().args(&arguments).stdout(output).stderr(errors).build(),
            table: strongroom_host::limited_table(),
            limits: StoreLimitsBuilder::new().memory_size(GUEST_MEMORY_BYTES).build(),
        };
        let mut store = strongroom_host::limited_store(&self.runner.engine, state);
        store.limiter(|state| &mut state.limits);
        let instance = command.instantiate_async(&mut store).await?;
        let ended = instance.wasi_cli_run().call_run(&mut store).await?;
        ended.map_err(|()| wasmtime::format_err!("the guest failed"))
    }
}

/// Another host's view of a server. It is patient: a machine that also builds something can be slow for
/// longer than the default allows.
pub(crate) async fn connect(config: Config, server: &Memcached) -> Cache {
    let patience = Duration::from_secs(5);
    let config = config.timeout(patience).and_then(|config| config.connect_timeout(patience));
    connect_as_configured(config.expect("allowed"), server).await
}

/// The same, with the time-outs of the configuration.
pub(crate) async fn connect_as_configured(config: Config, server: &Memcached) -> Cache {
    let config = config.host("127.0.0.1").and_then(|config| config.port(server.port()));
    Cache::connect(config.expect("a valid address")).await.expect("settings that go together")
}

/// Hosts of both backends, plain and encrypted, by what they are.
pub(crate) async fn hosts() -> [(&'static str, Host); 5] {
    let encrypted = || Config::new().encryption_key(&format!("base64:{}=", "A".repeat(43))).expect("a key");
    [
        ("memory", Host::on_memory(Config::new())),
        ("memory, encrypted", Host::on_memory(encrypted())),
        ("memcached", Host::on_memcached(Config::new()).await),
        ("memcached, encrypted", Host::on_memcached(encrypted()).await),
        ("memcached, classic", Host::on_memcached(Config::new().protocol(Protocol::Classic)).await),
    ]
}

/// Runs a guest on all of them, and expects it to end well.
pub(crate) async fn passes_on_both(guest: &str) {
    for (name, host) in &hosts().await {
        let ended = host.run(guest, Invocation::default()).await;
        assert!(ended.failure.is_none(), "{guest} on {name}: {}", ended.failure.unwrap_or_default());
    }
}

/// A test that runs the guest of its name and expects it to end well.
macro_rules! passes {
    ($name:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            $crate::harness::passes_on_both(stringify!($name)).await;
        }
    };
}

/// Fails to compile where there is no test of the guest's name.
macro_rules! has_test {
    ($name:ident) => {
        const _: fn() = || {
            #[expect(unused_imports, reason = "named, so that it must exist")]
            use self::$name as _;
        };
    };
}

pub(crate) use {has_test, passes};

fn context(cache: &Cache, invocation: &Invocation<'_>) -> Result<CacheCtx, strongroom_host::Error> {
    let mut builder = CacheCtx::builder(cache).service(invocation.service).grants(invocation.grants);
    if let Some(stack) = invocation.stack {
        builder = builder.stack(stack);
    }
    if let Some(session) = invocation.session {
        builder = builder.session(session);
    }
    builder.build()
}

impl Runner {
    fn new(concurrency_support: bool) -> Self {
        let mut config = wasmtime::Config::new();
        config.concurrency_support(concurrency_support);
        let engine = Engine::new(&config).expect("a valid configuration");
        Self { engine, compiled: Mutex::default() }
    }

    fn component(&self, guest: &str) -> wasmtime::Result<Component> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(component) = compiled.get(guest) {
            return Ok(component.clone());
        }
        let component = Component::from_file(&self.engine, format!("{GUESTS}/{guest}.wasm"))?;
        compiled.insert(guest.to_owned(), component.clone());
        Ok(component)
    }
}

/// Bytes that do not compress, the same each time.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

struct State {
    cache: CacheCtx,
    wasi: WasiCtx,
    table: ResourceTable,
    limits: StoreLimits,
}

impl CacheView for State {
    fn cache(&mut self) -> CacheCtxView<'_> {
        CacheCtxView { ctx: &mut self.cache, table: &mut self.table }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
