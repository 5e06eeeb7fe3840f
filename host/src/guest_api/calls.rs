//! The host functions: each unwraps its handle, calls the pipeline, and wraps the answer.

use std::time::Duration;

use wasmtime::component::Resource;

use super::bindings::strongroom::cache::{default, service, session, stack, types};
use super::error::{Refusal, log, to_wit};
use crate::cache::{Fetched, Fill, ScopedCache, SwapOutcome};
use crate::ctx::CacheCtxView;
use crate::error::Error;
use crate::scope::Scope;
use crate::value::Value;

type Handle = Resource<ScopedCache>;

impl CacheCtxView<'_> {
    /// The cache behind a handle. It is cloned (one reference count), so that nothing of the table is
    /// borrowed while the call waits.
    fn at(&self, handle: &Handle) -> Result<ScopedCache, Refusal> {
        Ok(self.table.get(handle)?.clone())
    }

    fn opened(&mut self, opened: Result<ScopedCache, Error>) -> Result<Handle, Refusal> {
        Ok(self.table.push(opened?)?)
    }
}

impl default::Host for CacheCtxView<'_> {
    async fn open(&mut self, namespace: Option<String>) -> Result<Handle, Refusal> {
        self.opened(self.ctx.open_default(namespace.as_deref()))
    }
}

impl stack::Host for CacheCtxView<'_> {
    async fn open(&mut self, namespace: Option<String>) -> Result<Handle, Refusal> {
        self.opened(self.ctx.open(Scope::Stack, namespace.as_deref()))
    }
}

impl session::Host for CacheCtxView<'_> {
    async fn open(&mut self, namespace: Option<String>) -> Result<Handle, Refusal> {
        self.opened(self.ctx.open(Scope::Session, namespace.as_deref()))
    }
}

impl service::Host for CacheCtxView<'_> {
    async fn open(&mut self, namespace: Option<String>) -> Result<Handle, Refusal> {
        self.opened(self.ctx.open(Scope::Service, namespace.as_deref()))
    }
}

impl types::Host for CacheCtxView<'_> {
    fn convert_error(&mut self, refusal: Refusal) -> wasmtime::Result<types::Error> {
        refusal.into_wit()
    }
}

