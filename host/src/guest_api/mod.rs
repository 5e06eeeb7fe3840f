//! The wasm boundary: the only place where the types generated from the WIT contract exist.

pub(crate) mod bindings;
mod calls;
mod error;
