//! The arguments of the commands about a tenant's entries.

use std::num::NonZeroUsize;

use clap::{ArgGroup, Args};

use super::SettingsArgs;

pub(super) const KEY_EXAMPLES: &str = "\
The key holds for the present generations: after a `clear` it is another one.

Examples:
  strongroom key --service fx --stack acme rates
  strongroom key --service fx --stack acme --session 9f2 --namespace daily rates

To ask memcached about the entry (mg: t is its time to live, s its size, f its flags):
  KEY=$(strongroom key --service fx --stack acme rates)
  printf 'mg %s t s f\\r\\nquit\\r\\n' \"$KEY\" | nc localhost 11211";

pub(super) const CLEAR_EXAMPLES: &str = "\
Nothing is deleted: every host stops finding the entries within the generation time (1 second
unless configured), and memcached uses their memory again as it evicts them.

Examples:
  strongroom clear --service fx --stack acme                  a tenant, with its sessions
  strongroom clear --service fx --stack acme --session 9f2    one login
  strongroom clear --service fx --all-stacks                  everything of the service";

pub(super) const RECENT_EXAMPLES: &str = "\
Hosts remember nothing unless the settings say so; these keep a hundred keys of each tenant, login
and namespace, where `strongroom recent` finds them:
  recent_keys = 100
  recent_dir = \"/var/lib/strongroom/recent\"

A host writes them down every five seconds, and `strongroom run` at its end. Sessions and namespaces
have keys of their own: without --session those of the stack's own cache are shown, of all namespaces.
A key that would not print as it is stands in quotes, with escapes.

Examples:
  strongroom recent --service fx --stack acme
  strongroom recent --service fx --stack acme --session 9f2 --limit 10";

pub(super) const DELETE_EXAMPLES: &str = "\
Only the entries of exactly this stack (or session) and namespace are deleted; all hosts miss them at
once. `strongroom recent` shows which keys there are.

Examples:
  strongroom delete --service fx --stack acme rates
  strongroom delete --service fx --stack acme --session 9f2 --namespace daily eur usd
  strongroom delete --service fx --stack acme -- -a-key-that-begins-with-a-dash";

/// Whose entries.
#[derive(Args, Debug)]
pub(crate) struct PartitionArgs {
    /// The service
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: String,

    /// The tenant [default: none, for the cache that all tenants share]
    #[arg(long, value_name = "STACK")]
    pub(crate) stack: Option<String>,

    /// The user's login [default: none]
    #[arg(long, value_name = "SESSION", requires = "stack")]
    pub(crate) session: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct KeyArgs {
    #[command(flatten)]
    pub(crate) partition: PartitionArgs,

    /// The namespace [default: none]
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,

    /// The guest's key
    pub(crate) key: String,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

#[derive(Args, Debug)]
pub(crate) struct RecentArgs {
    #[command(flatten)]
    pub(crate) partition: PartitionArgs,

    /// Show so many keys at most
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) limit: NonZeroUsize,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

#[derive(Args, Debug)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    pub(crate) partition: PartitionArgs,

    /// The namespace [default: none]
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,

    /// The guest's keys
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("what").required(true).args(["stack", "all_stacks"]))]
pub(crate) struct ClearArgs {
    /// The service
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: String,

    /// The tenant to clear, with its sessions and namespaces
    #[arg(long, value_name = "STACK")]
    pub(crate) stack: Option<String>,

    /// Clear only this login of the tenant's
    #[arg(long, value_name = "SESSION", requires = "stack", conflicts_with = "all_stacks")]
    pub(crate) session: Option<String>,

    /// Clear the whole service: every tenant, and what they share
    #[arg(long)]
    pub(crate) all_stacks: bool,

    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}
