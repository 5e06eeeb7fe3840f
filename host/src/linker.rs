//! Linking: which of the cache's interfaces a component gets. Linking is the grant.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};

use crate::ctx::{CacheView, HasCache};
use crate::error::{Error, ErrorKind};
use crate::guest_api::bindings::strongroom::cache::{default, service, session, stack, types};
use crate::limits::{HANDLES_MAX, HOST_CALL_BYTES_MAX};
use crate::scope::{Grants, Scope};

/// The package whose interfaces are granted, as it begins the name of each.
const PACKAGE: &str = "strongroom:cache/";

/// Links what every tenant's extension may have: the interfaces `default`, `stack` and `session`.
///
/// A component that imports `service` does not instantiate over such a linker; see
/// [`add_to_linker_granted`].
///
/// # Errors
///
/// Where the linker defines one of the interfaces already.
pub fn add_to_linker<T: CacheView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    add_to_linker_granted(linker, Grants::default())
}

/// Links `default`, and the interfaces of the granted scopes.
///
/// ```
/// use strongroom_host::{CacheCtx, CacheCtxView, CacheView, Grants, Scope};
/// use wasmtime::component::{Linker, ResourceTable};
/// # struct State { cache: CacheCtx, table: ResourceTable }
/// # impl CacheView for State {
/// #     fn cache(&mut self) -> CacheCtxView<'_> {
/// #         CacheCtxView { ctx: &mut self.cache, table: &mut self.table }
/// #     }
/// # }
/// let engine = wasmtime::Engine::default();
/// let mut linker = Linker::<State>::new(&engine);
/// strongroom_host::add_to_linker_granted(&mut linker, Grants::NONE.with(Scope::Session))?;
/// # Ok::<(), wasmtime::Error>(())
/// ```
///
/// # Errors
///
/// Where the linker defines one of the interfaces already.
pub fn add_to_linker_granted<T: CacheView + 'static>(
    linker: &mut Linker<T>,
    grants: Grants,
) -> wasmtime::Result<()> {
    types::add_to_linker::<_, HasCache>(linker, T::cache)?;
    default::add_to_linker::<_, HasCache>(linker, T::cache)?;
    for scope in Scope::ALL.into_iter().filter(|scope| grants.allows(*scope)) {
        match scope {
            Scope::Service => service::add_to_linker::<_, HasCache>(linker, T::cache)?,
            Scope::Stack => stack::add_to_linker::<_, HasCache>(linker, T::cache)?,
            Scope::Session => session::add_to_linker::<_, HasCache>(linker, T::cache)?,
        }
    }
    Ok(())
}

/// The scopes that a component imports, widest first: what it may touch, if it is granted.
///
/// The interface `default` is none of them: it opens the tenant's own cache, which every invocation has.
pub fn imported_scopes(component: &Component) -> Vec<Scope> {
    let ty = component.component_type();
    let mut scopes: Vec<_> = ty
        .imports(component.engine())
        .filter(|(_, import)| matches!(import.ty, ComponentItem::ComponentInstance(_)))
        .filter_map(|(name, _)| scope_of(name))
        .collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

/// The scope of an interface such as `strongroom:cache/stack@0.1.0`.
fn scope_of(import: &str) -> Option<Scope> {
    let interface = import.strip_prefix(PACKAGE)?;
    let name = interface.split_once('@').map_or(interface, |(name, _)| name);
    name.parse().ok()
}

/// Refuses a component that imports a scope it is not granted, before anything of it runs.
///
/// # Errors
///
/// [`Error::is_access_denied`], with a message that names the interface and says how to grant it.
pub fn check_grants(component: &Component, grants: Grants) -> Result<(), Error> {
    let denied = imported_scopes(component).into_iter().find(|scope| !grants.allows(*scope));
    let Some(scope) = denied else { return Ok(()) };
    let danger = match scope {
        Scope::Service => ", whose entries all tenants share",
        Scope::Stack | Scope::Session => "",
    };
    Err(ErrorKind::NotGranted(format!(
        "the component imports {PACKAGE}{scope}{danger}, and has no grant for it; to grant it: \
         `--allow {scope}` on the command line, `Grants::with(Scope::{scope:?})` in a host"
    ))
    .into())
}

/// A store with wasmtime's own limits cut down to what a cache needs: at most about 18 MiB in one host call
/// (wasmtime's default is 128 MiB) and 1024 handles (100 thousand).
///
/// A guest that goes beyond traps. Its memory, its table sizes and its time are the embedder's to limit, by
/// [`Store::limiter`] and epochs.
pub fn limited_store<T>(engine: &Engine, state: T) -> Store<T> {
    let mut store = Store::new(engine, state);
    store.set_hostcall_fuel(HOST_CALL_BYTES_MAX);
    store.set_max_component_handles(HANDLES_MAX);
    store
}

/// A table for a store's state that holds at most 1024 handles (wasmtime's default is a million).
pub fn limited_table() -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES_MAX);
    table
}
