//! The arguments: what can be asked for, in the words of `--help`. Those of commands about a tenant's entries
//! lie in `tenant`.

mod tenant;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use strongroom_host::{Grants, Scope};

pub(crate) use self::tenant::{ClearArgs, DeleteArgs, KeyArgs, PartitionArgs, RecentArgs};
use crate::bench;
use crate::guest::Mount;

/// Longest deadline: a day. An extension that takes longer is none.
const DEADLINE_SECONDS_MAX: f64 = 86_400.0;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it did not work: the guest failed, trapped or was stopped; the server can't be reached
  2  not understood: arguments, settings, or a file that is no component
  3  refused: the component imports what it is not granted, or what `run` does not provide
  A guest that fails, whatever its exit code (WASI 0.2 tells success and failure apart, no more), is 1.

Settings come from strongroom.toml, overridden by the environment (CACHE_HOST, CACHE_PORT
and so on), overridden by flags. `strongroom doctor` checks them.";

const RUN_EXAMPLES: &str = "\
The guest gets no network, no stdin, no environment and no files unless given here. It has no
stack and no session either, unless they are named: there is no default tenant, so without
--stack an extension that opens its stack's cache is told `no-such-scope`.

Examples:
  strongroom run fx.wasm --stack acme --session 9f2 -- 250 USD JPY
  strongroom run fx.wasm --stack acme --repeat 3 --stats
  strongroom run fx.wasm --stack acme --stack globex --session anna --session ben
  strongroom run report.wasm --stack acme --dir ./data::/data:ro --env LANG=en
  strongroom run rates.wasm --allow service";

/// Runs sandboxed wasm extensions over a cache that keeps tenants apart, and looks after that cache.
#[derive(Parser, Debug)]
#[command(name = "strongroom", version, after_help = EXIT_CODES, max_term_width = 110)]
pub(crate) struct Arguments {
    /// Say more on stderr: -v what happens, -vv details. A trap shows the guest's backtrace
    #[arg(short, long, global = true, action = clap::ArgAction::Count, display_order = 900)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a component (wasi:cli/run 0.2) with its caches
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Show what a component imports and exports, and whether `run` would take it
    Inspect(InspectArgs),
    /// Check the settings and the server, with advice
    Doctor(SettingsArgs),
    /// Measure the server: operations a second and latencies, by callers and by size of values
    #[command(after_help = bench::args::EXAMPLES)]
    Bench(bench::args::BenchArgs),
    /// Print the key that memcached sees for a guest's key
    #[command(after_help = tenant::KEY_EXAMPLES)]
    Key(KeyArgs),
    /// Show which keys guests asked for lately, where the settings say that hosts remember them
    #[command(after_help = tenant::RECENT_EXAMPLES)]
    Recent(RecentArgs),
    /// Delete the entries of some of a guest's keys
    #[command(after_help = tenant::DELETE_EXAMPLES)]
    Delete(DeleteArgs),
    /// Make all entries of a stack, a session or a whole service unreachable
    #[command(after_help = tenant::CLEAR_EXAMPLES)]
    Clear(ClearArgs),
    /// Print a fresh encryption key and key secret, as lines for strongroom.toml
    Keygen,
}

/// Where the settings come from.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Settings")]
pub(crate) struct SettingsArgs {
    /// Settings file [default: strongroom.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// memcached's host name or address; overrides the settings. Empty: entries live in this process
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,

    /// memcached's port; overrides the settings
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<String>,

    /// What every storage key begins with; overrides the settings
    #[arg(long, value_name = "PREFIX")]
    pub(crate) prefix: Option<String>,
}

/// What a component may open beyond its stack and session.
#[derive(Args, Debug)]
pub(crate) struct GrantArgs {
    /// Grant a scope: service, whose entries all tenants share (stack and session are granted anyway)
    #[arg(long, value_name = "SCOPE")]
    pub(crate) allow: Vec<Scope>,
}

