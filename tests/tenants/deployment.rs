//! Deployments: each a prefix, secrets and a store, with several hosts at a time that come and go.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use strongroom_host::backend::{Backend, Memory, Protocol, Server};
use strongroom_host::{Cache, Config};

use crate::call::TIMEOUT;
use crate::dice::Dice;
use crate::truth::lock;

/// Hosts of a deployment at any time.
pub(crate) const HOSTS: usize = 3;

/// As short as is allowed: who holds a right to compute for nothing holds up the checks.
const FILL_LEASE: Duration = Duration::from_secs(2);

/// Where a deployment's entries live. The numbers are those of servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Store {
    Memory,
    Meta(&'static [usize]),
    Classic(usize),
}

/// What somebody with access to the storage does there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attack {
    None,
    /// Moves, replays and spoils entries.
    OnEntries,
    /// And whatever else lies there: generation numbers, placeholders, locks.
    OnEverything,
}

/// What a deployment is.
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) store: Store,
    pub(crate) prefix: &'static str,
    secret: Option<&'static str>,
    pub(crate) attack: Attack,
    /// In milliseconds.
    generation_ttl: u64,
}

impl Plan {
    /// Sealed are those that are attacked: without encryption, nobody could tell.
    pub(crate) fn is_sealed(&self) -> bool {
        self.attack != Attack::None
    }

    /// Whether what was cleared must be gone. Whoever can write an old generation number back undoes a clear;
    /// and of several servers one may be gone that knew of it, and another one back that does not.
    pub(crate) fn do_clears_hold(&self) -> bool {
        self.attack != Attack::OnEverything && !matches!(self.store, Store::Meta([_, _, ..]))
    }

    /// Whether a key can only look as if somebody computed it when somebody does. Whoever can put a
    /// placeholder anywhere can make it so.
    pub(crate) fn do_leases_hold(&self) -> bool {
        self.attack != Attack::OnEverything
    }

    pub(crate) fn generation_ttl(&self) -> Duration {
        Duration::from_millis(self.generation_ttl)
    }
}

const SECRET_1: Option<&str> = Some("base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
const SECRET_2: Option<&str> = Some("base64:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=");

const BASE: Plan = Plan {
    name: "",
    store: Store::Memory,
    prefix: "",
    secret: None,
    attack: Attack::None,
    generation_ttl: 200,
};

/// All that run beside each other. Some in one store differ in the prefix only, or in the key secret only.
pub(crate) const PLANS: [Plan; 10] = [
    Plan { name: "memory", ..BASE },
    Plan { name: "memory, other prefix", prefix: "hush-a", generation_ttl: 0, ..BASE },
    Plan { name: "memory, sealed", prefix: "hush-a", secret: SECRET_1, attack: Attack::OnEntries, ..BASE },
    Plan { name: "meta", store: Store::Meta(&[0]), ..BASE },
    Plan { name: "meta, other secret", store: Store::Meta(&[0]), secret: SECRET_1, ..BASE },
    Plan {
        name: "meta, sealed",
        store: Store::Meta(&[0]),
        prefix: "hush-a",
        secret: SECRET_1,
        attack: Attack::OnEntries,
        ..BASE
    },
    Plan {
        name: "meta, sealed, overrun",
        store: Store::Meta(&[0]),
        prefix: "hush-b",
        secret: SECRET_2,
        attack: Attack::OnEverything,
        ..BASE
    },
    Plan { name: "meta, two servers", store: Store::Meta(&[0, 1]), prefix: "hush-c", ..BASE },
    Plan { name: "classic", store: Store::Classic(0), prefix: "hush-d", ..BASE },
    Plan {
        name: "classic, sealed",
        store: Store::Classic(1),
        prefix: "hush-a",
        secret: SECRET_1,
        attack: Attack::OnEntries,
        ..BASE
    },
];

/// The encryption keys of a host, by number: the one that encrypts, and the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ring {
    pub(crate) current: u64,
    pub(crate) previous: Vec<u64>,
}

