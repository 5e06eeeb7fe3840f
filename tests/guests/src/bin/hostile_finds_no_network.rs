//! Tries to reach the cache's server, whose port its argument names, by itself.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

fn main() {
    let server = format!("127.0.0.1:{}", std::env::args().nth(1).expect("a port"));
    let refused = TcpStream::connect(&server).expect_err("it has no network");
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "{refused}");
    TcpListener::bind("127.0.0.1:0").expect_err("it has no network");
    UdpSocket::bind("127.0.0.1:0").expect_err("it has no network");
    ("localhost", 80).to_socket_addrs().map(drop).expect_err("it has no names");
    println!("alone");
}
