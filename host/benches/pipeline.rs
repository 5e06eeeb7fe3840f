//! What the parts of an operation cost, without a server: keys, sealing and opening, and a guest's call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use strongroom_host::backend::{Backend, Begun, Condition, Error, Memory, Step, StoreOutcome, Versioned};
use strongroom_host::{
    Cache, CacheCtx, CacheCtxView, CacheView, Clock, Config, Lifetime, Partition, ScopedCache, StorageKey,
    Stored, Value,
};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};

const KEY: &str = "a-key-of-16-byte";
const ENCRYPTION_KEY: &str = "base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn acme(cache: &Cache) -> ScopedCache {
    let partition = Partition::service("bench").and_then(|service| service.stack("acme"));
    cache.open(&partition.expect("valid"), None).expect("opens")
}

/// Settings that measure one thing: no compression, and generations that stay known.
fn config(encrypted: bool) -> Config {
    let config = Config::new().compress_data(false).generation_ttl(Duration::from_secs(60)).expect("valid");
    if encrypted { config.encryption_key(ENCRYPTION_KEY).expect("valid") } else { config }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Keeps what is stored first under the key that is asked for, and forgets the rest: an operation on it costs
/// the pipeline and nothing else.
struct Echo {
    memory: Memory,
    last: std::sync::Mutex<Option<Stored>>,
}

#[async_trait]
impl Backend for Echo {
    async fn get_many(&self, keys: &[StorageKey], max: usize) -> Result<Vec<Option<Versioned>>, Error> {
        self.memory.get_many(keys, max).await
    }

    async fn get(&self, _: &StorageKey) -> Result<Option<Versioned>, Error> {
        let entry = self.last.lock().expect("not poisoned").clone();
        Ok(entry.map(|entry| Versioned { entry, version: 1, remaining: None }))
    }

    async fn store(
        &self,
        key: &StorageKey,
        entry: Stored,
        lifetime: Lifetime,
        condition: Condition,
    ) -> Result<StoreOutcome, Error> {
        // Generation numbers are made by conditional stores, and have to stay.
        if condition == Condition::Absent {
            return self.memory.store(key, entry, lifetime, condition).await;
        }
        *self.last.lock().expect("not poisoned") = Some(entry);
        Ok(StoreOutcome::Stored)
    }

    async fn store_many(
        &self,
        entries: Vec<(StorageKey, Stored)>,
        lifetime: Lifetime,
    ) -> Vec<Result<(), Error>> {
        self.memory.store_many(entries, lifetime).await
    }

    async fn delete_many(&self, keys: &[StorageKey]) -> Result<Vec<bool>, Error> {
        self.memory.delete_many(keys).await
    }

    async fn touch(&self, key: &StorageKey, lifetime: Lifetime) -> Result<bool, Error> {
        self.memory.touch(key, lifetime).await
    }

    async fn count(&self, key: &StorageKey, step: Step) -> Result<Option<u64>, Error> {
        self.memory.count(key, step).await
    }

    async fn begin_fill(&self, key: &StorageKey, lease: Duration) -> Result<Begun, Error> {
        self.memory.begin_fill(key, lease).await
    }

    async fn abandon_fill(&self, key: &StorageKey, version: u64) -> Result<(), Error> {
        self.memory.abandon_fill(key, version).await
    }
}

fn keys(c: &mut Criterion) {
    let cache = Cache::with_backend(config(false), Arc::new(Memory::new(64 << 20, Clock::system())));
    let acme = acme(&cache.expect("valid settings"));
    c.bench_function("storage key", |b| {
        b.to_async(runtime()).iter(async || acme.storage_key(KEY).await.expect("a key"));
    });
}

/// `set` seals and `get` opens; the storage key above is a part of each.
fn sealing(c: &mut Criterion) {
    for (name, encrypted) in [("plain", false), ("encrypted", true)] {
        let mut group = c.benchmark_group(name);
        for size in [100, 1024, 1024 * 1024] {
            let echo = Echo { memory: Memory::new(64 << 20, Clock::system()), last: None.into() };
            let cache = Cache::with_backend(config(encrypted), Arc::new(echo)).expect("valid settings");
            let acme = acme(&cache);
            let value = Value::Bytes(Bytes::from(vec![7; size]));
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_with_input(BenchmarkId::new("key and seal", size), &value, |b, value| {
                b.to_async(runtime()).iter(async || acme.set(KEY, value.clone(), None).await.expect("set"));
            });
            group.bench_function(BenchmarkId::new("key and open", size), |b| {
                b.to_async(runtime()).iter(async || acme.get(KEY).await.expect("get").expect("a hit"));
            });
        }
    }
}

struct State {
    cache: CacheCtx,
    table: ResourceTable,
}

impl CacheView for State {
    fn cache(&mut self) -> CacheCtxView<'_> {
        CacheCtxView { ctx: &mut self.cache, table: &mut self.table }
    }
}

/// A `get` on the memory backend, from inside a guest: each iteration is one host call.
fn guest_calls(c: &mut Criterion) {
    for concurrency_support in [false, true] {
        let mut group = c.benchmark_group(format!("guest get, concurrency support {concurrency_support}"));
        for size in [100, 10 * 1024, 1024 * 1024] {
            let runtime = runtime();
            let (mut store, run) = runtime.block_on(guest(concurrency_support, size));
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                b.iter_custom(|times| {
                    let times = u32::try_from(times).unwrap_or(u32::MAX);
                    let begun = Instant::now();
                    let (hits,) = runtime.block_on(run.call_async(&mut store, (times,))).expect("it runs");
                    let elapsed = begun.elapsed();
                    assert_eq!(hits, times);
                    elapsed
                });
            });
        }
    }
}

type Run = wasmtime::component::TypedFunc<(u32,), (u32,)>;

async fn guest(concurrency_support: bool, size: usize) -> (Store<State>, Run) {
    let mut engine_config = wasmtime::Config::new();
    engine_config.concurrency_support(concurrency_support);
    let engine = Engine::new(&engine_config).expect("a valid configuration");
    let cache = Cache::with_backend(config(false), Arc::new(Memory::new(64 << 20, Clock::system())));
    let cache = cache.expect("valid settings");
    acme(&cache).set(KEY, vec![7; size].into(), None).await.expect("set");

    let wasm = wat::parse_file("benches/get.wat").expect("valid text");
    let component = Component::new(&engine, wasm).expect("a component");
    let mut linker = Linker::<State>::new(&engine);
    strongroom_host::add_to_linker(&mut linker).expect("nothing else is linked");
    let ctx = CacheCtx::builder(&cache).service("bench").stack("acme").build().expect("valid");
    let state = State { cache: ctx, table: strongroom_host::limited_table() };
    let mut store = strongroom_host::limited_store(&engine, state);
    let instance = linker.instantiate_async(&mut store, &component).await.expect("it fits");
    let run = instance.get_typed_func(&mut store, "run").expect("it exports it");
    (store, run)
}

criterion_group!(benches, keys, sealing, guest_calls);
criterion_main!(benches);
