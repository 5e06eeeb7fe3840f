//! A TCP proxy in front of a memcached that does to its replies what networks and broken peers do.
//!
//! It knows where each reply of the meta protocol begins and ends, so that a fault hits one exactly where it
//! is meant to. Which replies are hit is decided by a seed. What it never does is change a value's bytes in
//! place: without encryption, nobody could tell. (So `Truncate` takes less off than the shortest reply has
//! bytes: what follows a shortened value must not be able to complete it.)

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::dice::Dice;

/// What memcached says, unasked, to one connection too many.
const TOO_MANY_CONNECTIONS: &[u8] = b"ERROR Too many open connections\r\n";

/// 3 GB, more than any item can have.
const HUGE_LENGTH: &str = "3221225472";

/// As long as this a delayed reply is late, at most.
const DELAY_MAX_MILLISECONDS: u64 = 200;

/// As long as this a stalled reply waits for its other half, at most: beyond any timeout tested with.
const STALL_MAX_MILLISECONDS: u64 = 900;

/// How much of a reply is dripped byte by byte; the rest follows at once.
const DRIPPED_BYTES: usize = 64;

/// How much is read from a caller at once. Several requests, of which the last may be cut.
const REQUEST_BYTES: usize = 16 * 1024;

/// What is done to a reply, or to a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Fault {
    /// It comes late, and so does what follows.
    Delay,
    /// Its first half comes, and nothing more for a while.
    Stall,
    /// Its first half comes, and nothing more ever, though the connection stays open.
    Silence,
    /// It never comes; what follows does.
    Lose,
    /// The connection is closed (FIN) in its middle.
    CutReply,
    /// The connection is reset (RST) in its middle.
    ResetReply,
    /// The connection is closed in the middle of a request.
    CutRequest,
    /// The connection is reset in the middle of a request.
    ResetRequest,
    /// Its last bytes are missing; what follows is whole.
    Truncate,
    /// It comes twice.
    Duplicate,
    /// It comes after the one that follows it.
    Reorder,
    /// Random bytes come before it.
    Garbage,
    /// It comes byte by byte.
    Drip,
    /// It carries another request's number.
    WrongOpaque,
    /// It announces a value of 3 GB.
    HugeLength,
    /// An error comes before it that nobody asked for; new connections get it as well, and are closed.
    TooManyConnections,
}

impl Fault {
    pub(crate) const ALL: [Self; 16] = [
        Self::Delay,
        Self::Stall,
        Self::Silence,
        Self::Lose,
        Self::CutReply,
        Self::ResetReply,
        Self::CutRequest,
        Self::ResetRequest,
        Self::Truncate,
        Self::Duplicate,
        Self::Reorder,
        Self::Garbage,
        Self::Drip,
        Self::WrongOpaque,
        Self::HugeLength,
        Self::TooManyConnections,
    ];

    fn is_of_requests(self) -> bool {
        matches!(self, Self::CutRequest | Self::ResetRequest)
    }

    /// How a connection ends that the fault ends.
    fn end(self) -> End {
        match self {
            Self::ResetReply | Self::ResetRequest => End::Reset,
            _ => End::Close,
        }
    }
}

/// What is done at present: the fault, and to one in how many.
type Plan = Option<(Fault, u64)>;

/// A running proxy. It ends, with all its connections, when it is dropped.
pub(crate) struct FaultProxy {
    address: SocketAddr,
    plan: Option<watch::Sender<Plan>>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    ended: AtomicU64,
    injected: Mutex<BTreeMap<Fault, u64>>,
}