impl Ring {
    pub(crate) fn opens(&self, number: u64) -> bool {
        self.current == number || self.previous.contains(&number)
    }

    /// The steps from one key to the next, as the README has them.
    pub(crate) fn rotation(from: u64) -> [Self; 3] {
        let to = from + 1;
        [
            Self { current: from, previous: vec![to] },
            Self { current: to, previous: vec![from] },
            Self { current: to, previous: Vec::new() },
        ]
    }
}

/// A host of a deployment.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) cache: Cache,
    pub(crate) ring: Arc<Ring>,
}

pub(crate) struct Deployment {
    pub(crate) plan: &'static Plan,
    hosts: Vec<Mutex<Host>>,
    memory: Arc<Memory>,
    /// Of the proxies in front of its servers.
    ports: Vec<u16>,
}

impl Deployment {
    /// With all its hosts. `ports`: where its servers are reached.
    pub(crate) async fn connect(plan: &'static Plan, memory: Arc<Memory>, ports: Vec<u16>) -> Self {
        let mut this = Self { plan, hosts: Vec::new(), memory, ports };
        // Numbers of keys begin with one: zero is that of no encryption.
        let ring = Ring { current: u64::from(plan.is_sealed()), previous: Vec::new() };
        for _ in 0..HOSTS {
            let host = this.new_host(ring.clone()).await;
            this.hosts.push(Mutex::new(host));
        }
        this
    }

    pub(crate) fn host(&self, number: usize) -> Host {
        lock(&self.hosts[number % HOSTS]).clone()
    }

    /// Connects another host and puts it into the place of one, which is answered. What is under way there
    /// goes on.
    pub(crate) async fn replace_host(&self, number: usize, ring: Ring) -> Host {
        let host = self.new_host(ring).await;
        std::mem::replace(&mut lock(&self.hosts[number % HOSTS]), host)
    }

    async fn new_host(&self, ring: Ring) -> Host {
        let config = self.config(&ring);
        let cache = match self.plan.store {
            Store::Memory => Cache::with_backend(config, Arc::clone(&self.memory) as Arc<dyn Backend>),
            Store::Meta(_) | Store::Classic(_) => Cache::connect(config).await,
        };
        Host { cache: cache.expect("settings that go together"), ring: Arc::new(ring) }
    }

    fn config(&self, ring: &Ring) -> Config {
        let Plan { prefix, secret, store, .. } = self.plan;
        let mut config = Config::new()
            .prefix(prefix)
            .and_then(|config| config.key_secret(secret.unwrap_or_default()))
            .and_then(|config| config.timeout(TIMEOUT))
            .and_then(|config| config.connect_timeout(TIMEOUT))
            .and_then(|config| config.generation_ttl(self.plan.generation_ttl()))
            .and_then(|config| config.fill_lease(FILL_LEASE))
            .expect("valid");
        if self.plan.is_sealed() {
            let previous: Vec<_> = ring.previous.iter().map(|number| encryption_key(*number)).collect();
            config = config
                .encryption_key(&encryption_key(ring.current))
                .and_then(|config| config.previous_keys(previous.iter().map(String::as_str)))
                .expect("32 bytes each");
        }
        let servers = || {
            let names = ["server-a", "server-b"].into_iter().zip(&self.ports);
            let servers = names.map(|(name, port)| Server::parse(&format!("{name}=127.0.0.1:{port}")));
            servers.map(|server| server.expect("an address")).collect()
        };
        match store {
            Store::Memory => config,
            Store::Meta(_) => config.servers(servers()).expect("few, and of different names"),
            Store::Classic(_) => config.servers(servers()).expect("a single one").protocol(Protocol::Classic),
        }
    }
}

/// The same for all deployments: what was moved from one to the other is not to open by its key alone.
fn encryption_key(number: u64) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut dice = Dice::new(number, 0);
    // 42 digits are 31 and a half bytes, and one without its lower bits is the rest.
    let digits: String = (0..42).map(|_| char::from(dice.pick(DIGITS))).collect();
    format!("base64:{digits}A=")
}
