//! Where a memcached server is, and under which name it is known.

use std::fmt;
use std::path::PathBuf;

/// memcached's own port.
const PORT: u16 = 11211;

/// Heaviest server. Weights are proportions: a pool that needs larger ones has a mistake in it.
const WEIGHT_MAX: u32 = 1000;

/// A memcached server, as its pool knows it.
///
/// Keys are spread by name, not by address: a server that moves to another address under the same name keeps
/// its keys, and all hosts must use the same names.
///
/// ```
/// use strongroom_host::backend::Server;
///
/// let server = Server::parse("fra-1=10.0.0.5:11211*2").expect("of the right form");
/// assert_eq!((server.name.as_str(), server.weight), ("fra-1", 2));
/// assert_eq!(Server::parse("[::1]:11311").map(|server| server.name).as_deref(), Some("[::1]:11311"));
/// assert!(Server::parse("unix:/run/memcached.sock").is_some());
/// assert!(Server::parse("two words").is_none());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// The name by which keys are spread; its address, unless it was given one.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// Its share of the keys, in proportion to the other servers' weights: 1 to 1000.
    pub weight: u32,
}

/// Where a server listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// A host name or IP address, and a TCP port.
    Tcp {
        /// Without brackets, also for IPv6.
        host: String,
        /// From 1.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

impl Server {
    /// What [`parse`](Self::parse) takes, for messages.
    pub const FORM: &str = "[NAME=]HOST[:PORT][*WEIGHT] or [NAME=]unix:/PATH[*WEIGHT]";

    /// A server at an address that is also its name, with weight 1.
    pub fn at(address: Address) -> Self {
        Self { name: address.to_string(), address, weight: 1 }
    }

    /// Reads `[NAME=]ADDRESS[*WEIGHT]`, where the address is `HOST`, `HOST:PORT`, `[IPV6]:PORT` or
    /// `unix:/PATH`, and the port 11211 if there is none. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = match text.split_once('=') {
            Some((name, rest)) => (Some(name), rest),
            None => (None, text),
        };
        let (address, weight) = match rest.rsplit_once('*') {
            Some((address, weight)) => (address, weight.parse().ok()?),
            None => (rest, 1),
        };
        let address = Address::parse(address)?;
        let name = name.map_or_else(|| address.to_string(), str::to_owned);
        let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control());
        (is_name && (1..=WEIGHT_MAX).contains(&weight)).then_some(Self { name, address, weight })
    }
}

impl Address {
    /// A TCP address. `None` where the host is no host name or IP address, or the port is 0. That goes for
    /// one with credentials before an `@`, as URLs have them: addresses are logged.
    pub fn tcp(host: &str, port: u16) -> Option<Self> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_ipv6 = bare.parse::<std::net::Ipv6Addr>().is_ok();
        let strange =
            |c: char| c.is_whitespace() || c.is_control() || "/=*,@".contains(c) || (c == ':' && !is_ipv6);
        let is_host = !bare.is_empty() && !bare.contains(strange) && port != 0;
        is_host.then(|| Self::Tcp { host: bare.to_owned(), port })
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| Self::Unix(path.into()));
        }
        match text.rsplit_once(':') {
            // Of an IPv6 address without brackets, nobody could say where it ends.
            Some((host, port)) if !host.contains(':') || host.starts_with('[') => {
                Self::tcp(host, port.parse().ok()?)
            }
            Some(_) => None,
            None => Self::tcp(text, PORT),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_read_from_its_text() {
        for (text, name, address, weight) in [
            ("localhost", "localhost:11211", "localhost:11211", 1),
            ("10.0.0.5:1", "10.0.0.5:1", "10.0.0.5:1", 1),
            ("[::1]:11311*3", "[::1]:11311", "[::1]:11311", 3),
            ("a=unix:/run/m.sock*1000", "a", "unix:/run/m.sock", 1000),
        ] {
            let server = Server::parse(text).expect(text);
            assert_eq!((server.name.as_str(), server.weight), (name, weight));
            assert_eq!(server.address.to_string(), address);
        }
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in [
            "",
            "a b",
            "a:0",
            "a:65536",
            "a:x",
            "::1",
            "::1:11211",
            "[::1",
            "=a:1",
            "a b=c:1",
            "a:1*0",
            "a:1*1001",
            "a:1*x",
            "unix:",
            "unix:relative",
            "a/b:1",
            "a=b=c:1",
            "a\n:1",
        ] {
            assert_eq!(Server::parse(text), None, "{text:?}");
        }
    }
}
