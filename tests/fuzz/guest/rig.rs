//! A host, and guests that do whatever they are told.

use std::sync::LazyLock;

use strongroom_host::{CacheCtx, CacheCtxView, CacheView, Grants, Scope};
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable, TypedFunc};
use wasmtime::{Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

use super::abi::{Image, Memory, Operation};

/// What all inputs share: compiled code, and places for instances.
static GUEST: LazyLock<InstancePre<State>> =
    LazyLock::new(|| prepare().expect("the component is a good one, written by hand"));

struct State {
    cache: CacheCtx,
    table: ResourceTable,
}

impl CacheView for State {
    fn cache(&mut self) -> CacheCtxView<'_> {
        CacheCtxView { ctx: &mut self.cache, table: &mut self.table }
    }
}

fn prepare() -> wasmtime::Result<InstancePre<State>> {
    let mut config = wasmtime::Config::new();
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(8).total_core_instances(24).total_memories(8).total_stacks(8);
    pool.max_memory_size(4 << 20);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool)).concurrency_support(false);
    let engine = Engine::new(&config)?;
    let mut linker = Linker::new(&engine);
    let all = Scope::ALL.into_iter().fold(Grants::NONE, Grants::with);
    strongroom_host::add_to_linker_granted(&mut linker, all)?;
    linker.instantiate_pre(&Component::new(&engine, wat::parse_str(include_str!("guest.wat"))?)?)
}

/// One instance in a store of its own.
pub(super) struct Guest {
    store: Store<State>,
    call: TypedFunc<(u32, Vec<u8>), (Vec<u8>,)>,
}

impl Guest {
    pub(super) async fn new(ctx: CacheCtx) -> Self {
        let state = State { cache: ctx, table: strongroom_host::limited_table() };
        let mut store = strongroom_host::limited_store(GUEST.engine(), state);
        let instance = GUEST.instantiate_async(&mut store).await.expect("there is a place for it");
        let call = instance.get_typed_func(&mut store, "call").expect("the guest exports it");
        Self { store, call }
    }

    /// Does an operation. `None`: the guest has ended in a trap.
    pub(super) async fn call(&mut self, operation: &Operation, image: &Image) -> Option<Memory> {
        let call = (operation.number(), image.bytes());
        let called = self.call.call_async(&mut self.store, call).await;
        called.ok().map(|(memory,)| Memory(memory))
    }
}
