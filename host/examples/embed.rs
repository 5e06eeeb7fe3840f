//! The smallest extension runner: two tenants, one component, a fresh store for each call.
//!
//!     cargo build --release --target wasm32-wasip2 -p fx
//!     cargo run -p strongroom-host --example embed -- target/wasm32-wasip2/release/fx.wasm
use strongroom_host::{Cache, CacheCtx, CacheCtxView, CacheView, Config, Grants};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Result};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

struct State {
    cache: CacheCtx,
    wasi: WasiCtx,
    table: ResourceTable,
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

#[tokio::main]
async fn main() -> Result<()> {
    let path = std::env::args().nth(1).ok_or_else(|| wasmtime::format_err!("usage: embed <component>"))?;
    let cache = Cache::connect(Config::from_env()?).await?;
    let engine = Engine::default();
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    strongroom_host::add_to_linker(&mut linker)?;
    let component = Component::from_file(&engine, path)?;
    strongroom_host::check_grants(&component, Grants::default())?;
    let command = CommandPre::new(linker.instantiate_pre(&component)?)?;

    for stack in ["acme", "globex", "acme"] {
        println!("--- {stack}");
        let state = State {
            cache: CacheCtx::builder(&cache).service("embed").stack(stack).session("9f2").build()?,
            wasi: WasiCtx::builder().inherit_stdout().inherit_stderr().build(),
            table: strongroom_host::limited_table(),
        };
        let mut store = strongroom_host::limited_store(&engine, state);
        let run = command.instantiate_async(&mut store).await?;
        if run.wasi_cli_run().call_run(&mut store).await?.is_err() {
            eprintln!("the extension failed for {stack}");
        }
    }
    Ok(())
}
