//! Several hosts, each a process, and one memcached: of all their callers one computes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::memcached::Memcached;

const HOSTS: usize = 4;
const CALLERS: usize = 250;

/// One host's process.
struct Host {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
}

/// How many callers had what.
type Outcomes = BTreeMap<String, usize>;

impl Host {
    /// Starts one, and waits until it is ready.
    fn start(server: &Memcached, orders: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_fleet"))
            .arg(format!("port={}", server.port()))
            .arg(format!("callers={CALLERS}"))
            .args(orders.split(' '))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let output = process.stdout.take().expect("it is piped");
        let mut host = Self { process, output: BufReader::new(output).lines() };
        assert_eq!(host.line().as_deref(), Some("ready"));
        host
    }

    fn go(&mut self) {
        self.process.stdin.as_mut().expect("it is piped").write_all(b"\n").expect("it listens");
    }

    fn line(&mut self) -> Option<String> {
        self.output.next().map(|line| line.expect("text"))
    }

    /// Waits until one of its callers computes; `false` where none does.
    fn computes(&mut self) -> bool {
        self.line().as_deref() == Some("computing")
    }

    fn outcomes(mut self) -> Outcomes {
        let lines = std::iter::from_fn(|| self.line()).filter(|line| line != "computing");
        let outcomes = lines
            .map(|line| {
                let (outcome, count) = line.split_once(' ').expect("an outcome and a count");
                (outcome.to_owned(), count.parse().expect("a number"))
            })
            .collect();
        assert!(self.process.wait().expect("it ends").success());
        outcomes
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start(server: &Memcached, orders: &str) -> Vec<Host> {
    (0..HOSTS).map(|_| Host::start(server, orders)).collect()
}

fn sum(hosts: Vec<Host>) -> Outcomes {
    let mut all = Outcomes::new();
    for host in hosts {
        for (outcome, count) in host.outcomes() {
            *all.entry(outcome).or_insert(0) += count;
        }
    }
    all
}

fn outcomes<const N: usize>(expected: [(&str, usize); N]) -> Outcomes {
    expected.into_iter().map(|(outcome, count)| (outcome.to_owned(), count)).collect()
}

fn of_all_callers_one_computes(more_orders: &str) {
    let server = Memcached::start();
    let orders = format!("computes=300 wait=30000 grace=0 ttl=60 lease=10 {more_orders}");
    let mut hosts = start(&server, &orders);
    hosts.iter_mut().for_each(Host::go);
    assert_eq!(sum(hosts), outcomes([("computed", 1), ("hit", HOSTS * CALLERS - 1)]));
}

#[test]
fn of_a_thousand_callers_in_four_processes_one_computes() {
    of_all_callers_one_computes("protocol=meta");
}

#[test]
fn of_a_thousand_callers_one_computes_what_is_sealed() {
    of_all_callers_one_computes("protocol=meta encrypted=yes");
}

#[test]
fn of_a_thousand_callers_one_computes_over_the_classic_protocol() {
    of_all_callers_one_computes("protocol=classic");
}

/// The process that computes is killed: one other caller does, and nobody's wait runs out.
fn a_winner_that_is_killed_is_followed_by_one_other(protocol: &str) {
    let server = Memcached::start();
    let orders = format!("computes=1000 wait=30000 grace=0 ttl=60 lease=3 protocol={protocol}");
    let mut hosts = start(&server, &orders);
    // The others begin when it is known who computes.
    let mut winner = hosts.remove(0);
    winner.go();
    assert!(winner.computes());
    hosts.iter_mut().for_each(Host::go);
    std::thread::sleep(Duration::from_millis(300));
    winner.process.kill().expect("it runs");
    assert_eq!(sum(hosts), outcomes([("computed", 1), ("hit", (HOSTS - 1) * CALLERS - 1)]));
}

#[test]
fn a_winner_that_is_killed_is_followed_by_one_other_within_its_lease() {
    a_winner_that_is_killed_is_followed_by_one_other("meta");
}

#[test]
fn a_winner_that_is_killed_is_followed_by_one_other_over_the_classic_protocol() {
    a_winner_that_is_killed_is_followed_by_one_other("classic");
}

/// Nobody waits for anything here: their wait is zero, and nobody is busy.
fn within_its_grace_one_refreshes_and_nobody_waits(protocol: &str) {
    let server = Memcached::start();
    let orders = format!("computes=500 wait=0 grace=60 ttl=2 lease=10 protocol={protocol}");
    let mut first = Host::start(&server, &orders);
    first.go();
    assert!(first.computes());
    drop(first.outcomes());
    std::thread::sleep(Duration::from_secs(4));
    let mut hosts = start(&server, &orders);
    hosts.iter_mut().for_each(Host::go);
    let mut all = sum(hosts);
    // Whoever comes when it is done has a hit.
    let served = all.remove("stale").unwrap_or(0) + all.remove("hit").unwrap_or(0);
    assert_eq!((served, all), (HOSTS * CALLERS - 1, outcomes([("refreshed", 1)])));
}

#[test]
fn within_its_grace_one_of_a_thousand_refreshes_and_nobody_waits() {
    within_its_grace_one_refreshes_and_nobody_waits("meta");
}

#[test]
fn within_its_grace_one_of_a_thousand_refreshes_over_the_classic_protocol() {
    within_its_grace_one_refreshes_and_nobody_waits("classic");
}
