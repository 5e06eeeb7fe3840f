//! One host of a fleet, as a process of its own: many callers that fetch one key at the same moment, and what
//! became of them. `it/fleet.rs` starts several.
//!
//! ```text
//! fleet port=11211 protocol=meta callers=250 computes=100 wait=5000 grace=0 ttl=60 lease=10 [encrypted=yes]
//! ```
//!
//! It says `ready`, begins when its input has a line, says `computing` for each caller that computes at once,
//! and at the end how many callers had what.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::time::Duration;

use strongroom_host::backend::Protocol;
use strongroom_host::{Cache, Config, Error, Fetched, Partition, ScopedCache};

/// As the tests' other hosts: a machine that also builds something can be slow.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the callers do: times in milliseconds, lifetimes in seconds.
struct Orders(HashMap<String, String>);

impl Orders {
    fn read() -> Self {
        let orders = std::env::args().skip(1);
        Self(orders.filter_map(|order| order.split_once('=').map(|(a, b)| (a.into(), b.into()))).collect())
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> u32 {
        self.text(name).parse().unwrap_or_else(|_| panic!("{name}=NUMBER"))
    }

    fn milliseconds(&self, name: &str) -> Duration {
        Duration::from_millis(self.number(name).into())
    }

    fn config(&self) -> Result<Config, Error> {
        let protocol = match self.text("protocol") {
            "classic" => Protocol::Classic,
            "meta" => Protocol::Meta,
            other => panic!("protocol={other}"),
        };
        let port = u16::try_from(self.number("port")).expect("a port");
        let lease = Duration::from_secs(self.number("lease").into());
        let config =
            Config::new().host("127.0.0.1")?.port(port)?.timeout(PATIENCE)?.connect_timeout(PATIENCE)?;
        let config = config.fill_lease(lease)?.protocol(protocol);
        match self.text("encrypted") {
            "" => Ok(config),
            _ => config.encryption_key(&format!("base64:{}=", "A".repeat(43))),
        }
    }
}

#[tokio::main]
async fn main() {
    let orders = Orders::read();
    let cache = Cache::connect(orders.config().expect("settings")).await.expect("settings that go together");
    let partition = Partition::service("fleet").and_then(|service| service.stack("acme"));
    let cache = cache.open(&partition.expect("valid"), None).expect("opens");
    // So that nobody's first call is about connecting.
    cache.get("connected?").await.expect("a server");
    say("ready");
    std::io::stdin().read_line(&mut String::new()).expect("an input");

    let (grace, ttl) = (orders.number("grace"), orders.number("ttl"));
    let (wait, computes) = (orders.milliseconds("wait"), orders.milliseconds("computes"));
    let callers = (0..orders.number("callers")).map(|_| {
        let cache = cache.clone();
        tokio::spawn(async move { call(&cache, grace, wait, computes, ttl).await })
    });
    let mut outcomes = BTreeMap::new();
    for caller in callers.collect::<Vec<_>>() {
        *outcomes.entry(caller.await.expect("no panic")).or_insert(0) += 1;
    }
    for (outcome, count) in outcomes {
        say(&format!("{outcome} {count}"));
    }
}

async fn call(cache: &ScopedCache, grace: u32, wait: Duration, computes: Duration, ttl: u32) -> &'static str {
    let (mut fill, stored, lost) = match cache.fetch("key", grace, wait).await {
        Ok(Fetched::Hit(_)) => return "hit",
        Ok(Fetched::Stale(_)) => return "stale",
        Ok(Fetched::Busy) => return "busy",
        Ok(Fetched::Vacant(fill)) => (fill, "computed", "computed_in_vain"),
        Ok(Fetched::Refresh(_, fill)) => (fill, "refreshed", "refreshed_in_vain"),
        Err(_) => return "failed",
    };
    say("computing");
    tokio::time::sleep(computes).await;
    match fill.complete("value".into(), Some(ttl)).await {
        Ok(true) => stored,
        Ok(false) | Err(_) => lost,
    }
}

fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush()).expect("somebody listens");
}
