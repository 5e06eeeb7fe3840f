//! Auto-discovery: a cluster that says itself which servers it has, as ElastiCache does.
//!
//! ```text
//! asked     config get cluster\r\n
//! answered  CONFIG cluster 0 LENGTH\r\n
//!           VERSION\n
//!           HOST|IP|PORT HOST|IP|PORT ...\n
//!           \r\n
//!           END\r\n
//! ```
//!
//! It is asked at the start, about every minute, when a server goes down, and every few seconds while one
//! is, each time on a connection of its own. The IP address is where a server is reached (the host where it
//! is empty); its name is `HOST:PORT`. A higher version is applied as one; anything else, malformed answers
//! included, changes nothing.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use super::breaker::ServerState;
use super::connection;
use super::server::{Address, Server};
use super::{Memcached, MemcachedOptions};
use crate::limits::{DISCOVERY_BYTES_MAX, SERVERS_MAX};
use crate::random;

/// How long an answer is good, about, and how long while a server is down: it may be replaced.
const INTERVAL: Duration = Duration::from_secs(60);
const INTERVAL_DOWN: Duration = Duration::from_secs(5);

/// How soon it is noticed that a server went down.
const TICK: Duration = Duration::from_secs(1);

/// The servers of a cluster, as of a version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cluster {
    pub(super) version: u64,
    pub(super) servers: Vec<Server>,
}

/// Asks the endpoints in turn, until one answers.
///
/// # Errors
///
/// Why the last one did not.
pub(super) async fn find(options: &MemcachedOptions) -> Result<Cluster, String> {
    let mut failure = "no server is configured".to_owned();
    for endpoint in &options.servers {
        match timeout(options.connect_timeout, ask(endpoint, options)).await {
            Ok(Ok(cluster)) => return Ok(cluster),
            Ok(Err(reason)) => failure = reason,
            Err(_) => failure = "no answer within the connect timeout".to_owned(),
        }
    }
    Err(failure)
}

async fn ask(endpoint: &Server, options: &MemcachedOptions) -> Result<Cluster, String> {
    let (mut stream, _) = connection::open(endpoint, options).await.map_err(|end| end.to_string())?;
    stream.write_all(b"config get cluster\r\n").await.map_err(|error| error.to_string())?;
    let mut reply = Vec::new();
    loop {
        if let Some(cluster) = read(&reply)? {
            return Ok(cluster);
        }
        if stream.read_buf(&mut reply).await.map_err(|error| error.to_string())? == 0 {
            return Err("the server closed the connection".to_owned());
        }
    }
}

/// Keeps a set of servers as the cluster says, for as long as anybody uses it. `version`: the one that it is
/// at already.
pub(super) async fn follow(memcached: Weak<Memcached>, endpoints: Arc<MemcachedOptions>, mut version: u64) {
    let mut asked_at = Instant::now();
    let mut chance = random::unit();
    let mut was_down = false;
    loop {
        sleep(TICK).await;
        let Some(followed) = memcached.upgrade() else {
            return;
        };
        let is_down = followed.health().iter().any(|server| server.state == ServerState::Down);
        let interval = if is_down { INTERVAL_DOWN } else { INTERVAL };
        let has_gone_down = is_down && !was_down;
        was_down = is_down;
        // Half as long again at most, so that the hosts of a deployment don't ask together.
        if asked_at.elapsed() < interval.mul_f64(1.0 + chance / 2.0) && !has_gone_down {
            continue;
        }
        match find(&endpoints).await {
            Ok(cluster) if cluster.version > version => {
                version = cluster.version;
                let names: Vec<_> = cluster.servers.iter().map(|server| server.name.as_str()).collect();
                tracing::warn!(version, servers = %names.join(", "), "the cluster has other servers");
                followed.set_servers(&cluster.servers);
            }
            Ok(cluster) if cluster.version < version => {
                tracing::warn!(version = cluster.version, known = version, "an old answer of the cluster");
            }
            Ok(_) => {}
            Err(reason) => tracing::warn!(reason, "the cluster does not say which servers it has"),
        }
        (asked_at, chance) = (Instant::now(), random::unit());
    }
}

/// Reads an answer; `None` where more of it is to come.
fn read(reply: &[u8]) -> Result<Option<Cluster>, String> {
    let Some(line_end) = reply.windows(2).position(|pair| pair == b"\r\n") else {
        return match reply.len() > DISCOVERY_LINE_BYTES_MAX {
            true => Err(malformed()),
            false => Ok(None),
        };
    };
    let line = str::from_utf8(&reply[..line_end]).map_err(|_| malformed())?;
    if line.starts_with("ERROR") || line.starts_with("CLIENT_ERROR") {
        return Err(
            "the server does not know `config get cluster`: discovery is for clusters that do".to_owned()
        );
    }
    let length = line.strip_prefix("CONFIG cluster 0 ").and_then(|length| length.parse().ok());
    let length: usize = length.filter(|length| *length <= DISCOVERY_BYTES_MAX).ok_or_else(malformed)?;
    let rest = &reply[line_end + 2..];
    const END: &[u8] = b"\r\nEND\r\n";
    if rest.len() < length + END.len() {
        return Ok(None);
    }
    if &rest[length..] != END {
        return Err(malformed());
    }
    let text = str::from_utf8(&rest[..length]).map_err(|_| malformed())?;
    parse(text).map(Some).ok_or_else(malformed)
}

fn parse(text: &str) -> Option<Cluster> {
    let mut lines = text.lines();
    let version = lines.next()?.trim().parse().ok()?;
    let servers: Vec<_> = lines.next()?.split_whitespace().map(server).collect::<Option<_>>()?;
    let names: HashSet<_> = servers.iter().map(|server| &server.name).collect();
    let is_set = (1..=SERVERS_MAX).contains(&servers.len()) && names.len() == servers.len();
    (is_set && lines.all(|line| line.trim().is_empty())).then_some(Cluster { version, servers })
}

/// `HOST|IP|PORT`.
fn server(text: &str) -> Option<Server> {
    let mut parts = text.split('|');
    let (host, ip, port) = (parts.next()?, parts.next()?, parts.next()?.parse().ok()?);
    if host.is_empty() || parts.next().is_some() {
        return None;
    }
    let name = Address::tcp(host, port)?.to_string();
    let address = Address::tcp(if ip.is_empty() { host } else { ip }, port)?;
    Some(Server { name, address, weight: 1 })
}

/// An answer that says anything. Where it is one, it is so as soon as it is whole, and not before.
#[cfg(feature = "fuzzing")]
pub(super) fn fuzz(reply: &[u8]) {
    let whole = read(reply);
    let first = (0..=reply.len()).find_map(|end| read(&reply[..end]).transpose());
    match (whole, first) {
        (Ok(None), None) => {}
        (Ok(Some(cluster)), Some(Ok(first))) => {
            assert_eq!(cluster, first);
            assert!((1..=SERVERS_MAX).contains(&cluster.servers.len()));
        }
        // More than the answer came, which is noticed if it is there in time.
        (Err(_), Some(_)) => {}
        (whole, first) => panic!("{whole:?} as one whole, but {first:?} in pieces"),
    }
}

fn malformed() -> String {
    "the answer to `config get cluster` is malformed".to_owned()
}

/// The first line is a few words.
const DISCOVERY_LINE_BYTES_MAX: usize = 256;
