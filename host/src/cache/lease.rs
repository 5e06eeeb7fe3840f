//! Taking the right to fill a key, so that it is given back whatever becomes of the caller.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

use crate::backend::{self, Backend, Begun};
use crate::quota::Account;
use crate::stored::StorageKey;

/// The placeholder that a fill is held by: under the key itself, or under the lock of what is there.
#[derive(Clone, Copy)]
pub(super) struct Lease {
    pub(super) key: StorageKey,
    pub(super) version: u64,
}

impl Lease {
    /// Gives it back, whose owner is gone. A stack has few of that at once: an instance that is ended may
    /// leave a thousand fills, which must not fill the connections, or hold up another stack's.
    pub(super) async fn give_back(self, backend: &dyn Backend, account: &Account) {
        // It is never closed.
        let _one_of_few = account.give_backs.acquire().await;
        if backend.abandon_fill(&self.key, self.version).await.is_err() {
            tracing::debug!("a fill could not be given back; it ends with its lease");
        }
    }
}

/// [`Backend::begin_fill`] under way. A caller who goes away meanwhile leaves it to the runtime, which gives
/// back what was won: otherwise nobody would fill the key until the lease ends.
pub(super) struct Begin {
    backend: Arc<dyn Backend>,
    account: Arc<Account>,
    key: StorageKey,
    call: Option<BoxFuture<'static, Result<Begun, backend::Error>>>,
}

impl Begin {
    pub(super) fn new(
        backend: &Arc<dyn Backend>,
        account: &Arc<Account>,
        key: &StorageKey,
        lease: Duration,
    ) -> Self {
        let (backend, account, key) = (Arc::clone(backend), Arc::clone(account), *key);
        let call = Arc::clone(&backend);
        let call = Box::pin(async move { call.begin_fill(&key, lease).await });
        Self { backend, account, key, call: Some(call) }
    }
}

impl Future for Begin {
    type Output = Result<Begun, backend::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(call) = &mut self.call else { return Poll::Pending };
        let begun = ready!(call.as_mut().poll(context));
        self.call = None;
        Poll::Ready(begun)
    }
}

impl Drop for Begin {
    fn drop(&mut self) {
        let Some(call) = self.call.take() else { return };
        let (backend, account, key) = (Arc::clone(&self.backend), Arc::clone(&self.account), self.key);
        in_background(Handle::try_current().ok().as_ref(), async move {
            if let Ok(Begun::Won(version)) = call.await {
                Lease { key, version }.give_back(&*backend, &account).await;
            }
        });
    }
}

/// Does something without a caller, on this runtime. Without one there is nothing to do it on, and leases end
/// by themselves.
pub(super) fn in_background(runtime: Option<&Handle>, work: impl Future<Output = ()> + Send + 'static) {
    if let Some(runtime) = runtime {
        runtime.spawn(work);
    }
}
