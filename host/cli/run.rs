//! `strongroom run`: a component, with its caches, once or several times.

use std::path::Path;
use std::time::Instant;

use strongroom_host::{Cache, CacheCtx, Grants, Scope, Stats, check_grants};
use wasmtime::component::Component;
use wasmtime_wasi::p2::bindings::CommandPre;

use crate::args::RunArgs;
use crate::component::{self, Loaded};
use crate::failure::Failure;
use crate::guest::{self, Budget, Ending, State, Surroundings, Trapped};
use crate::imports::{self, Import, Supply};
use crate::output::{counted, note, print};
use crate::reload;
use crate::server;
use crate::settings::Settings;
use crate::tenants::{self, Tenant};

/// Runs the component.
pub(crate) async fn run(args: &RunArgs, is_verbose: bool) -> Result<(), Failure> {
    let settings = Settings::load(&args.settings)?;
    let service = args.service.clone().unwrap_or_else(|| service_of(&args.component));
    let tenants = tenants::each(&args.stack, &args.session);
    for tenant in &tenants {
        server::partition(&service, tenant.stack, tenant.session)?;
    }
    check_directories(args)?;

    let loaded = component::load(&args.component).await?;
    let guest = link(&loaded, args.grants.grants())?;
    mention_what_is_missing(args, &loaded);

    let cache = Cache::connect(settings.config).await.map_err(|error| Failure::of_host(&error))?;
    reload::on_hangup(&args.settings, &cache)?;
    let ended = run_each(args, &loaded, &guest, &cache, (&service, &tenants), is_verbose).await;
    if args.stats {
        eprintln!("strongroom: {}", stats_line(&cache.stats()));
    }
    if let Err(error) = cache.flush_recent() {
        note(&error.to_string());
    }
    ended
}