impl FaultProxy {
    /// A proxy on a free loopback port, on a thread of its own, that passes everything on to a port.
    pub(crate) fn start(server_port: u16, seed: u64) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("sockets can be");
        let address = listener.local_addr().expect("it is bound");
        let (plan, plans) = watch::channel(None);
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listening socket");
                accept(listener, server_port, plans, seed, shared).await;
            });
        });
        Self { address, plan: Some(plan), counts, thread: Some(thread) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on, one in so many replies (or chunks of requests) is hit.
    pub(crate) fn inject(&self, fault: Fault, one_in: u64) {
        self.tell(Some((fault, one_in)));
    }

    /// From now on everything is passed on, and what was held back as well.
    pub(crate) fn pass(&self) {
        self.tell(None);
    }

    fn tell(&self, plan: Plan) {
        if let Some(sender) = &self.plan {
            sender.send_replace(plan);
        }
    }

    /// Connections that were ever made to it.
    pub(crate) fn accepted(&self) -> u64 {
        self.counts.accepted.load(Relaxed)
    }

    /// Connections that are open now.
    pub(crate) fn open(&self) -> u64 {
        self.accepted() - self.counts.ended.load(Relaxed)
    }

    /// How often each fault has hit.
    pub(crate) fn injected(&self) -> BTreeMap<Fault, u64> {
        self.counts.injected.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.plan = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Counts {
    fn hit(&self, fault: Fault) {
        *self.injected.lock().unwrap_or_else(PoisonError::into_inner).entry(fault).or_default() += 1;
    }
}

/// Takes connections until the proxy is dropped.
async fn accept(
    listener: TcpListener,
    server_port: u16,
    mut plans: watch::Receiver<Plan>,
    seed: u64,
    counts: Arc<Counts>,
) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let number = counts.accepted.fetch_add(1, Relaxed);
                let mut relay = Relay {
                    plans: plans.clone(),
                    dice: Dice::new(seed, 2 * number),
                    counts: Arc::clone(&counts),
                };
                let dice = Dice::new(seed, 2 * number + 1);
                connections.spawn(async move {
                    relay.run(client, server_port, dice).await;
                    relay.counts.ended.fetch_add(1, Relaxed);
                });
            }
            changed = plans.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            _ = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// How a connection ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Close,
    Reset,
}

impl From<io::Error> for End {
    /// Whoever went away did not do it in order, and the other side is told so.
    fn from(_: io::Error) -> Self {
        Self::Reset
    }
}

/// One connection.
struct Relay {
    plans: watch::Receiver<Plan>,
    dice: Dice,
    counts: Arc<Counts>,
}

