//! The set of servers, as it is at one moment: which one a key lives on, and what changes with the set.

use std::sync::Arc;

use super::MemcachedOptions;
use super::node::{Node, ServerHealth};
use super::router::Router;
use super::server::Server;
use crate::backend::Error;
use crate::stored::StorageKey;

/// Servers and the choice among them. It never changes: a change of servers makes another one, and operations
/// under way end on the one that they began on.
pub(super) struct Ring {
    nodes: Vec<Arc<Node>>,
    router: Arc<Router>,
}

impl Ring {
    pub(super) fn new(options: &Arc<MemcachedOptions>) -> Self {
        let servers = &options.servers;
        let nodes = servers.iter().map(|server| Arc::new(Node::new(server.clone(), options))).collect();
        Self { nodes, router: Arc::new(Router::new(servers)) }
    }

    /// The set after a change. Servers that stay keep their connections; of what they hold, only what can't
    /// have been written elsewhere since counts. Of those that come, nothing does.
    pub(super) fn changed(&self, servers: &[Server], options: &Arc<MemcachedOptions>) -> Self {
        let router = Arc::new(Router::new(servers));
        let node = |server: &Server| match self.nodes.iter().find(|node| node.is(server)) {
            Some(node) => {
                if router != self.router {
                    node.remember(&self.router);
                }
                Arc::clone(node)
            }
            None => {
                let node = Node::new(server.clone(), options);
                // It may have been in the set before, of this host or of another one.
                node.distrust_all();
                Arc::new(node)
            }
        };
        Self { nodes: servers.iter().map(node).collect(), router }
    }

    pub(super) fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// The place in [`nodes`](Self::nodes) of the server that a key lives on.
    pub(super) fn place(&self, key: &StorageKey) -> Result<usize, Error> {
        self.router.home(key).ok_or_else(no_server)
    }

    /// The server that a key lives on.
    pub(super) fn home(&self, key: &StorageKey) -> Result<&Node, Error> {
        match &self.nodes[..] {
            [only] => Ok(only),
            nodes => Ok(&nodes[self.place(key)?]),
        }
    }

    /// The places of the servers that want a key most.
    pub(super) fn ranked(&self, key: &StorageKey, count: usize) -> Vec<usize> {
        self.router.ranked(key, count)
    }

    pub(super) fn health(&self) -> Vec<ServerHealth> {
        self.nodes.iter().map(|node| node.health()).collect()
    }
}

pub(super) fn no_server() -> Error {
    Error::Unavailable { reason: "no server is configured".to_owned() }
}
