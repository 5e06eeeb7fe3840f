//! Several servers: keys are spread, a dead server takes its own keys only, and one that returns, whether
//! from an outage or into the set, serves nothing that went stale while it was away.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use strongroom_host::backend::{
    Backend, Condition, Error, Memcached as Engine, MemcachedOptions, Server, ServerState, StoreOutcome,
};
use strongroom_host::{Cache, Config, Flags, Kind, Lifetime, Partition, ScopedCache, StorageKey, Stored};

use crate::memcached::Memcached;

const TIMEOUT: Duration = Duration::from_millis(300);
const GENERATION_TTL: Duration = Duration::from_millis(400);

/// Far more than anything here takes, so that only what hangs fails a test.
const PATIENCE: Duration = Duration::from_secs(30);

fn named(name: &str, server: &Memcached) -> Server {
    Server::parse(&format!("{name}=127.0.0.1:{}", server.port())).expect("of the right form")
}

fn start(count: usize) -> Vec<Memcached> {
    (0..count).map(|_| Memcached::start()).collect()
}

/// Servers named a, b, c and so on.
fn all(servers: &[Memcached]) -> Vec<Server> {
    ('a'..).zip(servers).map(|(name, server)| named(&name.to_string(), server)).collect()
}

fn engine(servers: Vec<Server>) -> Engine {
    Engine::new(MemcachedOptions {
        servers,
        timeout: TIMEOUT,
        connect_timeout: TIMEOUT,
        ..MemcachedOptions::default()
    })
}

fn config(servers: Vec<Server>) -> Config {
    let config = Config::new().timeout(TIMEOUT).and_then(|config| config.connect_timeout(TIMEOUT));
    let config = config.and_then(|config| config.generation_ttl(GENERATION_TTL));
    config.and_then(|config| config.servers(servers)).expect("valid")
}

async fn connect(servers: Vec<Server>) -> Cache {
    Cache::connect(config(servers)).await.expect("settings that go together")
}

fn stack() -> Partition {
    Partition::service("tests").and_then(|service| service.stack("acme")).expect("valid")
}

fn acme(cache: &Cache) -> ScopedCache {
    cache.open(&stack(), None).expect("opens")
}

fn key(number: usize) -> StorageKey {
    StorageKey::parse(&format!("servers:{number:032}")).expect("of the right form")
}

fn text(data: &str) -> Stored {
    Stored { flags: Flags::entry(Kind::Text, 0), data: data.to_owned().into() }
}

async fn try_set(engine: &Engine, number: usize, data: &str) -> Result<StoreOutcome, Error> {
    engine.store(&key(number), text(data), Lifetime::UntilEvicted, Condition::Always).await
}