/// Runs for each tenant, as often as asked: each in a fresh instance, over one cache.
async fn run_each(
    args: &RunArgs,
    loaded: &Loaded,
    guest: &CommandPre<State>,
    cache: &Cache,
    (service, tenants): (&str, &[Tenant<'_>]),
    is_verbose: bool,
) -> Result<(), Failure> {
    let engine = loaded.component.engine();
    guest::start_ticking(engine);
    let budget = Budget { memory_bytes: args.memory_mib as usize * 1024 * 1024, deadline: args.deadline };
    let runs = args.repeat.get();
    for (number, tenant) in (1..=runs).flat_map(|number| tenants.iter().map(move |tenant| (number, tenant))) {
        let round = if runs > 1 { format!(", run {number} of {runs}") } else { String::new() };
        if tenants.len() > 1 {
            print(&format!("--- {tenant}{round}\n"))?;
        }
        let wasi = guest::surround(&surroundings(args, &loaded.name))
            .map_err(|error| Failure::failed(format!("can't set the guest up: {error:#}")))?;
        let ctx = context(args, cache, service, *tenant)?;
        let began = Instant::now();
        let ending = guest::run(engine, guest, ctx, wasi, budget).await;
        tracing::info!(run = number, seconds = began.elapsed().as_secs_f64(), "the guest ended");
        let several = if tenants.len() > 1 { format!(", {tenant}") } else { String::new() };
        let is_only = runs == 1 && tenants.len() == 1;
        judge(ending, args, is_verbose, is_only)
            .map_err(|failure| failure.about(format!("{}{several}{round}", loaded.name)))?;
    }
    Ok(())
}

/// The service of a component that names none: the file's name without its ending.
fn service_of(component: &Path) -> String {
    component.file_stem().unwrap_or(component.as_os_str()).to_string_lossy().into_owned()
}

fn surroundings<'a>(args: &'a RunArgs, name: &'a str) -> Surroundings<'a> {
    let args_of_guest = std::iter::once(name).chain(args.args.iter().map(String::as_str)).collect();
    Surroundings { args: args_of_guest, env: &args.env, mounts: &args.dirs }
}

fn context(args: &RunArgs, cache: &Cache, service: &str, tenant: Tenant<'_>) -> Result<CacheCtx, Failure> {
    let mut ctx = CacheCtx::builder(cache).service(service).grants(args.grants.grants());
    if let Some(stack) = tenant.stack {
        ctx = ctx.stack(stack);
    }
    if let Some(session) = tenant.session {
        ctx = ctx.session(session);
    }
    ctx.build().map_err(|error| Failure::of_host(&error))
}

/// Finds wrong directories before the long work begins.
fn check_directories(args: &RunArgs) -> Result<(), Failure> {
    for mount in &args.dirs {
        let path = mount.host.display();
        match std::fs::metadata(&mount.host) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(Failure::invalid(format!("--dir {path}: not a directory"))),
            Err(error) => return Err(Failure::invalid(format!("--dir {path}: {error}"))),
        }
    }
    Ok(())
}

/// Refuses what may not run or can't, before anything of it runs.
fn link(loaded: &Loaded, grants: Grants) -> Result<CommandPre<State>, Failure> {
    let Loaded { component, name, .. } = loaded;
    refuse_what_can_not_run(component, grants).map_err(|failure| failure.about(name))?;
    let linker = guest::linker(component.engine(), grants)
        .map_err(|error| Failure::failed(format!("can't link: {error:#}")))?;
    linker.instantiate_pre(component).and_then(CommandPre::new).map_err(|error| {
        Failure::refused(format!("it does not fit what `run` provides: {error:#}")).about(name)
    })
}

/// The reasons why [`link`] would fail, in words. `inspect` shows them as well.
pub(crate) fn refuse_what_can_not_run(component: &Component, grants: Grants) -> Result<(), Failure> {
    check_grants(component, grants).map_err(|error| Failure::of_host(&error))?;
    let imports = imports::of(component, grants);
    let missing = imports.iter().filter(|import| import.supply == Supply::Missing);
    let missing: Vec<_> = missing.map(|import| import.name.as_str()).collect();
    if !missing.is_empty() {
        return Err(Failure::refused(format!(
            "the component imports {}, which `run` does not provide",
            missing.join(", ")
        )));
    }
    if !imports::exports(component).iter().any(|export| imports::is_run(export)) {
        return Err(Failure::refused(
            "the component does not export wasi:cli/run@0.2, so there is nothing to run (a program with a `main`, \
             built for wasm32-wasip2, does)",
        ));
    }
    Ok(())
}

/// Says beforehand that the component opens caches which this run has not got.
fn mention_what_is_missing(args: &RunArgs, loaded: &Loaded) {
    let imports = imports::of(&loaded.component, args.grants.grants());
    // Without a stack the default scope is the service's, where that is granted.
    let is_default = |import: &Import| import.name.starts_with("strongroom:cache/default");
    let needs = |scope| {
        let is_meant = scope == Scope::Stack && !args.grants.grants().allows(Scope::Service);
        imports
            .iter()
            .any(|import| import.supply == Supply::Granted(scope) || (is_meant && is_default(import)))
    };
    let (scope, flags) = match (args.stack.first(), args.session.first()) {
        (None, _) if needs(Scope::Stack) && needs(Scope::Session) => {
            ("stack's and its session's", "--stack NAME --session NAME")
        }
        (None, _) if needs(Scope::Session) => ("session's", "--stack NAME --session NAME"),
        (None, _) if needs(Scope::Stack) => ("stack's", "--stack NAME"),
        (Some(_), None) if needs(Scope::Session) => ("session's", "--session NAME"),
        _ => return,
    };
    note(&format!("{} uses its {scope} cache, and this run has none: pass {flags}", loaded.name));
}

fn judge(ending: Ending, args: &RunArgs, is_verbose: bool, is_only: bool) -> Result<(), Failure> {
    match ending {
        Ending::Success => Ok(()),
        // A guest says itself what went wrong; that it ends what was to come is for us to say.
        Ending::Exit(code) if is_only => Err(Failure::silent(code)),
        Ending::Exit(_) => Err(Failure::failed("the guest failed; nothing runs after it")),
        Ending::PastDeadline => {
            let seconds = args.deadline.as_secs_f64();
            Err(Failure::failed(format!("stopped: it reached its deadline of {seconds} s (--deadline)")))
        }
        Ending::Trapped(Trapped { reason, details }) => {
            if is_verbose {
                eprintln!("{}", details.trim_end());
            }
            let reason = reason.unwrap_or_else(|| {
                format!("it reached its memory limit of {} MiB (--memory-mib)", args.memory_mib)
            });
            Err(Failure::failed(format!("stopped: {reason}")))
        }
    }
}

fn stats_line(stats: &Stats) -> String {
    let unopened: u64 = stats.unopened.iter().map(|(_, count)| count).sum();
    let reasons: Vec<_> = stats.unopened.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    let of_these = |count: u64, what: &str| match count {
        0 => String::new(),
        count => format!(" ({count} {what})"),
    };
    let (stale, lost) = (of_these(stats.stale_hits, "stale"), of_these(stats.fills_lost, "lost"));
    format!(
        "{}{stale}, {}, {}{lost}, {} busy, {unopened} unopened{reasons}, {}, {} refused",
        counted(stats.hits, "hit", "hits"),
        counted(stats.misses, "miss", "misses"),
        counted(stats.fills, "fill", "fills"),
        stats.busy,
        counted(stats.failures, "failure", "failures"),
        stats.refused,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_the_files_name() {
        assert_eq!(service_of(Path::new("target/debug/fx.wasm")), "fx");
        assert_eq!(service_of(Path::new("fx")), "fx");
    }

    #[test]
    fn statistics_are_a_line() {
        let mut stats = Stats::default();
        (stats.hits, stats.fills) = (1, 1);
        assert_eq!(stats_line(&stats), "1 hit, 0 misses, 1 fill, 0 busy, 0 unopened, 0 failures, 0 refused");
        (stats.hits, stats.stale_hits, stats.fills, stats.fills_lost) = (3, 1, 2, 1);
        stats.unopened = vec![("unknown_key", 2), ("over_bound", 1)];
        assert_eq!(
            stats_line(&stats),
            "3 hits (1 stale), 0 misses, 2 fills (1 lost), 0 busy, 3 unopened (unknown_key 2, over_bound 1), 0 failures, 0 refused"
        );
    }
}
