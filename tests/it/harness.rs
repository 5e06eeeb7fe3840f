//! Runs guest programs on a host of either backend.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use strongroom_host::backend::{Backend, Memory};
use strongroom_host::{Cache, CacheCtx, CacheCtxView, CacheView, Clock, Config, Grants};
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable};
use wasmtime::{Engine, Store, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::guests::{GUESTS, TEXTS};
use crate::memcached::Memcached;

/// More than any guest here needs, and less than a leak would take.
pub(crate) const GUEST_MEMORY_BYTES: usize = 128 * 1024 * 1024;

/// As many as the command line allows.
pub(crate) const GUEST_TABLE_ELEMENTS: usize = 200_000;

const OUTPUT_BYTES: usize = 1024 * 1024;

/// Longer than any guest takes; a guest that hangs fails its test instead of the whole run.
const GUEST_TIME: Duration = Duration::from_secs(60);

/// How often a guest that computes lets others have their turn, its deadline among them.
const TICK: Duration = Duration::from_millis(10);

/// What a guest that is stopped by the deadline of its invocation fails with.
pub(crate) const PAST_DEADLINE: &str = "the guest reached its deadline";

/// The line of the texts' frame that an attack is put in the place of.
const ATTACK: &str = "    ;; the attack\n";

/// A host with one cache. Wasmtime's concurrency support is off on memory and on over memcached: the library
/// works with both.
pub(crate) struct Host {
    pub(crate) cache: Cache,
    /// The server that it has for itself.
    pub(crate) server: Option<Memcached>,
    runner: &'static Runner,
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
    pub(crate) issue: Option<&'a str>,
    pub(crate) grants: Grants,
    pub(crate) arguments: Vec<&'a str>,
    /// When the guest is stopped. Without one it has to end by itself.
    pub(crate) deadline: Option<Duration>,
}

impl Default for Invocation<'_> {
    fn default() -> Self {
        Self {
            service: "tests",
            stack: Some("acme"),
            session: Some("9f2"),
            issue: None,
            grants: Grants::default(),
            arguments: Vec::new(),
            deadline: None,
        }
    }
}

/// How a guest ended.
pub(crate) struct Ended {
    pub(crate) output: String,
    /// The trap, or a guest's own failure.
    pub(crate) failure: Option<String>,
}

/// How the calls of a component in text ended.
pub(crate) struct Called {
    /// What each call answered, up to the one that failed.
    pub(crate) answers: Vec<u32>,
    pub(crate) failure: Option<String>,
}

impl Host {
    pub(crate) fn on_memory(config: Config) -> Self {
        Self::over(config, Arc::new(Memory::new(256 << 20, Clock::system())))
    }

    pub(crate) fn over(config: Config, backend: Arc<dyn Backend>) -> Self {
        let cache = Cache::with_backend(config, backend).expect("settings that go together");
        Self { cache, server: None, runner: &SERIAL }
    }

    pub(crate) async fn on_memcached(config: Config) -> Self {
        let server = Memcached::start();
        let cache = connect(config, &server).await;
        Self { cache, server: Some(server), runner: &CONCURRENT }
    }

    /// A host with a cache that the test has.
    pub(crate) fn with(cache: Cache) -> Self {
        Self { cache, server: None, runner: &CONCURRENT }
    }

    /// A host at a server that the test keeps, with the time-outs of the configuration.
    pub(crate) async fn at(server: &Memcached, config: Config) -> Self {
        Self::with(connect_as_configured(config, server).await)
    }

    /// Runs a guest in a store of its own.
    pub(crate) async fn run(&self, guest: &str, invocation: Invocation<'_>) -> Ended {
        match self.runner.component(guest) {
            Ok(component) => self.run_component(&component, guest, invocation).await,
            Err(error) => Ended { output: String::new(), failure: Some(format!("{error:?}")) },
        }
    }

    /// Compiles what claims to be a component, without running anything of it.
    pub(crate) fn compile(&self, binary: &[u8]) -> wasmtime::Result<Component> {
        Component::from_binary(&self.runner.engine, binary)
    }

    pub(crate) async fn run_component(
        &self,
        component: &Component,
        name: &str,
        invocation: Invocation<'_>,
    ) -> Ended {
        let output = MemoryOutputPipe::new(OUTPUT_BYTES);
        let errors = MemoryOutputPipe::new(OUTPUT_BYTES);
        let run = async {
            let command = CommandPre::new(self.link(component, invocation.grants)?)?;
            let mut store = self.store(name, &invocation, output.clone(), errors.clone())?;
            let instance = command.instantiate_async(&mut store).await?;
            let ended = instance.wasi_cli_run().call_run(&mut store).await?;
            ended.map_err(|()| wasmtime::format_err!("the guest failed"))
        };
        let ended = within(invocation.deadline, run).await;
        let errors = String::from_utf8_lossy(&errors.contents()).into_owned();
        let failure = ended.err().map(|error| format!("{errors}{error:?}"));
        Ended { output: String::from_utf8_lossy(&output.contents()).into_owned(), failure }
    }

