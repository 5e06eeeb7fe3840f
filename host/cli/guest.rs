//! One run of a guest: what it is given, and how it ended.

use std::path::PathBuf;
use std::time::Duration;

use strongroom_host::{CacheCtx, CacheCtxView, CacheView, Grants};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Engine, Trap};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::limiter::Limiter;

/// How often a guest that computes lets others have their turn, the deadline among them.
const TICK: Duration = Duration::from_millis(10);

/// A directory that the guest is given.
#[derive(Clone, Debug)]
pub(crate) struct Mount {
    pub(crate) host: PathBuf,
    pub(crate) guest: String,
    pub(crate) is_read_only: bool,
}

/// What WASI shows to the guest.
pub(crate) struct Surroundings<'a> {
    pub(crate) args: Vec<&'a str>,
    pub(crate) env: &'a [(String, String)],
    pub(crate) mounts: &'a [Mount],
}

/// What a guest may use up.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) memory_bytes: usize,
    pub(crate) deadline: Duration,
}

/// How a run ended.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    Success,
    /// The guest ended with this code, and has said itself why.
    Exit(u8),
    /// The guest broke.
    Trapped(Trapped),
    PastDeadline,
}

/// Why a guest broke.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Trapped {
    /// In words, or `None` where it had asked for more memory than it may have.
    pub(crate) reason: Option<String>,
    /// Wasmtime's own words, with the guest's backtrace.
    pub(crate) details: String,
}

/// A store's state: one guest's, for one run.
pub(crate) struct State {
    cache: CacheCtx,
    wasi: WasiCtx,
    table: ResourceTable,
    limiter: Limiter,
}

impl CacheView for State {
    fn cache(&mut self) -> CacheCtxView<'_> {
        CacheCtxView { ctx: &mut self.cache, table: &mut self.table }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// All that a guest can be linked with: WASI 0.2, and the granted caches.
pub(crate) fn linker(engine: &Engine, grants: Grants) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    strongroom_host::add_to_linker_granted(&mut linker, grants)?;
    Ok(linker)
}

/// Lets the engine's guests yield, for as long as the engine is there.
pub(crate) fn start_ticking(engine: &Engine) {
    let engine = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
}

/// What the guest sees of the world: our output, and what it was given. Nothing else.
pub(crate) fn surround(surroundings: &Surroundings<'_>) -> wasmtime::Result<WasiCtx> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.args(&surroundings.args).envs(surroundings.env).inherit_stdout().inherit_stderr();
    // As wasmtime-wasi has it by itself; said here because it must not change with a version of it.
    wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
    for mount in surroundings.mounts {
        let perms = if mount.is_read_only { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
        wasi.preopened_dir(&mount.host, &mount.guest, perms)?;
    }
    Ok(wasi.build())
}

/// Runs the guest once, in a fresh instance in a fresh store, which is gone afterwards.
pub(crate) async fn run(
    engine: &Engine,
    guest: &CommandPre<State>,
    cache: CacheCtx,
    wasi: WasiCtx,
    budget: Budget,
) -> Ending {
    let limiter = Limiter::new(budget.memory_bytes);
    let state = State { cache, wasi, table: strongroom_host::limited_table(), limiter };
    let mut store = strongroom_host::limited_store(engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    // The one clock covers computing, which yields at every tick, and waiting in host functions.
    let called = tokio::time::timeout(budget.deadline, async {
        let instance = guest.instantiate_async(&mut store).await?;
        instance.wasi_cli_run().call_run(&mut store).await
    });
    match called.await {
        Err(_) => Ending::PastDeadline,
        Ok(Ok(Ok(()))) => Ending::Success,
        Ok(Ok(Err(()))) => Ending::Exit(1),
        Ok(Err(error)) => ending(&error, store.data().limiter.was_refused()),
    }
}

fn ending(error: &wasmtime::Error, was_memory_refused: bool) -> Ending {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return match u8::try_from(*code) {
            Ok(0) => Ending::Success,
            Ok(code) => Ending::Exit(code),
            Err(_) => Ending::Exit(1),
        };
    }
    let details = format!("{error:?}");
    if was_memory_refused {
        return Ending::Trapped(Trapped { reason: None, details });
    }
    let reason = match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => "it panicked or aborted (wasm `unreachable`)".to_owned(),
        Some(Trap::StackOverflow) => "its call stack is exhausted (endless recursion?)".to_owned(),
        Some(trap) => trap.to_string(),
        None => match error.root_cause().to_string() {
            cause if cause.contains("hostcalls has been exhausted") => format!(
                "it handed over more than {} MiB in one call; larger batches have to be split",
                strongroom_host::limits::HOST_CALL_BYTES_MAX >> 20
            ),
            cause => cause,
        },
    };
    Ending::Trapped(Trapped { reason: Some(reason), details })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(error: impl Into<wasmtime::Error>) -> String {
        match ending(&error.into(), false) {
            Ending::Trapped(Trapped { reason: Some(reason), .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_exit_is_the_guests_own() {
        let exit = |code| ending(&I32Exit(code).into(), false);
        assert_eq!([exit(0), exit(3), exit(-1)], [Ending::Success, Ending::Exit(3), Ending::Exit(1)]);
    }

    #[test]
    fn a_trap_is_said_in_words() {
        assert!(reason(Trap::UnreachableCodeReached).contains("panicked"));
        let out_of_memory = ending(&Trap::UnreachableCodeReached.into(), true);
        assert!(matches!(out_of_memory, Ending::Trapped(Trapped { reason: None, .. })));
        assert!(reason(Trap::StackOverflow).contains("stack"));
        assert!(reason(Trap::IntegerDivisionByZero).contains("divide by zero"));
        let nested = wasmtime::format_err!("table is full").context("error while executing");
        assert_eq!(reason(nested), "table is full");
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        let mounts = [Mount { host: "/no/such".into(), guest: "/data".into(), is_read_only: true }];
        let surroundings = Surroundings { args: vec!["x.wasm"], env: &[], mounts: &mounts };
        assert!(surround(&surroundings).is_err());
    }
}