impl types::HostCache for CacheCtxView<'_> {
    async fn get(&mut self, cache: Handle, key: String) -> Result<Option<types::Value>, Refusal> {
        Ok(self.at(&cache)?.get(&key).await?.map(Into::into))
    }

    async fn get_many(
        &mut self,
        cache: Handle,
        keys: Vec<String>,
    ) -> Result<Vec<Option<types::Value>>, Refusal> {
        let values = self.at(&cache)?.get_many(&keys).await?;
        Ok(values.into_iter().map(|value| value.map(Into::into)).collect())
    }

    async fn set(
        &mut self,
        cache: Handle,
        key: String,
        value: types::Value,
        ttl: Option<types::Seconds>,
    ) -> Result<(), Refusal> {
        Ok(self.at(&cache)?.set(&key, value.into(), ttl).await?)
    }

    async fn set_many(
        &mut self,
        cache: Handle,
        entries: Vec<(String, types::Value)>,
        ttl: Option<types::Seconds>,
    ) -> Result<Vec<Result<(), types::Error>>, Refusal> {
        let entries = entries.into_iter().map(|(key, value)| (key, value.into())).collect();
        let outcomes = self.at(&cache)?.set_many(entries, ttl).await?;
        Ok(outcomes.into_iter().map(|outcome| outcome.map_err(|error| to_wit(&error))).collect())
    }

    async fn add(
        &mut self,
        cache: Handle,
        key: String,
        value: types::Value,
        ttl: Option<types::Seconds>,
    ) -> Result<bool, Refusal> {
        Ok(self.at(&cache)?.add(&key, value.into(), ttl).await?)
    }

    async fn replace(
        &mut self,
        cache: Handle,
        key: String,
        value: types::Value,
        ttl: Option<types::Seconds>,
    ) -> Result<bool, Refusal> {
        Ok(self.at(&cache)?.replace(&key, value.into(), ttl).await?)
    }

    async fn delete(&mut self, cache: Handle, key: String) -> Result<bool, Refusal> {
        Ok(self.at(&cache)?.delete(&key).await?)
    }

    async fn delete_many(&mut self, cache: Handle, keys: Vec<String>) -> Result<u32, Refusal> {
        Ok(self.at(&cache)?.delete_many(&keys).await?)
    }

    async fn touch(
        &mut self,
        cache: Handle,
        key: String,
        ttl: Option<types::Seconds>,
    ) -> Result<bool, Refusal> {
        Ok(self.at(&cache)?.touch(&key, ttl).await?)
    }

    async fn increment(
        &mut self,
        cache: Handle,
        key: String,
        delta: u64,
        initial: u64,
        ttl: Option<types::Seconds>,
    ) -> Result<u64, Refusal> {
        Ok(self.at(&cache)?.increment(&key, delta, initial, ttl).await?)
    }

    async fn decrement(
        &mut self,
        cache: Handle,
        key: String,
        delta: u64,
        initial: u64,
        ttl: Option<types::Seconds>,
    ) -> Result<u64, Refusal> {
        Ok(self.at(&cache)?.decrement(&key, delta, initial, ttl).await?)
    }

    async fn get_versioned(
        &mut self,
        cache: Handle,
        key: String,
    ) -> Result<Option<types::Versioned>, Refusal> {
        let found = self.at(&cache)?.get_versioned(&key).await?;
        Ok(found.map(|(value, version)| types::Versioned { value: value.into(), version }))
    }

    async fn swap(
        &mut self,
        cache: Handle,
        key: String,
        value: types::Value,
        expected: types::Version,
        ttl: Option<types::Seconds>,
    ) -> Result<types::SwapOutcome, Refusal> {
        Ok(match self.at(&cache)?.swap(&key, value.into(), expected, ttl).await? {
            SwapOutcome::Swapped => types::SwapOutcome::Swapped,
            SwapOutcome::Changed => types::SwapOutcome::Changed,
            SwapOutcome::Missing => types::SwapOutcome::Missing,
        })
    }

    async fn fetch(
        &mut self,
        cache: Handle,
        key: String,
        grace: types::Seconds,
        wait: u32,
    ) -> Result<types::Fetched, Refusal> {
        let wait = Duration::from_millis(u64::from(wait));
        Ok(match self.at(&cache)?.fetch(&key, grace, wait).await? {
            Fetched::Hit(value) => types::Fetched::Hit(value.into()),
            Fetched::Stale(value) => types::Fetched::Stale(value.into()),
            Fetched::Refresh(value, fill) => types::Fetched::Refresh((value.into(), self.table.push(fill)?)),
            Fetched::Vacant(fill) => types::Fetched::Vacant(self.table.push(fill)?),
            Fetched::Busy => types::Fetched::Busy,
        })
    }

    async fn clear(&mut self, cache: Handle) -> Result<(), Refusal> {
        Ok(self.at(&cache)?.clear().await?)
    }

    async fn drop(&mut self, cache: Handle) -> wasmtime::Result<()> {
        self.table.delete(cache)?;
        Ok(())
    }
}

impl types::HostFill for CacheCtxView<'_> {
    async fn complete(
        &mut self,
        fill: Resource<Fill>,
        value: types::Value,
        ttl: Option<types::Seconds>,
    ) -> Result<bool, Refusal> {
        Ok(self.table.get_mut(&fill)?.complete(value.into(), ttl).await?)
    }

    async fn drop(&mut self, fill: Resource<Fill>) -> wasmtime::Result<()> {
        // The guest waits until the right is given back, so that its next `fetch` finds it so. Where
        // that fails the lease ends by itself.
        let fill = self.table.delete(fill)?;
        if let Err(error) = fill.abandon().await {
            log(&error);
        }
        Ok(())
    }
}

impl From<Value> for types::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Bytes(bytes) => Self::Bytes(bytes.into()),
            Value::Text(text) => Self::Text(text),
            Value::Json(text) => Self::Json(text),
            Value::Integer(number) => Self::Integer(number),
        }
    }
}

impl From<types::Value> for Value {
    fn from(value: types::Value) -> Self {
        match value {
            types::Value::Bytes(bytes) => Self::Bytes(bytes.into()),
            types::Value::Text(text) => Self::Text(text),
            types::Value::Json(text) => Self::Json(text),
            types::Value::Integer(number) => Self::Integer(number),
        }
    }
}