impl Relay {
    async fn run(&mut self, mut client: TcpStream, server_port: u16, dice: Dice) {
        let plan = *self.plans.borrow();
        if let Some((Fault::TooManyConnections, _)) = plan
            && self.dice.one_in(2)
        {
            self.counts.hit(Fault::TooManyConnections);
            let _ = client.write_all(TOO_MANY_CONNECTIONS).await;
            return;
        }
        let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port)).await else {
            return;
        };
        if server.local_addr().ok() == server.peer_addr().ok() {
            // Nobody listens, and by chance the socket has got the port itself and met itself there.
            return;
        }
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let end = {
            let (client_in, client_out) = client.split();
            let (server_in, server_out) = server.split();
            let (plans, counts) = (self.plans.clone(), Arc::clone(&self.counts));
            let requests = requests(client_in, server_out, plans, dice, counts);
            let replies = self.replies(server_in, client_out);
            let ended = tokio::select! { end = requests => end, end = replies => end };
            ended.unwrap_or_else(|end| end)
        };
        if end == End::Reset {
            let _ = client.set_zero_linger();
        }
    }

    /// Passes replies on, whole ones only, and does to them what is planned.
    async fn replies(&mut self, mut server: ReadHalf<'_>, mut client: WriteHalf<'_>) -> Result<End, End> {
        let (mut inbox, mut outbox) = (BytesMut::new(), BytesMut::new());
        let mut held = None;
        loop {
            while let Some(reply) = take_reply(&mut inbox) {
                let plan = *self.plans.borrow();
                let fault =
                    plan.filter(|(fault, one_in)| !fault.is_of_requests() && self.dice.one_in(*one_in));
                match fault {
                    Some((Fault::Reorder, _)) if held.is_none() => {
                        self.counts.hit(Fault::Reorder);
                        held = Some(reply);
                        continue;
                    }
                    Some((fault, _)) => {
                        client.write_all_buf(&mut outbox).await?;
                        if let Some(end) = self.strike(fault, reply, &mut client, &mut outbox).await? {
                            return Ok(end);
                        }
                    }
                    None => outbox.put(reply),
                }
                if let Some(held) = held.take() {
                    outbox.put(held);
                }
            }
            client.write_all_buf(&mut outbox).await?;
            if server.read_buf(&mut inbox).await? == 0 {
                return Ok(End::Close);
            }
        }
    }

    /// Does something to one reply. What it leaves in the outbox is sent with what follows.
    async fn strike(
        &mut self,
        fault: Fault,
        mut reply: Bytes,
        client: &mut WriteHalf<'_>,
        outbox: &mut BytesMut,
    ) -> Result<Option<End>, End> {
        let half = reply.len() / 2;
        match fault {
            Fault::Delay => sleep(self.milliseconds(DELAY_MAX_MILLISECONDS)).await,
            Fault::Stall => {
                client.write_all(&reply.split_to(half)).await?;
                let patience = self.milliseconds(STALL_MAX_MILLISECONDS);
                let _ = timeout(patience, self.plans.changed()).await;
            }
            Fault::Silence => {
                client.write_all(&reply[..half]).await?;
                self.counts.hit(fault);
                // Until the other side gives the connection up.
                return std::future::pending().await;
            }
            Fault::Lose => reply.clear(),
            Fault::CutReply | Fault::ResetReply => {
                client.write_all(&reply[..half]).await?;
                self.counts.hit(fault);
                return Ok(Some(fault.end()));
            }
            Fault::Truncate => {
                let missing = self.dice.between(1, 3) as usize;
                reply.truncate(reply.len() - missing);
            }
            Fault::Duplicate => outbox.put(reply.clone()),
            Fault::Garbage => {
                let length = self.dice.between(1, 200);
                outbox.extend((0..length).map(|_| self.dice.roll() as u8));
            }
            Fault::Drip => {
                for _ in 0..reply.len().min(DRIPPED_BYTES) {
                    client.write_all(&reply.split_to(1)).await?;
                    tokio::task::yield_now().await;
                }
            }
            Fault::WrongOpaque | Fault::HugeLength => {
                let Some(altered) = self.altered(fault, &reply) else {
                    outbox.put(reply);
                    return Ok(None);
                };
                reply = altered;
            }
            Fault::TooManyConnections => outbox.put(TOO_MANY_CONNECTIONS),
            Fault::Reorder | Fault::CutRequest | Fault::ResetRequest => {
                outbox.put(reply);
                return Ok(None);
            }
        }
        self.counts.hit(fault);
        outbox.put(reply);
        Ok(None)
    }

    /// The reply with another opaque or length, or `None` where it has none.
    fn altered(&mut self, fault: Fault, reply: &Bytes) -> Option<Bytes> {
        let line_end = reply.windows(2).position(|pair| pair == b"\r\n")?;
        let line = &reply[..line_end];
        let (begin, digits) = match fault {
            Fault::WrongOpaque => {
                let begin = line.windows(2).position(|pair| pair == b" O")? + 2;
                let opaque: u64 =
                    str::from_utf8(line[begin..].split(|&byte| byte == b' ').next()?).ok()?.parse().ok()?;
                let other = match self.dice.below(3) {
                    0 => opaque.wrapping_add(1),
                    1 => opaque.wrapping_sub(1),
                    _ => self.dice.roll(),
                };
                (begin, other.to_string())
            }
            _ => (line.starts_with(b"VA ").then_some(3)?, HUGE_LENGTH.to_owned()),
        };
        let length = line[begin..].iter().position(|&byte| byte == b' ').unwrap_or(line.len() - begin);
        Some([&reply[..begin], digits.as_bytes(), &reply[begin + length..]].concat().into())
    }

    fn milliseconds(&mut self, max: u64) -> Duration {
        Duration::from_millis(self.dice.between(1, max))
    }
}

/// Passes requests on, until one is to be cut.
async fn requests(
    mut client: ReadHalf<'_>,
    mut server: WriteHalf<'_>,
    plans: watch::Receiver<Plan>,
    mut dice: Dice,
    counts: Arc<Counts>,
) -> Result<End, End> {
    let mut chunk = vec![0; REQUEST_BYTES];
    loop {
        let count = client.read(&mut chunk).await?;
        if count == 0 {
            return Ok(End::Close);
        }
        let plan = *plans.borrow();
        if let Some((fault, one_in)) = plan
            && fault.is_of_requests()
            && dice.one_in(one_in)
        {
            // Not at the end of a line: that could be the end of a request.
            let at = dice.below(count);
            let at = at - chunk[..at].iter().rev().take_while(|byte| b"\r\n".contains(byte)).count();
            server.write_all(&chunk[..at]).await?;
            counts.hit(fault);
            return Ok(fault.end());
        }
        server.write_all(&chunk[..count]).await?;
    }
}

/// The next whole reply: a line, and the value that it announces.
fn take_reply(inbox: &mut BytesMut) -> Option<Bytes> {
    let line = inbox.iter().position(|&byte| byte == b'\n')? + 1;
    let value = match inbox.strip_prefix(b"VA ") {
        Some(rest) => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
            digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0')) + b"\r\n".len()
        }
        None => 0,
    };
    let length = line + value;
    if inbox.remaining() < length {
        inbox.reserve(length - inbox.remaining());
        return None;
    }
    Some(inbox.split_to(length).freeze())
}
