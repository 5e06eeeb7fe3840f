//! The storage as somebody sees it who has got at it: raw items of memcached, or of the in-process backend.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use strongroom_host::backend::{Backend, Condition, Memory};
use strongroom_host::{Flags, Lifetime, StorageKey, Stored};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A server that is stopped for longer is left alone for now.
const PATIENCE: Duration = Duration::from_millis(500);

/// The first byte of what the classic backend stores, and how much stands before the value there.
const CLASSIC_FORMAT: u8 = 0xc1;
const CLASSIC_HEADER_BYTES: usize = 21;

/// An item as it lies there.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) flags: u32,
    pub(crate) data: Vec<u8>,
}

impl Item {
    /// Whether it is an encrypted entry. What an entry is says Strongroom in its flags: those of memcached,
    /// or over the classic protocol those in front of the value.
    pub(crate) fn is_sealed_entry(&self) -> bool {
        let is_sealed = |flags: u32| Flags(flags).is_entry() && Flags(flags).is_encrypted();
        match self.data.first_chunk() {
            Some(&[CLASSIC_FORMAT, a, b, c, d]) if self.data.len() > CLASSIC_HEADER_BYTES => {
                is_sealed(u32::from_be_bytes([a, b, c, d])) || is_sealed(self.flags)
            }
            _ => is_sealed(self.flags),
        }
    }

    /// Where what is encrypted begins.
    pub(crate) fn header_bytes(&self) -> usize {
        if self.flags == 0 && self.data.first() == Some(&CLASSIC_FORMAT) { CLASSIC_HEADER_BYTES } else { 0 }
    }
}

pub(crate) enum Storage {
    Memory(Arc<Memory>),
    Memcached { port: u16, stream: Option<TcpStream> },
}

impl Storage {
    pub(crate) fn memcached(port: u16) -> Self {
        Self::Memcached { port, stream: None }
    }

    pub(crate) async fn get(&mut self, key: &str) -> io::Result<Option<Item>> {
        if let Self::Memory(memory) = self {
            let found = memory.get(&storage_key(key)?).await.map_err(io::Error::other)?;
            return Ok(
                found.map(|found| Item { flags: found.entry.flags.0, data: found.entry.data.to_vec() })
            );
        }
        let answer = self.exchange(format!("get {key}\r\n").as_bytes(), b"END\r\n").await?;
        Ok(parse(&answer))
    }

    pub(crate) async fn put(&mut self, key: &str, item: &Item) -> io::Result<()> {
        let Item { flags, data } = item;
        if let Self::Memory(memory) = self {
            let entry = Stored { flags: Flags(*flags), data: data.clone().into() };
            let stored =
                memory.store(&storage_key(key)?, entry, Lifetime::UntilEvicted, Condition::Always).await;
            return stored.map(drop).map_err(io::Error::other);
        }
        let mut request = format!("set {key} {flags} 0 {}\r\n", data.len()).into_bytes();
        request.extend_from_slice(data);
        request.extend_from_slice(b"\r\n");
        self.exchange(&request, b"\r\n").await.map(drop)
    }

    /// The keys of all items that begin so. Empty for memory, which lists none.
    pub(crate) async fn keys(&mut self, prefix: &str) -> io::Result<Vec<String>> {
        if let Self::Memory(_) = self {
            return Ok(Vec::new());
        }
        let listed = self.exchange(b"lru_crawler metadump all\r\n", b"END\r\n").await?;
        let listed = String::from_utf8(listed).map_err(io::Error::other)?;
        let keys = listed.lines().filter_map(|line| line.strip_prefix("key=")?.split(' ').next());
        // Of our alphabet, the separators are percent-encoded.
        let keys = keys.map(|key| key.replace("%3A", ":").replace("%2F", "/"));
        Ok(keys.filter(|key| key.starts_with(prefix)).collect())
    }

    async fn exchange(&mut self, request: &[u8], end: &[u8]) -> io::Result<Vec<u8>> {
        let Self::Memcached { port, stream } = self else { return Ok(Vec::new()) };
        // Taken out, and put back when all went well: what is left of an answer must not be the next one.
        let mut connected = match stream.take() {
            Some(connected) => connected,
            None => timeout(PATIENCE, TcpStream::connect((Ipv4Addr::LOCALHOST, *port))).await??,
        };
        if connected.local_addr()? == connected.peer_addr()? {
            return Err(io::Error::other("nobody listens, and the socket has met itself"));
        }
        let mut answer = Vec::new();
        timeout(PATIENCE, async {
            connected.write_all(request).await?;
            while !answer.ends_with(end) {
                if connected.read_buf(&mut answer).await? == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
            }
            Ok(())
        })
        .await??;
        *stream = Some(connected);
        Ok(answer)
    }
}

fn storage_key(text: &str) -> io::Result<StorageKey> {
    StorageKey::parse(text).ok_or_else(|| io::Error::other("no storage key"))
}

/// The item in memcached's answer to `get`.
fn parse(answer: &[u8]) -> Option<Item> {
    let line_end = answer.windows(2).position(|pair| pair == b"\r\n")?;
    let head = str::from_utf8(&answer[..line_end]).ok()?;
    let mut words = head.strip_prefix("VALUE ")?.split(' ').skip(1);
    let flags = words.next()?.parse().ok()?;
    let length: usize = words.next()?.parse().ok()?;
    let data = answer.get(line_end + 2..)?.get(..length)?.to_vec();
    Some(Item { flags, data })
}