impl GrantArgs {
    pub(crate) fn grants(&self) -> Grants {
        self.allow.iter().fold(Grants::default(), |grants, scope| grants.with(*scope))
    }
}

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// The component to run: a .wasm file
    pub(crate) component: PathBuf,

    /// The tenant to run for [default: none]. May be repeated: one after the other, over the same cache
    #[arg(long, value_name = "STACK")]
    pub(crate) stack: Vec<String>,

    /// The user's login to run for [default: none]. May be repeated: each of them at each stack
    #[arg(long, value_name = "SESSION", requires = "stack")]
    pub(crate) session: Vec<String>,

    /// The service that the component belongs to [default: the file's name without .wasm]
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: Option<String>,

    #[command(flatten)]
    pub(crate) grants: GrantArgs,

    /// Give the guest a directory; with `:ro` only to read. Without `::GUEST` it has the same name there
    #[arg(long = "dir", value_name = "HOST::GUEST[:ro]", value_parser = mount)]
    pub(crate) dirs: Vec<Mount>,

    /// Give the guest an environment variable
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,

    /// Run this many times, each in a fresh instance over the same cache; stops where one fails
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) repeat: NonZeroU32,

    /// Memory that the guest may use, all its memories together
    #[arg(long, value_name = "MIB", default_value = "256", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) memory_mib: u32,

    /// Time for each run, waiting included
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = deadline)]
    pub(crate) deadline: Duration,

    /// Say at the end what the cache did: hits, misses, entries that could not be opened, failures
    #[arg(long)]
    pub(crate) stats: bool,

    /// Arguments for the guest
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// The component to look into: a .wasm file
    pub(crate) component: PathBuf,

    #[command(flatten)]
    pub(crate) grants: GrantArgs,
}

/// `HOST::GUEST`, `HOST::GUEST:ro`, `HOST` or `HOST:ro`.
fn mount(text: &str) -> Result<Mount, String> {
    let (paths, is_read_only) = match text.strip_suffix(":ro") {
        Some(paths) => (paths, true),
        None => (text, false),
    };
    let (host, guest) = paths.split_once("::").unwrap_or((paths, paths));
    if host.is_empty() || guest.is_empty() {
        return Err("write a directory here and its name in the guest, as ./data::/data".to_owned());
    }
    Ok(Mount { host: host.into(), guest: guest.to_owned(), is_read_only })
}

/// `NAME=VALUE`.
fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write a name and a value, as LANG=en".to_owned()),
    }
}

fn deadline(text: &str) -> Result<Duration, String> {
    let allowed = || format!("allowed are more than 0 and at most {DEADLINE_SECONDS_MAX} seconds");
    let seconds: f64 = text.parse().map_err(|_| allowed())?;
    let is_possible = seconds > 0.0 && seconds <= DEADLINE_SECONDS_MAX;
    is_possible.then(|| Duration::from_secs_f64(seconds)).filter(|d| !d.is_zero()).ok_or_else(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parsed(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once("strongroom").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_directory_is_given_by_its_two_names() {
        let parsed = |text| mount(text).map(|m| (m.host, m.guest, m.is_read_only));
        let expected = |host: &str, guest: &str, ro| Ok((host.into(), guest.to_owned(), ro));
        assert_eq!(parsed("./data::/data"), expected("./data", "/data", false));
        assert_eq!(parsed("./data::/data:ro"), expected("./data", "/data", true));
        assert_eq!(parsed("data"), expected("data", "data", false));
        assert_eq!(parsed("data:ro"), expected("data", "data", true));
        for bad in ["", "::", "::/data", "data::", ":ro"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_follows_the_dashes_is_the_guests() {
        let Command::Run(run) =
            parsed("run fx.wasm --stack acme -- 250 USD --stack x").expect("it is right").command
        else {
            panic!("it is a run");
        };
        assert_eq!(run.args, ["250", "USD", "--stack", "x"]);
        assert_eq!(run.stack, ["acme"]);
        assert_eq!(run.deadline, Duration::from_secs(30));
        assert!(!run.grants.grants().allows(Scope::Service));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "run fx.wasm --session 9f2",
            "run fx.wasm --allow everything",
            "run fx.wasm --repeat 0",
            "run fx.wasm --memory-mib 0",
            "run fx.wasm --deadline 0",
            "run fx.wasm --deadline NaN",
            "run fx.wasm --env =x",
            "clear --service fx",
            "clear --service fx --session 9f2",
            "clear --service fx --stack acme --all-stacks",
            "clear --service fx --session 9f2 --all-stacks",
            "key --service fx",
            "delete --service fx",
            "delete --stack acme rates",
            "recent --stack acme",
            "recent --service fx --session 9f2",
            "recent --service fx --limit 0",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
        assert!(parsed("clear --service fx --all-stacks").is_ok());
    }

    #[test]
    fn allowing_service_grants_it() {
        let Command::Inspect(inspect) =
            parsed("inspect fx.wasm --allow service").expect("it is right").command
        else {
            panic!("it is an inspect");
        };
        assert!(inspect.grants.grants().allows(Scope::Service));
    }
}
