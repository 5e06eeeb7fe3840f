//! What fuzzing asks of settings that no embedder needs.

use std::collections::HashSet;
use std::ffi::OsString;
use std::time::Duration;

use super::Config;
use crate::error::Error;
use crate::limits;
use crate::stored::is_prefix;

/// The names of all settings.
pub fn names() -> impl Iterator<Item = &'static str> {
    super::text::names()
}

/// Settings as an environment would set them.
///
/// # Errors
///
/// As [`Config::with_env`].
pub fn with_variables(config: Config, variable: impl Fn(&str) -> Option<OsString>) -> Result<Config, Error> {
    config.with_variables(variable)
}

/// Whether a secret of this text is a passphrase, which takes too long to try often.
pub fn is_passphrase(text: &str) -> bool {
    crate::codec::fuzzing::is_passphrase(text)
}

/// What was accepted is what is documented.
///
/// # Panics
///
/// Where it is not.
pub fn check(config: &Config) {
    let is_timeout = |time: Duration| !time.is_zero() && time <= Duration::from_secs(60);
    assert!(is_prefix(&config.prefix));
    assert!(config.port != 0 && (1..=64).contains(&config.connections));
    assert!(is_timeout(config.connect_timeout) && is_timeout(config.timeout));
    assert!((1024..=16 << 20).contains(&config.value_bytes_max));
    assert!(config.memory_bytes_max >= 1 << 20);
    assert!(config.generation_ttl <= Duration::from_secs(60));
    assert!((Duration::from_secs(2)..=Duration::from_secs(3600)).contains(&config.fill_lease));
    assert!(config.ttl_jitter_percent <= 50 && config.recent_keys <= 1000);
    let stacks = config.quotas.stacks.keys();
    assert!(stacks.into_iter().all(|stack| (1..=limits::IDENTIFIER_BYTES_MAX).contains(&stack.len())));
    let servers = config.server_list();
    let names: HashSet<_> = servers.iter().map(|server| &server.name).collect();
    assert!(servers.len() <= limits::SERVERS_MAX && names.len() == servers.len());
    assert!(servers.iter().all(|server| (1..=1000).contains(&server.weight) && !server.name.is_empty()));
    assert!(config.host.is_none() || config.listed.is_empty(), "one of the two says where the servers are");
}
