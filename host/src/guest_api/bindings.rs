//! What wasmtime generates from `wit/`, and nothing else.

#![allow(missing_docs, unreachable_pub, reason = "generated code; the WIT documents every item")]

wasmtime::component::bindgen!({
    path: "wit",
    world: "strongroom:cache/extension",
    imports: { default: async | trappable },
    with: {
        "strongroom:cache/types.cache": crate::cache::ScopedCache,
        "strongroom:cache/types.fill": crate::cache::Fill,
    },
    trappable_error_type: {
        "strongroom:cache/types.error" => super::error::Refusal,
    },
});
