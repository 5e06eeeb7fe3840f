//! The servers of a deployment: what can be a set of them, and who says which they are.

use std::collections::HashSet;

use super::Config;
use crate::backend::{Address, Protocol, Server};
use crate::error::Error;
use crate::limits::SERVERS_MAX;

/// More connections than this to one server would only make its batches smaller.
const CONNECTIONS_MAX: usize = 64;

/// Which servers, and how they are spoken to.
impl Config {
    /// The memcached server's host name or address. Empty: entries live in this process.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for a name with white space, a slash or a port in it.
    pub fn host(mut self, host: &str) -> Result<Self, Error> {
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if !host.is_empty() && Address::tcp(host, self.port).is_none() {
            return Err(Error::invalid_config(
                "host: allowed is a host name or an IP address, without a port",
            ));
        }
        self.host = (!host.is_empty()).then(|| host.to_owned());
        self.listed.clear();
        Ok(self)
    }

    /// The memcached server's port; 11211 unless set.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for port 0.
    pub fn port(mut self, port: u16) -> Result<Self, Error> {
        if port == 0 {
            return Err(Error::invalid_config("port: allowed is a number from 1 to 65535"));
        }
        self.port = port;
        Ok(self)
    }

    /// The memcached servers among which keys are spread, instead of a [`host`](Self::host). None: entries
    /// live in this process.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for more than 256 servers, or two of the same name.
    pub fn servers(mut self, servers: Vec<Server>) -> Result<Self, Error> {
        self.listed = check_servers(servers)?;
        self.host = None;
        Ok(self)
    }

    /// In which protocol the servers are spoken to; the meta one unless set. All hosts must speak the same.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// How many connections to each server a multi-thread runtime shares; 1 unless set. (Every current-thread
    /// runtime has one of its own.)
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for none, or more than 64.
    pub fn connections(mut self, connections: usize) -> Result<Self, Error> {
        if !(1..=CONNECTIONS_MAX).contains(&connections) {
            return Err(Error::invalid_config("connections: allowed is a number from 1 to 64"));
        }
        self.connections = connections;
        Ok(self)
    }

    /// The servers; none where entries live in this process.
    pub fn server_list(&self) -> Vec<Server> {
        match &self.host {
            Some(host) => Address::tcp(host, self.port).map(Server::at).into_iter().collect(),
            None => self.listed.clone(),
        }
    }

    /// In which protocol the servers are spoken to.
    pub fn server_protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether the configured servers are asked which servers there are, as clusters with auto-discovery
    /// (`config get cluster`) answer; false unless set.
    #[must_use]
    pub fn discovery(mut self, discovery: bool) -> Self {
        self.discovery = discovery;
        self
    }

    /// Whether what is configured can be done in the protocol.
    pub(crate) fn check_protocol(&self) -> Result<(), Error> {
        let is_plain = self.listed.len() <= 1 && !self.discovery && self.transport.is_plain();
        if self.protocol == Protocol::Meta || is_plain {
            return Ok(());
        }
        Err(Error::invalid_config(
            "protocol: classic and auto are for one server, without discovery, TLS and credentials",
        ))
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