    /// Calls the export `attack: func(number: u32) -> u32` of a component in text, once for each number, in
    /// one store.
    pub(crate) async fn call(&self, text: &str, invocation: Invocation<'_>, numbers: &[u32]) -> Called {
        match self.runner.component(text) {
            Ok(component) => self.call_component(&component, invocation, numbers).await,
            Err(error) => Called { answers: Vec::new(), failure: Some(format!("{error:?}")) },
        }
    }

    pub(crate) async fn call_component(
        &self,
        component: &Component,
        invocation: Invocation<'_>,
        numbers: &[u32],
    ) -> Called {
        let mut answers = Vec::new();
        let nowhere = || MemoryOutputPipe::new(0);
        let calls = async {
            let linked = self.link(component, invocation.grants)?;
            let mut store = self.store("attack", &invocation, nowhere(), nowhere())?;
            let instance = linked.instantiate_async(&mut store).await?;
            let attack = instance.get_typed_func::<(u32,), (u32,)>(&mut store, "attack")?;
            for number in numbers {
                answers.push(attack.call_async(&mut store, (*number,)).await?.0);
            }
            Ok(())
        };
        let failure = within(invocation.deadline, calls).await.err().map(|error| format!("{error:?}"));
        Called { answers, failure }
    }

    /// Everything that is checked before a component is instantiated.
    fn link(&self, component: &Component, grants: Grants) -> wasmtime::Result<InstancePre<State>> {
        strongroom_host::check_grants(component, grants)?;
        let mut linker = Linker::<State>::new(&self.runner.engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        strongroom_host::add_to_linker_granted(&mut linker, grants)?;
        linker.instantiate_pre(component)
    }

    fn store(
        &self,
        name: &str,
        invocation: &Invocation<'_>,
        output: MemoryOutputPipe,
        errors: MemoryOutputPipe,
    ) -> wasmtime::Result<Store<State>> {
        let mut arguments = vec![name];
        arguments.extend(&invocation.arguments);
        let limits = StoreLimitsBuilder::new()
            .memory_size(GUEST_MEMORY_BYTES)
            .table_elements(GUEST_TABLE_ELEMENTS)
            .build();
        let state = State {
            cache: context(&self.cache, invocation)?,
            wasi: WasiCtx::builder().args(&arguments).stdout(output).stderr(errors).build(),
            table: strongroom_host::limited_table(),
            limits,
        };
        let mut store = strongroom_host::limited_store(&self.runner.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        Ok(store)
    }
}

/// Waits for a guest, up to its deadline. It is dropped then, with its store, in the middle of whatever it
/// does.
async fn within<T>(
    deadline: Option<Duration>,
    run: impl Future<Output = wasmtime::Result<T>>,
) -> wasmtime::Result<T> {
    match (tokio::time::timeout(deadline.unwrap_or(GUEST_TIME), run).await, deadline) {
        (Ok(ended), _) => ended,
        (Err(_), Some(_)) => Err(wasmtime::format_err!("{PAST_DEADLINE}")),
        (Err(_), None) => panic!("the guest hangs"),
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

fn context(cache: &Cache, invocation: &Invocation<'_>) -> Result<CacheCtx, strongroom_host::Error> {
    let mut builder = CacheCtx::builder(cache).service(invocation.service).grants(invocation.grants);
    if let Some(stack) = invocation.stack {
        builder = builder.stack(stack);
    }
    if let Some(session) = invocation.session {
        builder = builder.session(session);
    }
    if let Some(issue) = invocation.issue {
        builder = builder.session_issue(issue);
    }
    builder.build()
}

impl Runner {
    fn new(concurrency_support: bool) -> Self {
        let mut config = wasmtime::Config::new();
        config.concurrency_support(concurrency_support).epoch_interruption(true);
        let engine = Engine::new(&config).expect("a valid configuration");
        let ticked = engine.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(TICK);
                ticked.increment_epoch();
            }
        });
        Self { engine, compiled: Mutex::default() }
    }

    fn component(&self, guest: &str) -> wasmtime::Result<Component> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(component) = compiled.get(guest) {
            return Ok(component.clone());
        }
        let component = Component::from_binary(&self.engine, &binary(guest)?)?;
        compiled.insert(guest.to_owned(), component.clone());
        Ok(component)
    }
}

/// A guest's component: a program that was built, or one that is written as text.
pub(crate) fn binary(guest: &str) -> wasmtime::Result<Vec<u8>> {
    let text = |name: &str| std::fs::read_to_string(format!("{TEXTS}/{name}.wat"));
    let Ok(attack) = text(guest) else {
        return Ok(std::fs::read(format!("{GUESTS}/{guest}.wasm"))?);
    };
    let is_whole = attack.lines().any(|line| line.starts_with('('));
    let whole = if is_whole { attack } else { text("frame/cache")?.replace(ATTACK, &attack) };
    Ok(wat::parse_str(whole)?)
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
