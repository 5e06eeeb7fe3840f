//! A cache for sandboxed extensions: the host keeps the boxes apart, you say "my box, please".
//!
//! ```
//! use std::io;
//! use strongroom::cached;
//!
//! /// What one euro is worth. The bank is asked every ten minutes, for all sessions of a tenant.
//! #[cached(timeout = 600)]
//! fn rate(currency: &str) -> Result<f64, io::Error> {
//!     Ok(1.0892) // ask the bank
//! }
//!
//! fn main() -> Result<(), io::Error> {
//!     println!("1 EUR = {} USD", rate("USD")?);
//!     Ok(())
//! }
//! ```
//!
//! Or by hand, with a value of any [serde](https://serde.rs) type:
//!
//! ```no_run
//! use serde::{Deserialize, Serialize};
//! use strongroom::{Error, Ttl, session_cache, stack_cache};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Rates { usd: f64, jpy: f64 }
//!
//! fn rates() -> Result<Rates, Error> {
//!     let rates = || Rates { usd: 1.0892, jpy: 162.03 }; // ask the bank
//!     Ok(stack_cache()?.get_or_set_with("rates", Ttl::minutes(10), rates))
//! }
//!
//! fn last_page(now: &str) -> Result<Option<String>, Error> {
//!     let cache = session_cache()?;
//!     let last = cache.get("last page")?;
//!     cache.set("last page", now, Ttl::hours(1))?;
//!     Ok(last)
//! }
//! ```
//!
//! Build it with `cargo build --target wasm32-wasip2`, and run it with `strongroom run`.
//!
//! # Which cache
//!
//! A *service* is a deployed set of extensions, a *stack* one of its tenants, a *session* one user's
//! login at a stack. The host knows for whom an extension runs; no key reaches anybody else's entries.
//!
//! | open with            | who shares it                                                          |
//! |----------------------|------------------------------------------------------------------------|
//! | [`cache()`]          | the stack; without one, the service, where that is granted              |
//! | [`get_cache(name)`]  | the same, in a namespace: a separate cache by a name of your own       |
//! | [`stack_cache()`]    | all sessions and extensions of one tenant                              |
//! | [`session_cache()`]  | one user's login                                                       |
//! | [`service_cache()`]  | **every tenant**: the host refuses the extension unless it was granted |
//!
//! An extension imports just the scopes that it opens, and what it imports is what it may touch.
//!
//! # Which way to compute
//!
//! | to                                    | use                                                            |
//! |---------------------------------------|----------------------------------------------------------------|
//! | keep what a function returns          | [`#[cached]`](macro@cached)                                    |
//! | keep what a closure returns           | [`Cache::get_or_set_with`], [`Cache::get_or_try_set_with`]     |
//! | compute what is missing of many keys  | [`Cache::get_many_or_set_with`]                                |
//! | change what is there                  | [`Cache::update`], [`Cache::counter`]                          |
//! | decide on each state oneself          | [`Cache::fetch`]                                               |
//!
//! The first two compute in one instance while others wait; within an instance nobody waits. Once a cache is
//! open, no trouble with it fails the first three: the value is computed, and [`on_cache_error`] sees why.
//! Opening one can fail (a scope that is missing or not granted, and natively always); `#[cached]` opens its
//! own, and takes that, too, as trouble that fails nobody.
//!
//! # What to expect of it
//!
//! - **Any entry may vanish at any time.** Keep nothing here that can't be computed or fetched again.
//! - **A miss is `Ok(None)`**, and a stored `None` or `()` is a hit: `get::<Option<Rates>>` tells
//!   `Ok(None)`, a miss, from `Ok(Some(None))`, "we know that there is none".
//! - **A cache that fails need not fail you**: where [`Error::is_transient`], go on as after a miss.
//! - Each operation on one key is atomic; a batch is not.
//!
//! # What a value is stored as
//!
//! Any [serde](https://serde.rs) type can be stored, and reads the same in other languages: integers as
//! integers (so counters and typed reads agree), strings as text, everything else as JSON. A
//! type that serialises as bytes (`serde_bytes`) is stored as bytes; [`Cache::set_bytes`] does it for
//! a plain slice, where [`Cache::set`] would write a `Vec<u8>` as a JSON list of numbers.
//!
//! # In unit tests
//!
//! Outside of WebAssembly there is no host. Opening a cache then answers [`Error::Unavailable`], so
//! that code under a native `cargo test` takes the way that it takes when the cache is down.
//!
//! [`cache()`]: cache
//! [`get_cache(name)`]: get_cache
//! [`stack_cache()`]: stack_cache
//! [`session_cache()`]: session_cache
//! [`service_cache()`]: service_cache

// In reading order, which the gaps keep: rustfmt sorts what stands together.
mod cache;
mod counter;

mod batch;
mod fetch;

mod compute;
mod compute_many;
mod update;

#[doc(hidden)]
pub mod memoize;

mod ttl;

mod error;
mod hook;

mod shape;
mod value;

mod store;
mod under_way;

mod limits;

mod bindings;

pub use strongroom_macros::cached;

pub use cache::{Cache, cache, get_cache, service_cache, session_cache, stack_cache};
pub use cache::{SwapOutcome, Version, Versioned};
pub use counter::Counter;

pub use compute::ComputeOptions;
pub use fetch::{FetchOptions, Fetched, Fill};

pub use ttl::Ttl;

pub use error::Error;
pub use hook::on_cache_error;
