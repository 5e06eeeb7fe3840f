//! The memcached that everything is measured on: on a free loopback port, ended with the program.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cpu_time::CpuTime;

/// Memory for all contestants' keys; items of 2 MiB; as many threads as small servers have.
pub(crate) const ARGUMENTS: [&str; 6] = ["-m", "1024", "-I", "3m", "-t", "2"];

/// How long it may take to listen.
const START: Duration = Duration::from_secs(10);

/// A running server.
pub(crate) struct Server {
    process: Child,
    port: u16,
}

impl Server {
    pub(crate) fn start() -> Result<Self, String> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| format!("no free port: {error}"))?.port();
        let process = Command::new("memcached")
            .args(ARGUMENTS)
            .args(["-u", "root", "-U", "0", "-l", "127.0.0.1", "-p", &port.to_string()])
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("memcached can't be started: {error}"))?;
        // From here on it is ended, whatever happens.
        let mut server = Self { process, port };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let has_ended = server.process.try_wait().is_ok_and(|status| status.is_some());
            if has_ended || begun.elapsed() > START {
                return Err("memcached does not listen".to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn cpu_time(&self) -> Option<CpuTime> {
        CpuTime::of_process(&self.process.id().to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
