//! What one invocation may reach: the embedder's side of the wasm boundary.

use std::sync::Arc;

use wasmtime::component::{HasData, ResourceTable};

use crate::cache::{Cache, ScopedCache};
use crate::error::{Error, ErrorKind};
use crate::invocation::{Budget, InvocationLimits};
use crate::quota::Account;
use crate::scope::{Grants, Partition, Scope};

/// For whom an invocation runs, and which scopes it may open. A clone is the same invocation: it shares the
/// limits, and time goes on from when it was built.
///
/// The embedder makes one for each invocation, from what it knows itself and never from what a guest says,
/// and puts it into the one fresh `Store` of that invocation. Identifiers are opaque: 1 to 256 bytes, any
/// characters.
///
/// ```
/// use strongroom_host::{Cache, CacheCtx};
///
/// let cache = Cache::in_memory();
/// let ctx = CacheCtx::builder(&cache).service("fx").stack("acme").session("9f2").build()?;
/// assert!(CacheCtx::builder(&cache).service("fx").session("9f2").build().is_err());
/// # Ok::<(), strongroom_host::Error>(())
/// ```
#[derive(Clone)]
pub struct CacheCtx {
    cache: Cache,
    partition: Partition,
    grants: Grants,
    account: Arc<Account>,
    budget: Arc<Budget>,
}

impl CacheCtx {
    /// Begins a context over a cache.
    pub fn builder(cache: &Cache) -> CacheCtxBuilder {
        CacheCtxBuilder {
            cache: cache.clone(),
            service: String::new(),
            stack: None,
            session: None,
            issue: None,
            grants: Grants::default(),
            limits: None,
        }
    }

    /// Opens the invocation's cache in a scope, if it is granted.
    ///
    /// # Errors
    ///
    /// [`Error::is_access_denied`] without a grant; [`Error::is_no_such_scope`] where the invocation has no
    /// stack, or no session; [`Error::is_invalid_key`] for an empty namespace, or one longer than 256 bytes;
    /// [`Error::is_quota_exceeded`], as it counts as an operation; [`Error::is_too_many_handles`] beyond the
    /// invocation's [limits](CacheCtxBuilder::limits).
    pub fn open(&self, scope: Scope, namespace: Option<&str>) -> Result<ScopedCache, Error> {
        if !self.grants.allows(scope) {
            return Err(ErrorKind::AccessDenied.into());
        }
        let partition = self.partition.widened_to(scope).ok_or(ErrorKind::NoSuchScope)?;
        // It makes the host remember a namespace, and so counts as well.
        let spent = self.budget.spend(1, 0).and_then(|()| self.account.spend(1, 0));
        spent.map_err(|kind| self.cache.refused(kind))?;
        let guest = (Arc::clone(&self.budget), self.budget.handle()?);
        self.cache.open_for(&partition, namespace, Arc::clone(&self.account), Some(guest))
    }

    /// Opens the cache that suits the invocation: its stack's, or the service's where it has no stack.
    ///
    /// # Errors
    ///
    /// [`Error::is_access_denied`] where that scope is not granted, as the service's is not by default: an
    /// embedder who forgets a stack must not have tenants share a cache. [`Error::is_invalid_key`],
    /// [`Error::is_quota_exceeded`] and [`Error::is_too_many_handles`] as [`open`](Self::open).
    pub fn open_default(&self, namespace: Option<&str>) -> Result<ScopedCache, Error> {
        match self.partition.scope() {
            Scope::Service => self.open(Scope::Service, namespace),
            Scope::Stack | Scope::Session => self.open(Scope::Stack, namespace),
        }
    }
}

/// Builds a [`CacheCtx`].
#[must_use]
pub struct CacheCtxBuilder {
    cache: Cache,
    service: String,
    stack: Option<String>,
    session: Option<String>,
    issue: Option<String>,
    grants: Grants,
    limits: Option<InvocationLimits>,
}

impl CacheCtxBuilder {
    /// The deployed set of extensions. Required.
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = service.into();
        self
    }

    /// The tenant that the invocation runs for.
    pub fn stack(mut self, stack: impl Into<String>) -> Self {
        self.stack = Some(stack.into());
        self
    }

    /// The user's login that the invocation runs for. Needs a stack.
    pub fn session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// Which login it is of those that have the session's identifier: see [`Partition::issued`].
    pub fn session_issue(mut self, issue: impl Into<String>) -> Self {
        self.issue = Some(issue.into());
        self
    }

    /// What the invocation may do with the cache; what the deployment's
    /// [`Config::invocation_limits`](crate::Config::invocation_limits) say, unless set.
    pub fn limits(mut self, limits: InvocationLimits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// What the component may open; its stack and session, unless set.
    pub fn grants(mut self, grants: Grants) -> Self {
        self.grants = grants;
        self
    }

    /// The context.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] where an identifier is empty or longer than 256 bytes, the service is
    /// missing, or there is a session and no stack, or an issue and no session.
    pub fn build(self) -> Result<CacheCtx, Error> {
        let mut partition = Partition::service(&self.service)?;
        if let Some(stack) = &self.stack {
            partition = partition.stack(stack)?;
        }
        if let Some(session) = &self.session {
            partition = partition.session(session)?;
        }
        if let Some(issue) = &self.issue {
            partition = partition.issued(issue)?;
        }
        let account = self.cache.account(&partition);
        let limits = self.limits.unwrap_or(self.cache.config().invocation_limits);
        let budget = Arc::new(Budget::new(limits));
        Ok(CacheCtx { cache: self.cache, partition, grants: self.grants, account, budget })
    }
}

/// A store's state, as the host functions see it for the time of one call.
pub struct CacheCtxView<'a> {
    /// For whom the invocation runs.
    pub ctx: &'a mut CacheCtx,
    /// The store's handles.
    pub table: &'a mut ResourceTable,
}

/// Implemented by a store's state, to hand out what the cache needs of it.
///
/// ```
/// use strongroom_host::{CacheCtx, CacheCtxView, CacheView};
/// use wasmtime::component::ResourceTable;
///
/// struct State {
///     cache: CacheCtx,
///     table: ResourceTable,
/// }
///
/// impl CacheView for State {
///     fn cache(&mut self) -> CacheCtxView<'_> {
///         CacheCtxView { ctx: &mut self.cache, table: &mut self.table }
///     }
/// }
/// ```
pub trait CacheView: Send {
    /// The context and the handles.
    fn cache(&mut self) -> CacheCtxView<'_>;
}

/// Ties [`CacheCtxView`] to the linker's functions, for embedders that link by hand.
pub struct HasCache;

impl HasData for HasCache {
    type Data<'a> = CacheCtxView<'a>;
}
