//! A real memcached on a free loopback port or a Unix socket, ended when it is dropped.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often another port is tried: somebody may take a free one before the server does.
const PORTS_TRIED_MAX: usize = 10;

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(10);

/// A running server. It takes values of 2 MiB, for which the items must be allowed to be a little larger.
pub(crate) struct Memcached {
    process: Child,
    place: Place,
    arguments: Vec<String>,
}

/// Where a server listens.
#[derive(Clone)]
enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Memcached {
    pub(crate) fn start() -> Self {
        Self::start_with(&["-I", "3m"])
    }

    /// A server with other arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        Self::start_on(Ipv4Addr::LOCALHOST.into(), arguments)
    }

    /// A server on another address of this machine.
    pub(crate) fn start_on(address: IpAddr, arguments: &[&str]) -> Self {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        for _ in 0..PORTS_TRIED_MAX {
            let place = Place::Tcp(free_address_of(address));
            if let Some(process) = spawn(&place, &arguments) {
                return Self { process, place, arguments };
            }
        }
        panic!("memcached does not start; `cargo xtask test` says how to install it");
    }

    /// A server on a Unix socket, which must not be there yet.
    pub(crate) fn start_unix(socket: PathBuf, arguments: &[&str]) -> Self {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let place = Place::Unix(socket);
        let process = spawn(&place, &arguments).expect("the socket is free");
        Self { process, place, arguments }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address().port()
    }

    fn address(&self) -> SocketAddr {
        match &self.place {
            Place::Tcp(address) => *address,
            Place::Unix(_) => panic!("a Unix socket has no port"),
        }
    }

    /// Where it listens, as settings say it.
    pub(crate) fn text(&self) -> String {
        match &self.place {
            Place::Tcp(address) => address.to_string(),
            Place::Unix(socket) => format!("unix:{}", socket.display()),
        }
    }

    /// Ends the server at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("the server runs");
        self.process.wait().expect("the server ends");
    }

    /// Starts a server that was killed again, empty, on the same port.
    pub(crate) fn restart(&mut self) {
        self.process = spawn(&self.place, &self.arguments).expect("the port is still free");
    }

    /// Sends the server a signal such as `STOP` or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.process.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        // It takes effect a moment after it is sent.
        std::thread::sleep(Duration::from_millis(100));
    }

    /// Everything that the server holds: key and raw bytes of each item, read as an attacker would.
    pub(crate) fn dump(&self) -> Vec<(String, Vec<u8>)> {
        let read = |key: String| {
            let answer = self.ask(&format!("get {key}\r\n"), b"END\r\n");
            (key, answer)
        };
        self.keys().into_iter().map(read).collect()
    }

    /// The keys of everything that the server holds.
    pub(crate) fn keys(&self) -> Vec<String> {
        let listed = self.ask("lru_crawler metadump all\r\n", b"END\r\n");
        let listed = String::from_utf8(listed).expect("keys are ASCII");
        let keys = listed.lines().filter_map(|line| line.strip_prefix("key=")?.split(' ').next());
        // metadump percent-encodes; of our alphabet, the separators.
        keys.map(|key| key.replace("%3A", ":").replace("%2F", "/")).collect()
    }

    /// The raw bytes and flags of one item.
    pub(crate) fn item(&self, key: &str) -> Option<(u32, Vec<u8>)> {
        let answer = self.ask(&format!("get {key}\r\n"), b"END\r\n");
        let line_end = answer.windows(2).position(|pair| pair == b"\r\n")?;
        let head = str::from_utf8(&answer[..line_end]).ok()?;
        let flags = head.strip_prefix("VALUE ")?.split(' ').nth(1)?.parse().ok()?;
        Some((flags, answer[line_end + 2..answer.len() - b"\r\nEND\r\n".len()].to_vec()))
    }

    /// Puts raw bytes in the place of an item, as an attacker would.
    pub(crate) fn put(&self, key: &str, flags: u32, data: &[u8]) {
        self.put_for(key, flags, data, 0);
    }

    /// The same, for so many seconds; 0: until evicted.
    pub(crate) fn put_for(&self, key: &str, flags: u32, data: &[u8], seconds: u32) {
        let mut request = format!("set {key} {flags} {seconds} {}\r\n", data.len()).into_bytes();
        request.extend_from_slice(data);
        request.extend_from_slice(b"\r\n");
        assert_eq!(self.exchange(&request, b"\r\n"), b"STORED\r\n");
    }

    pub(crate) fn delete(&self, key: &str) {
        self.ask(&format!("delete {key}\r\n"), b"\r\n");
    }

    /// What the server answers to a command, up to this end.
    pub(crate) fn ask(&self, request: &str, end: &[u8]) -> Vec<u8> {
        self.exchange(request.as_bytes(), end)
    }

    fn exchange(&self, request: &[u8], end: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address()).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a time-out is allowed");
        stream.write_all(request).expect("the server reads");
        let mut answer = Vec::new();
        let mut chunk = [0; 64 * 1024];
        while !answer.ends_with(end) {
            let read = stream.read(&mut chunk).expect("the server answers");
            assert!(read > 0, "the server closed the connection");
            answer.extend_from_slice(&chunk[..read]);
        }
        answer
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        // It may be stopped, or killed already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A loopback address with a port that was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    free_address_of(Ipv4Addr::LOCALHOST.into())
}

fn free_address_of(address: IpAddr) -> SocketAddr {
    let listener = TcpListener::bind((address, 0)).expect("this machine has the address, with a free port");
    listener.local_addr().expect("it is bound")
}

/// Starts a server and waits until it listens; `None` where it ends before, as the place was taken.
fn spawn(place: &Place, arguments: &[String]) -> Option<Child> {
    let mut command = Command::new("memcached");
    command.args(["-u", "root", "-U", "0", "-m", "128"]);
    match place {
        Place::Tcp(address) => {
            command.args(["-l", &address.ip().to_string(), "-p", &address.port().to_string()])
        }
        Place::Unix(socket) => command.args(["-a", "0700", "-s"]).arg(socket),
    };
    let mut process = command
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("memcached is installed; `cargo xtask test` does it, or says how");
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        if process.try_wait().expect("a child can be asked").is_some() {
            return None;
        }
        let is_listening = match place {
            Place::Tcp(address) => TcpStream::connect(address).is_ok_and(|stream| is_somebody(&stream)),
            Place::Unix(socket) => UnixStream::connect(socket).is_ok(),
        };
        if is_listening {
            return Some(process);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // It neither listens nor ends: end it, and try elsewhere.
    let _ = process.kill();
    let _ = process.wait();
    None
}

/// Whether a connection has somebody else at its other end. One to a free port may be given that very port
/// as its own, and meet itself.
fn is_somebody(stream: &TcpStream) -> bool {
    stream.local_addr().ok() != stream.peer_addr().ok()
}
