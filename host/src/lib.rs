//! Strongroom's host library: a cache for sandboxed WebAssembly extensions, scoped by the host.
//!
//! An extension is a component that imports `strongroom:cache`. The host links the scopes that it grants, and
//! tells for each invocation which service, stack (tenant) and session (login) it runs for. From that come
//! the storage keys: the extension never sees one, and has no way to name another tenant.
//!
//! This is a whole host. It runs one extension for two tenants, each invocation in a store of its own:
//!
//! ```
//! use strongroom_host::{Cache, CacheCtx, CacheCtxView, CacheView, Config, Grants};
//! use wasmtime::component::{Component, Linker, ResourceTable};
//! use wasmtime::Engine;
//!
//! struct State {
//!     cache: CacheCtx,
//!     table: ResourceTable,
//! }
//!
//! impl CacheView for State {
//!     fn cache(&mut self) -> CacheCtxView<'_> {
//!         CacheCtxView { ctx: &mut self.cache, table: &mut self.table }
//!     }
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> wasmtime::Result<()> {
//!     // Once: the cache (CACHE_HOST and so on from the environment; none: in this process) and the code.
//!     let cache = Cache::connect(Config::from_env()?).await?;
//!     let engine = Engine::default();
//!     let mut linker = Linker::<State>::new(&engine);
//!     strongroom_host::add_to_linker(&mut linker)?;
//!     let component = Component::new(&engine, wat::parse_file("examples/visits.wat")?)?;
//!     strongroom_host::check_grants(&component, Grants::default())?;
//!     let extension = linker.instantiate_pre(&component)?;
//!
//!     // For each invocation: whom it is for, and a fresh store.
//!     let mut visits = Vec::new();
//!     for stack in ["acme", "globex", "acme"] {
//!         let ctx = CacheCtx::builder(&cache).service("portal").stack(stack).build()?;
//!         let state = State { cache: ctx, table: strongroom_host::limited_table() };
//!         let mut store = strongroom_host::limited_store(&engine, state);
//!         let instance = extension.instantiate_async(&mut store).await?;
//!         let run = instance.get_typed_func::<(), (u64,)>(&mut store, "visits")?;
//!         visits.push(run.call_async(&mut store, ()).await?.0);
//!     }
//!     assert_eq!(visits, [1, 1, 2]); // acme's second visit; globex has a count of its own
//!     Ok(())
//! }
//! ```
//!
//! # Reading on
//!
//! An operation passes these in order, and its answer passes them in reverse:
//!
//! - [`add_to_linker`] and its kin link interfaces: the grant. [`check_grants`] refuses a component early.
//! - [`CacheCtx`] says for whom an invocation runs; [`CacheView`] hands it to the host functions.
//! - [`Cache`] and [`ScopedCache`] are the pipeline, usable from Rust as well.
//! - [`Partition`], [`Scope`] and [`Grants`] are whose entries, and who may open them.
//! - [`backend`] is where entries live: [`backend::Memory`], [`backend::Memcached`], or your own.
//! - [`RecentKey`] is what an operator sees of what was asked for, where [`Config::recent_keys`] says so.
//! - [`Config`] holds the settings; [`limits`] every limit, with its reason.
//! - [`manual::cryptography`] draws the keys, and says what encryption is good for, and what it is not.
//!
//! # Rules for embedders
//!
//! - One fresh store for each invocation, with the one [`CacheCtx`] that it is for. A store that is kept and
//!   called for another session would let the guest carry what it read from one to the other.
//! - Share one [`Cache`] in the process. On a multi-thread runtime all threads share its connections; several
//!   current-thread runtimes, one for each core, have one each, which is the fastest: a call and its reply
//!   never leave their core.
//! - Make the store with [`limited_store`] and the table with [`limited_table`]: wasmtime's own limits are
//!   far above what a cache needs. Limit memory ([`wasmtime::Store::limiter`]) and time (epochs) yourself.
//!   Both have to be there before the instance is made, as a start function is the guest's code, too. At an
//!   epoch's end let the guest yield, as `Store::epoch_deadline_async_yield_and_update` does: one that keeps
//!   a runtime from running keeps what other guests of it have under way from being answered, too.
//! - What each stack may do is a [`Quota`] of the settings, and what one invocation may do its
//!   [`InvocationLimits`]; neither is limited unless set. Stacks share servers fairly without any setting.
//! - When a session is over, say so: [`Cache::end_session`]. Where session identifiers are used again, give
//!   each login an [issue](Partition::issued).
//! - After a call that timed out, drop the store: the next call on it may hang. Nothing of a guest outlives
//!   its store, however it ended; fills that it held are given back in the background.
//! - Refuse what [`check_grants`] and `Linker::instantiate_pre` refuse: nothing of the component has run
//!   then. That an export has another type is only seen once there is an instance.
//! - Calls are host functions that wait on a fiber: call exports with `call_async`. Switching wasmtime's
//!   `Config::concurrency_support` off makes each call about a quarter cheaper; the library works with both.

mod linker;
mod ctx;
mod guest_api;

mod cache;
mod scope;
mod key;
mod generation;
mod codec;
mod recent;
pub mod backend;

mod config;
pub mod limits;
pub mod manual;
mod value;
mod stored;
mod ttl;
mod error;
mod telemetry;
mod clock;
mod random;
mod turns;
mod fair;
mod quota;
mod invocation;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "fuzzing")]
mod input;

pub use cache::{Cache, Fetched, Fill, ScopedCache, SwapOutcome};
pub use clock::Clock;
pub use config::{Config, OnUnavailable};
pub use ctx::{CacheCtx, CacheCtxBuilder, CacheCtxView, CacheView, HasCache};
pub use error::Error;
pub use invocation::InvocationLimits;
pub use linker::{
    add_to_linker, add_to_linker_granted, check_grants, imported_scopes, limited_store, limited_table,
};
pub use quota::Quota;
pub use recent::{RecentKey, RecentOnDisk};
pub use scope::{Grants, Partition, Scope};
pub use stored::{Flags, Kind, StorageKey, Stored};
pub use telemetry::Stats;
pub use ttl::Lifetime;
pub use value::Value;
