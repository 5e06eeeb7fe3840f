//! A runtime that callers run on, of either kind, and how late it is.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use crate::lateness::Lateness;

/// Worker threads of the multi-thread runtime: enough that tasks move between them.
const WORKERS: usize = 2;

pub(crate) struct Lane {
    pub(crate) handle: Handle,
    pub(crate) lateness: Arc<Lateness>,
    host: Host,
}

enum Host {
    Shared(Runtime),
    /// A thread that runs a current-thread runtime until it is told to end.
    Own(oneshot::Sender<()>, JoinHandle<()>),
}

impl Lane {
    pub(crate) fn multi_thread() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
        let runtime = runtime.expect("a runtime");
        Self::watched(runtime.handle().clone(), Host::Shared(runtime))
    }

    pub(crate) fn current_thread() -> Self {
        let (end, ended) = oneshot::channel::<()>();
        let (ready, started) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            let _ = ready.send(runtime.handle().clone());
            let _ = runtime.block_on(ended);
            // Here the runtime ends, and with it whatever runs on it, in its middle.
        });
        let handle = started.recv().expect("the thread starts");
        Self::watched(handle, Host::Own(end, thread))
    }

    fn watched(handle: Handle, host: Host) -> Self {
        let lateness = Arc::new(Lateness::default());
        // One for each thread, as a busy one does not hold up what sleeps on another.
        let watchers = if matches!(host, Host::Shared(_)) { WORKERS + 1 } else { 1 };
        for _ in 0..watchers {
            handle.spawn(Lateness::watch(Arc::downgrade(&lateness)));
        }
        Self { handle, lateness, host }
    }

    /// Tasks on the runtime but its watchers.
    pub(crate) fn tasks(&self) -> usize {
        let watchers = if matches!(self.host, Host::Shared(_)) { WORKERS + 1 } else { 1 };
        self.handle.metrics().num_alive_tasks().saturating_sub(watchers)
    }

    /// Ends the runtime with everything on it.
    pub(crate) fn end(self) {
        match self.host {
            Host::Shared(runtime) => drop(runtime),
            Host::Own(end, thread) => {
                let _ = end.send(());
                let _ = thread.join();
            }
        }
    }
}