/// Patient, as a busy machine can be slower than the time-out.
async fn set(engine: &Engine, number: usize, data: &str) {
    let begun = Instant::now();
    while let Err(error) = try_set(engine, number, data).await {
        assert!(begun.elapsed() < PATIENCE, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Which of the keys are on the server itself.
fn keys_on(server: &Memcached, count: usize) -> Vec<usize> {
    (0..count).filter(|number| server.item(key(*number).as_str()).is_some()).collect()
}

/// Tries until the engine reaches the server that this key lives on.
async fn get(engine: &Engine, number: usize) -> Option<String> {
    let begun = Instant::now();
    loop {
        match engine.get(&key(number)).await {
            Ok(found) => return found.map(|found| String::from_utf8_lossy(&found.entry.data).into_owned()),
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Calls until the breaker of the server that this key lives on is open.
async fn breaks(engine: &Engine, number: usize) {
    let begun = Instant::now();
    while !engine.health().iter().any(|server| server.state == ServerState::Down) {
        assert!(engine.get(&key(number)).await.is_err() && begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_over_three_servers_keep_order_and_duplicates() {
    let servers = start(3);
    let engine = engine(all(&servers));
    let entries: Vec<_> = (0..300).map(|number| (key(number % 250), text(&format!("v{number}")))).collect();
    let stored = engine.store_many(entries, Lifetime::UntilEvicted).await;
    assert!(stored.len() == 300 && stored.iter().all(Result::is_ok));
    let spread: Vec<_> = servers.iter().map(|server| keys_on(server, 300).len()).collect();
    assert!(spread.iter().sum::<usize>() == 250 && spread.iter().all(|count| *count > 40), "{spread:?}");

    let keys: Vec<_> = (0..300).rev().chain([7, 7, 260]).map(key).collect();
    let found = engine.get_many(&keys, 1 << 20).await.expect("reachable");
    for (key, found) in keys.iter().zip(&found) {
        let number: usize = key.as_str()["servers:".len()..].parse().expect("digits");
        let expected = match number {
            0..50 => Some(format!("v{}", number + 250)),
            50..250 => Some(format!("v{number}")),
            _ => None,
        };
        assert_eq!(found.as_ref().map(|found| found.entry.clone()), expected.map(|data| text(&data)));
    }
    let deleted = engine.delete_many(&[key(1), key(260), key(2), key(1), key(3)]).await.expect("reachable");
    assert_eq!(deleted, [true, false, true, false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_over_three_servers_says_how_much_of_it_fits() {
    let servers = start(3);
    let engine = engine(all(&servers));
    let data = "x".repeat(1000);
    for number in 0..30 {
        set(&engine, number, &data).await;
    }
    let keys: Vec<_> = (0..30).map(key).collect();
    assert_eq!(engine.get_many(&keys, 30_000).await.expect("they fit").len(), 30);
    for (bytes_max, expected) in [(29_999, 29), (10_500, 10), (2_000, 2), (999, 0)] {
        let refused = engine.get_many(&keys, bytes_max).await;
        assert!(matches!(refused, Err(Error::BatchTooLarge { fit }) if fit == expected), "{bytes_max} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_server_is_dead_the_keys_of_the_others_go_on_working() {
    let mut servers = start(3);
    let engine = engine(all(&servers));
    for number in 0..90 {
        set(&engine, number, "v").await;
    }
    let dead = keys_on(&servers[1], 90);
    servers[1].kill();
    breaks(&engine, dead[0]).await;
    let begun = Instant::now();
    for number in 0..90 {
        match dead.contains(&number) {
            true => assert!(matches!(engine.get(&key(number)).await, Err(Error::Unavailable { .. }))),
            false => assert_eq!(get(&engine, number).await.as_deref(), Some("v")),
        }
    }
    let keys: Vec<_> = (0..90).map(key).collect();
    let found = engine.get_many(&keys, 1 << 20).await.expect("two of three answer");
    for (number, found) in found.iter().enumerate() {
        assert_eq!(found.is_none(), dead.contains(&number), "what is on the dead one is a miss");
    }
    let entries = keys.iter().map(|key| (*key, text("w"))).collect();
    for (number, stored) in engine.store_many(entries, Lifetime::UntilEvicted).await.iter().enumerate() {
        assert_eq!(stored.is_err(), dead.contains(&number));
    }
    assert!(
        matches!(engine.delete_many(&keys).await, Err(Error::OutcomeUnknown { .. })),
        "some were deleted"
    );
    let only_dead: Vec<_> = dead.iter().map(|number| key(*number)).collect();
    assert!(matches!(engine.delete_many(&only_dead).await, Err(Error::Unavailable { .. })));
    assert!(matches!(engine.get_many(&only_dead, 1 << 20).await, Err(Error::Unavailable { .. })));
    assert!(begun.elapsed() < PATIENCE);

    let health = engine.health();
    let states: Vec<_> = health.iter().map(|server| (server.name.as_str(), server.state)).collect();
    assert_eq!(states, [("a", ServerState::Up), ("b", ServerState::Down), ("c", ServerState::Up)]);
    assert!(health[1].failures >= 3 && health[1].outage.is_some() && health[1].owed_keys == dead.len());
    servers[1].restart();
    assert_eq!(get(&engine, dead[0]).await, None);
    assert_eq!(engine.health()[1].state, ServerState::Up);
    assert_eq!(engine.health()[1].owed_keys, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_costs_nothing_once_its_breaker_is_open() {
    let servers = start(2);
    let engine = engine(all(&servers));
    for number in 0..40 {
        set(&engine, number, "v").await;
    }
    let hanging = keys_on(&servers[0], 40);
    servers[0].signal("STOP");
    breaks(&engine, hanging[0]).await;
    let begun = Instant::now();
    for _ in 0..10 {
        for number in &hanging {
            assert!(engine.get(&key(*number)).await.is_err());
        }
    }
    // Some 200 calls, each of which would wait for the timeout.
    assert!(begun.elapsed() < 5 * TIMEOUT, "{:?}", begun.elapsed());
    servers[0].signal("CONT");
    assert_eq!(get(&engine, hanging[0]).await.as_deref(), Some("v"), "nothing was written meanwhile");
}

/// Overwrites one key and deletes another while the server that holds them hangs.
async fn nothing_old_comes_back(servers: &[Memcached]) {
    let engine = engine(all(servers));
    for number in 0..60 {
        set(&engine, number, "old").await;
    }
    let own = keys_on(&servers[0], 60);
    let [overwritten, deleted, twice, untouched] = own[..4] else { panic!("four keys of sixty") };
    servers[0].signal("STOP");
    assert!(try_set(&engine, overwritten, "new").await.is_err());
    assert!(engine.delete_many(&[key(deleted)]).await.is_err());
    breaks(&engine, untouched).await;
    assert!(try_set(&engine, twice, "new").await.is_err(), "not even sent");
    servers[0].signal("CONT");
    assert_ne!(get(&engine, overwritten).await.as_deref(), Some("old"));
    assert_eq!(get(&engine, deleted).await, None);
    assert_eq!(get(&engine, twice).await, None);
    assert_eq!(get(&engine, untouched).await.as_deref(), Some("old"));
    set(&engine, twice, "again").await;
    assert_eq!(get(&engine, twice).await.as_deref(), Some("again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_overwritten_or_deleted_does_not_come_back_from_a_single_server() {
    nothing_old_comes_back(&start(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_overwritten_or_deleted_does_not_come_back_from_one_of_three() {
    nothing_old_comes_back(&start(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_overflows_hides_everything_that_is_older() {
    let servers = start(1);
    let engine = engine(all(&servers));
    set(&engine, 1, "old").await;
    servers[0].signal("STOP");
    breaks(&engine, 1).await;
    for batch in 0..11 {
        let entries = (0..1000).map(|number| (key(batch * 1000 + number + 100), text("new"))).collect();
        assert!(engine.store_many(entries, Lifetime::UntilEvicted).await.iter().all(Result::is_err));
    }
    servers[0].signal("CONT");
    assert_eq!(get(&engine, 1).await, None);
    set(&engine, 1, "new").await;
    assert_eq!(get(&engine, 1).await.as_deref(), Some("new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_come_home_bring_no_old_value() {
    let servers = start(2);
    let both = all(&servers);
    let engine = engine(both[..1].to_vec());
    for number in 0..60 {
        set(&engine, number, "old").await;
    }
    engine.set_servers(&both);
    let mut moved = Vec::new();
    for number in 0..60 {
        match get(&engine, number).await {
            Some(value) => assert_eq!(value, "old"),
            None => moved.push(number),
        }
    }
    assert!((10..50).contains(&moved.len()), "{} of 60", moved.len());
    for number in &moved {
        set(&engine, *number, "new").await;
    }
    engine.set_servers(&both[..1]);
    for number in 0..60 {
        let expected = (!moved.contains(&number)).then_some("old");
        assert_eq!(get(&engine, number).await.as_deref(), expected, "those that stayed are untouched");
    }
    every_operation_takes_it_for_absent(&engine, &moved).await;
}

/// Each of these would treat a live entry in another way. The old ones are still there, below the floor.
async fn every_operation_takes_it_for_absent(engine: &Engine, hidden: &[usize]) {
    let [added, replaced, counted, touched, filled, deleted, ..] = hidden[..] else { panic!("six keys") };
    let store = |number, condition| async move {
        let stored = engine.store(&key(number), text("n"), Lifetime::UntilEvicted, condition).await;
        stored.expect("reachable")
    };
    assert_eq!(store(replaced, Condition::Present).await, StoreOutcome::Missing);
    assert_eq!(store(replaced, Condition::Version(1)).await, StoreOutcome::Missing);
    assert_eq!(store(added, Condition::Absent).await, StoreOutcome::Stored);
    assert_eq!(
        engine.count(&key(counted), strongroom_host::backend::Step::Up(1)).await.expect("reachable"),
        None
    );
    assert!(!engine.touch(&key(touched), Lifetime::UntilEvicted).await.expect("reachable"));
    assert_eq!(engine.delete_many(&[key(deleted)]).await.expect("reachable"), [false]);
    let lease = match engine.begin_fill(&key(filled), Duration::from_secs(5)).await.expect("reachable") {
        strongroom_host::backend::Begun::Won(lease) => lease,
        other => panic!("{other:?}"),
    };
    assert_eq!(store(filled, Condition::Version(lease)).await, StoreOutcome::Stored);
    assert_eq!(get(engine, filled).await.as_deref(), Some("n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_removed_and_added_again_brings_no_old_value() {
    let mut servers = start(2);
    let both = all(&servers);
    let engine = engine(both.clone());
    for number in 0..60 {
        set(&engine, number, "old").await;
    }
    let moved = keys_on(&servers[1], 60);
    engine.set_servers(&both[..1]);
    for number in &moved {
        assert_eq!(get(&engine, *number).await, None);
        set(&engine, *number, "new").await;
    }
    engine.set_servers(&both);
    for number in &moved {
        assert_eq!(get(&engine, *number).await, None, "neither the old nor, from afar, the new one");
        set(&engine, *number, "newer").await;
        assert_eq!(get(&engine, *number).await.as_deref(), Some("newer"));
    }
    // Its numbers begin anew, below the floor.
    servers[1].kill();
    servers[1].restart();
    assert_eq!(get(&engine, moved[0]).await, None);
    for number in &moved {
        set(&engine, *number, "newest").await;
        assert_eq!(get(&engine, *number).await.as_deref(), Some("newest"), "the floor came down with them");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clear_is_seen_by_every_host_though_one_server_is_dead_and_returns() {
    let mut servers = start(3);
    for dead in 0..3 {
        let (here, there) = (connect(all(&servers)).await, connect(all(&servers)).await);
        let (mine, other) = (acme(&here), acme(&there));
        let keys: Vec<_> = (0..20).map(|number| format!("{dead}-{number}")).collect();
        for key in &keys {
            other.set(key, "old".into(), None).await.expect("set");
            assert_eq!(mine.get(key).await.expect("get"), Some("old".into()));
        }
        servers[dead].signal("STOP");
        here.clear(&stack()).await.expect("two of three took it");
        tokio::time::sleep(GENERATION_TTL).await;
        no_host_sees_an_entry([&mine, &other], &keys).await;
        servers[dead].signal("CONT");
        no_host_sees_an_entry([&mine, &other], &keys).await;

        // One that took it is gone, and the one that did not is back.
        servers[(dead + 1) % 3].kill();
        servers[(dead + 1) % 3].restart();
        let late = acme(&connect(all(&servers)).await);
        no_host_sees_an_entry([&late, &other], &keys).await;
    }
}

/// What can be read is a miss; what can't be reached is read again a little later.
async fn no_host_sees_an_entry(hosts: [&ScopedCache; 2], keys: &[String]) {
    for key in keys {
        for host in hosts {
            if let Ok(found) = host.get(key).await {
                assert_eq!(found, None, "it was cleared");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_server_takes_only_its_share_of_a_tenants_keys() {
    let mut servers = start(3);
    let cache = connect(all(&servers)).await;
    let acme = acme(&cache);
    let keys: Vec<_> = (0..60).map(|number| number.to_string()).collect();
    for key in &keys {
        acme.set(key, "v".into(), None).await.expect("set");
    }
    for (number, server) in servers.iter_mut().enumerate() {
        server.kill();
        let mut working = 0;
        for key in &keys {
            working += usize::from(acme.set(key, "w".into(), None).await.is_ok());
        }
        assert!((20..58).contains(&working), "{working} of 60, with server {number} dead");
        server.restart();
        let begun = Instant::now();
        for key in &keys {
            while acme.set(key, "x".into(), None).await.is_err() {
                assert!(begun.elapsed() < PATIENCE);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(acme.get(key).await.expect("reachable"), Some("x".into()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_changed_at_run_time_and_what_can_not_be_is_refused() {
    let servers = start(2);
    let both = all(&servers);
    let cache = connect(both[..1].to_vec()).await;
    let acme = acme(&cache);
    for number in 0..40 {
        acme.set(&number.to_string(), "v".into(), None).await.expect("set");
    }
    for wrong in [Vec::new(), vec![both[0].clone(), both[0].clone()], vec![both[0].clone(); 257]] {
        assert!(cache.set_servers(wrong).expect_err("refused").is_invalid_config());
    }
    assert_eq!(cache.servers().len(), 1);
    cache.set_servers(both.clone()).expect("two servers");
    assert_eq!(cache.servers().iter().map(|server| server.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    for number in 0..40 {
        acme.set(&number.to_string(), "w".into(), None).await.expect("set");
        assert_eq!(acme.get(&number.to_string()).await.expect("get"), Some("w".into()));
    }
    let memory = Cache::in_memory();
    assert!(memory.set_servers(both).expect_err("there are none").is_invalid_config());
    assert!(memory.servers().is_empty());
}

/// A configuration endpoint: it greets as memcached does, and answers `config get cluster` with what is set.
struct Endpoint {
    port: u16,
    config: Arc<Mutex<String>>,
}

impl Endpoint {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let config = Arc::new(Mutex::new(String::new()));
        let answered = Arc::clone(&config);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let lines = BufReader::new(stream.try_clone().expect("a handle")).lines();
                for line in lines.map_while(Result::ok) {
                    let config = answered.lock().expect("nobody panics").clone();
                    let answer = match line.as_str() {
                        "version" => "VERSION 1.6.18\r\n".to_owned(),
                        "stats settings" => "STAT item_size_max 3145728\r\nEND\r\n".to_owned(),
                        "config get cluster" => {
                            format!("CONFIG cluster 0 {}\r\n{config}\r\nEND\r\n", config.len())
                        }
                        _ => "ERROR\r\n".to_owned(),
                    };
                    if stream.write_all(answer.as_bytes()).is_err() {
                        break;
                    }
                }
            }
        });
        Self { port, config }
    }

    fn set(&self, version: u32, servers: &[&Memcached]) {
        let server = |server: &&Memcached| format!("localhost|127.0.0.1|{}", server.port());
        let servers: Vec<_> = servers.iter().map(server).collect();
        *self.config.lock().expect("nobody panics") = format!("{version}\n{}\n", servers.join(" "));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_says_which_servers_it_has_and_is_asked_again_when_one_is_down() {
    let mut servers = start(2);
    let endpoint = Endpoint::start();
    endpoint.set(7, &[&servers[0]]);
    let configured = Server::parse(&format!("127.0.0.1:{}", endpoint.port)).expect("of the right form");
    let cache = Cache::connect(config(vec![configured]).discovery(true)).await.expect("connects");
    let names = |cache: &Cache| cache.servers().into_iter().map(|server| server.name).collect::<Vec<_>>();
    let expected = |server: &Memcached| vec![format!("localhost:{}", server.port())];
    assert_eq!(names(&cache), expected(&servers[0]));
    let acme = acme(&cache);
    acme.set("k", "v".into(), None).await.expect("set");
    assert!(cache.set_servers(all(&servers)).expect_err("refused").is_invalid_config());

    for (config, is_applied) in [("malformed", false), ("6", false), ("8", true)] {
        match config.parse() {
            Ok(version) => endpoint.set(version, &[&servers[1]]),
            Err(_) => *endpoint.config.lock().expect("nobody panics") = config.to_owned(),
        }
        servers[0].kill();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(if is_applied { 30 } else { 3 })
            && names(&cache) == expected(&servers[0])
        {
            assert!(is_applied || acme.set("k", "w".into(), None).await.is_err());
            let _ = acme.get("k").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(names(&cache), expected(&servers[usize::from(is_applied)]), "{config}");
        servers[0].restart();
        let begun = Instant::now();
        while acme.set("k", "x".into(), None).await.is_err() {
            assert!(begun.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(acme.get("k").await.expect("get"), Some("x".into()));
}

#[tokio::test]
async fn a_server_that_knows_no_clusters_is_the_set_itself() {
    let servers = start(1);
    let cache = Cache::connect(config(all(&servers)).discovery(true)).await.expect("connects");
    assert_eq!(cache.servers().len(), 1);
    acme(&cache).set("k", "v".into(), None).await.expect("set");
}
