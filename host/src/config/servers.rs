//! The servers of a deployment: what can be a set of them, and who says which they are.

use std::collections::HashSet;

use super::Config;
use crate::backend::Server;
use crate::error::Error;
use crate::limits::SERVERS_MAX;

impl Config {
    /// Whether the configured servers are asked which servers there are, as clusters with auto-discovery
    /// (`config get cluster`) answer; false unless set.
    #[must_use]
    pub fn discovery(mut self, discovery: bool) -> Self {
        self.discovery = discovery;
        self
    }

    /// Whether the servers are [discovered](Self::discovery).
    pub fn is_discovering(&self) -> bool {
        self.discovery
    }
}

/// Servers that can be one set: not too many, each with a name of its own.
pub(crate) fn check_servers(servers: Vec<Server>) -> Result<Vec<Server>, Error> {
    let names: HashSet<_> = servers.iter().map(|server| &server.name).collect();
    if servers.len() > SERVERS_MAX || names.len() < servers.len() {
        return Err(Error::invalid_config("servers: allowed are up to 256, each with a name of its own"));
    }
    Ok(servers)
}
