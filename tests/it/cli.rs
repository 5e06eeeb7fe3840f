//! The command line, as an operator uses it.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::guests::GUESTS;
use crate::memcached::{Memcached, free_address};

pub(crate) const KEY_1: &str = "base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
pub(crate) const KEY_2: &str = "base64:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

/// The program, which `cargo build` puts two folders above the tests'.
fn program() -> PathBuf {
    let tests = std::env::current_exe().expect("this program has a path");
    let built = tests.ancestors().nth(2).expect("tests lie in target/*/deps").join("strongroom");
    assert!(built.exists(), "`cargo build` first (`cargo xtask test` does): there is no {}", built.display());
    built
}

/// A command in an empty directory, with nothing of the tests' environment that could be a setting.
pub(crate) struct Desk {
    pub(crate) directory: TempDir,
    settings: Vec<(&'static str, String)>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().expect("a directory"), settings: Vec::new() }
    }

    pub(crate) fn at(server: &Memcached) -> Self {
        Self::new().with("CACHE_HOST", "127.0.0.1").with("CACHE_PORT", server.port().to_string())
    }

    pub(crate) fn with(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((variable, value.into()));
        self
    }

    pub(crate) fn file(&self, name: &str, text: &str) {
        let mut file = std::fs::File::create(self.directory.path().join(name)).expect("a new file");
        file.write_all(text.as_bytes()).expect("written");
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).current_dir(self.directory.path()).env_clear();
        // Compiled components are kept between the tests, not between the runs of all tests.
        command.env("XDG_CACHE_HOME", concat!(env!("OUT_DIR"), "/compiled"));
        // Longer than the defaults: with all tests at once the machine can be slow for a second.
        command.envs([("CACHE_TIMEOUT", "10"), ("CACHE_CONNECT_TIMEOUT", "10")]);
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it runs")
    }

    /// Runs the example extension; answers hit or miss of its two caches, as it prints them.
    pub(crate) fn fx(&self, arguments: &[&str]) -> Vec<String> {
        let component = guest("fx");
        let mut all = vec!["run", &component];
        all.extend(arguments);
        all.extend(["--", "250", "USD", "JPY", "--on", "2024-03-15"]);
        let output = text(&self.run(&all));
        let words = output.split_whitespace().filter(|word| ["hit", "miss"].contains(word));
        words.map(str::to_owned).collect()
    }

    /// Runs what must fail; answers its exit code and the one line that it says.
    pub(crate) fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        let code = output.status.code().expect("it exits");
        assert_ne!(code, 0, "{arguments:?} succeeds");
        (code, said.trim_end().to_owned())
    }
}

pub(crate) fn guest(name: &str) -> String {
    format!("{GUESTS}/{name}.wasm")
}

pub(crate) fn text(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) const ACME: &[&str] = &["--stack", "acme", "--session", "anna"];

#[test]
fn a_second_process_hits_and_another_tenant_misses() {
    let server = Memcached::start();
    let desk = Desk::at(&server);
    assert_eq!(desk.fx(ACME), ["miss", "miss"]);
    assert_eq!(desk.fx(ACME), ["hit", "hit"]);
    assert_eq!(desk.fx(&["--stack", "acme", "--session", "ben"]), ["hit", "miss"], "the day is the stack's");
    assert_eq!(desk.fx(&["--stack", "globex", "--session", "anna"]), ["miss", "miss"]);
    assert_eq!(desk.fx(&["--service", "other", "--stack", "acme", "--session", "anna"]), ["miss", "miss"]);
}

#[test]
fn keys_rotate_and_compression_flips_under_what_is_stored() {
    let server = Memcached::start();
    let first = Desk::at(&server).with("CACHE_ENCRYPTION_KEY", KEY_1);
    assert_eq!(first.fx(ACME), ["miss", "miss"]);
    assert_eq!(first.fx(ACME), ["hit", "hit"]);
    for (key, raw) in server.dump() {
        let raw = String::from_utf8_lossy(&raw);
        for readable in ["acme", "anna", "USD", "JPY", "2024", "fx/"] {
            assert!(!raw.contains(readable) && !key.contains(readable), "{readable} is readable");
        }
    }
    let rotated = Desk::at(&server).with("CACHE_ENCRYPTION_KEY", KEY_2).with("CACHE_PREVIOUS_KEYS", KEY_1);
    assert_eq!(rotated.fx(ACME), ["hit", "hit"]);
    let flipped = Desk::at(&server).with("CACHE_ENCRYPTION_KEY", KEY_1).with("CACHE_COMPRESS_DATA", "false");
    assert_eq!(flipped.fx(ACME)[0], "hit");
    let another = Desk::at(&server).with("CACHE_ENCRYPTION_KEY", KEY_2);
    assert_eq!(another.fx(ACME)[0], "miss");
}

#[test]
fn without_a_server_several_tenants_share_one_process() {
    let desk = Desk::new();
    let tenants = ["--stack", "acme", "--stack", "globex", "--session", "anna", "--session", "ben"];
    let first = ["miss", "miss", "hit", "miss", "miss", "miss", "hit", "miss"];
    assert_eq!(desk.fx(&tenants), first);
    let repeated = [&tenants[..], &["--repeat", "2"]].concat();
    assert_eq!(desk.fx(&repeated), [&first[..], &["hit"; 8]].concat());
}

#[test]
fn the_service_scope_has_to_be_allowed() {
    let desk = Desk::new();
    let component = guest("scope_opens_the_service");
    let (code, said) = desk.fails(&["run", &component, "--stack", "acme"]);
    assert_eq!(code, 3);
    assert!(said.contains("strongroom:cache/service") && said.contains("--allow service"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(text(&desk.run(&["run", &component, "--stack", "acme", "--allow", "service"])), "miss\n");

    let inspected = desk.run(&["inspect", &component]);
    assert_eq!(inspected.status.code(), Some(3));
    let shown = String::from_utf8(inspected.stdout).expect("UTF-8");
    assert!(shown.contains("strongroom:cache/service") && shown.contains("--allow service"), "{shown}");
    assert!(
        text(&desk.run(&["inspect", &component, "--allow", "service"])).contains("strongroom:cache/service")
    );
    assert!(text(&desk.run(&["inspect", &guest("fx")])).contains("wasi:cli/run"));
}

#[test]
fn bad_settings_are_one_clear_line_each() {
    let desk = Desk::new();
    let cases = [
        ("hots = \"x\"", "hots"),
        ("port = 0", "port: allowed is a number from 1 to 65535"),
        ("port = \"many\"", "port"),
        ("prefix = \"two words\"", "prefix: allowed are 0 to 64 characters"),
        ("encryption_key = \"base64:AAAA\"", "encryption_key: holds 3 bytes"),
        ("timeout = -1", "timeout"),
        ("ttl_jitter_percent = 51", "ttl_jitter_percent"),
        ("on_unavailable = \"maybe\"", "error, miss"),
        ("servers = [\"a:1\", \"a:1\"]", "servers: allowed are up to 256"),
        ("servers = [\"a b:1\"]", "servers: allowed are [NAME=]HOST"),
        ("port = = 1", "not TOML: line 1"),
    ];
    for (settings, expected) in cases {
        desk.file("bad.toml", settings);
        let (code, said) = desk.fails(&["run", &guest("fx"), "--config", "bad.toml"]);
        assert_eq!(code, 2, "{settings}: {said}");
        assert!(said.starts_with("strongroom: bad.toml: ") && said.contains(expected), "{settings}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!said.contains("AAAA"), "a secret is shown");
    }
    let (code, said) = desk.fails(&["doctor", "--config", "none.toml"]);
    assert!(code == 2 && said.contains("none.toml"), "{said}");
    let (code, said) = Desk::new().with("CACHE_PORT", "70000").fails(&["doctor"]);
    assert!(code == 2 && said.contains("CACHE_PORT: allowed is a number from 1 to 65535"), "{said}");
}

#[test]
fn the_environment_overrides_the_file_and_flags_override_both() {
    let server = Memcached::start();
    let nobody = free_address().port().to_string();
    let desk = Desk::new();
    desk.file("strongroom.toml", &format!("host = \"127.0.0.1\"\nport = {nobody}\n"));
    assert_eq!(desk.run(&["doctor"]).status.code(), Some(1), "the file in the directory is read");
    let desk = desk.with("CACHE_PORT", server.port().to_string());
    assert_eq!(desk.run(&["doctor"]).status.code(), Some(0));
    assert_eq!(desk.run(&["doctor", "--port", &nobody]).status.code(), Some(1));
}

#[test]
fn doctor_says_what_is_wrong_with_a_server() {
    let small = Memcached::start_with(&["-I", "1m"]);
    let examined = Desk::at(&small).run(&["doctor"]);
    assert_eq!(examined.status.code(), Some(1));
    let said = String::from_utf8(examined.stdout).expect("UTF-8");
    assert!(said.contains("-I 3m") && said.contains("1.6"), "{said}");

    let (code, _) = Desk::new()
        .with("CACHE_HOST", "127.0.0.1")
        .with("CACHE_PORT", free_address().port().to_string())
        .fails(&["doctor"]);
    assert_eq!(code, 1);
}

#[test]
fn operators_find_and_clear_what_a_guest_stored() {
    let server = Memcached::start();
    let desk = Desk::at(&server).with("CACHE_GENERATION_TTL", "0").with("CACHE_PREFIX", "bank");
    let stack = ["--service", "fx", "--stack", "acme"];
    assert_eq!(desk.fx(ACME), ["miss", "miss"]);

    let asked = [&["key"], &stack[..], &["fx/day/2024-03-15"]].concat();
    let key = text(&desk.run(&asked)).trim_end().to_owned();
    assert!(key.starts_with("bank:"));
    let (_, stored) = server.item(&key).expect("it is where the command says");
    assert!(!stored.is_empty());

    text(&desk.run(&[&["clear"], &stack[..], &["--session", "anna"]].concat()));
    assert_eq!(desk.fx(ACME), ["hit", "miss"]);
    text(&desk.run(&[&["clear"], &stack[..]].concat()));
    assert_eq!(desk.fx(ACME), ["miss", "miss"]);
    assert_eq!(desk.fails(&["clear", "--service", "fx"]).0, 2, "the whole service must be asked for");
    text(&desk.run(&["clear", "--service", "fx", "--all-stacks"]));
    assert_eq!(desk.fx(ACME), ["miss", "miss"]);
    assert_eq!(Desk::new().fails(&asked).0, 2, "there is no server to look at");
}

#[test]
fn keygen_makes_settings_that_work() {
    let server = Memcached::start();
    let desk = Desk::at(&server);
    desk.file("strongroom.toml", &text(&desk.run(&["keygen"])));
    assert_ne!(text(&desk.run(&["keygen"])), text(&desk.run(&["keygen"])));
    assert_eq!(desk.fx(ACME), ["miss", "miss"]);
    assert_eq!(desk.fx(ACME), ["hit", "hit"]);
}

#[test]
fn a_guest_that_needs_too_much_is_stopped_and_its_reason_said() {
    let desk = Desk::new();
    let component = guest("limits_one_call_hands_over_a_bounded_amount");
    let (code, said) = desk.fails(&["run", &component, "--stack", "acme", "--memory-mib", "8"]);
    assert_eq!(code, 1);
    assert!(said.contains("memory limit of 8 MiB"), "{said}");
    let slow = guest("cache_lifetimes_of_every_length");
    let (code, said) = desk.fails(&["run", &slow, "--stack", "acme", "--deadline", "0.5"]);
    assert_eq!(code, 1);
    assert!(said.contains("deadline of 0.5 s"), "{said}");
}

/// Whether a process has a handler for the signal 1, as Linux says.
#[cfg(unix)]
fn catches_hangups(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs, on Linux");
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("it is there");
    u64::from_str_radix(caught.trim(), 16).expect("a mask") & 1 == 1
}

#[cfg(unix)]
#[test]
fn a_hangup_while_a_component_runs_applies_other_servers() {
    let (first, second) = (Memcached::start(), Memcached::start());
    let (first, second) =
        (format!("\"a=127.0.0.1:{}\"", first.port()), format!("\"b=127.0.0.1:{}\"", second.port()));
    let desk = Desk::new();
    desk.file("strongroom.toml", &format!("servers = [{first}]\n"));
    // The example goes on after a miss, as entries may be on the other server after each reload.
    let fx = guest("fx");
    let asked = [&["run", &fx, "--repeat", "1000000"], ACME, &["--", "250", "USD", "JPY"]].concat();
    let mut run = desk.command(&asked);
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut said = BufReader::new(run.stderr.take().expect("piped")).lines();
    // Before it listens, the signal would end it.
    while !catches_hangups(run.id()) {
        assert!(run.try_wait().expect("a child can be asked").is_none(), "it has ended");
        std::thread::sleep(Duration::from_millis(20));
    }
    for (file, expected) in [
        (format!("servers = [{first}, {second}]\n"), "settings reloaded: added b"),
        (
            "servers = [\"two words\"]\n".to_owned(),
            "nothing was reloaded: strongroom.toml: servers: allowed are",
        ),
        (format!("servers = [{second}]\n"), "settings reloaded: removed a"),
    ] {
        desk.file("strongroom.toml", &file);
        let sent = Command::new("kill").args(["-HUP", &run.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        let line = said.by_ref().map_while(Result::ok).find(|line| line.contains("reloaded"));
        assert!(line.as_ref().is_some_and(|line| line.contains(expected)), "{line:?}, not {expected}");
    }
    run.kill().expect("it runs");
    run.wait().expect("it ends");
}

/// The line of the bench's table for a size and a number of callers, as words.
fn bench_line(table: &str, size: &str, callers: &str) -> Vec<String> {
    let lines = table.lines().filter_map(|line| line.trim_start().strip_prefix(size));
    let mut words = lines.map(|rest| rest.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    words.find(|words| words.first().is_some_and(|word| word == callers)).expect("the line is there")
}

#[test]
fn bench_measures_a_server_and_leaves_nothing_there() {
    let server = Memcached::start();
    let desk = Desk::at(&server);
    let asked = ["bench", "--seconds", "0.2", "--callers", "1,8", "--sizes", "100,20KB"];
    for runtime in ["cores", "multi"] {
        let table = text(&desk.run(&[&asked[..], &["--runtime", runtime]].concat()));
        for (size, callers) in [("100 bytes", "1"), ("100 bytes", "8"), ("20.0 KB", "1"), ("20.0 KB", "8")] {
            let line = bench_line(&table, size, callers);
            let figure = |at: usize| line[at].parse::<f64>().expect("a number");
            assert!(figure(1) > 10.0 && figure(2) > 0.0, "{table}");
            assert_eq!(line[line.len() - 2..], ["0", "0"], "neither misses nor errors: {table}");
        }
        assert!(table.contains("Gets that hit, 100 bytes, 8 callers:") && table.contains("###"), "{table}");
        assert!(table.contains("memcached 1.6") && table.contains("95% gets"), "{table}");
    }
    assert!(server.dump().is_empty(), "its values are left on the server");
}

#[test]
fn bench_says_what_it_can_not_measure() {
    let (code, said) = Desk::new().fails(&["bench"]);
    assert!(code == 2 && said.contains("--server") && said.contains("CACHE_HOST"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    let nobody = format!("127.0.0.1:{}", free_address().port());
    let (code, said) = Desk::new().fails(&["bench", "--server", &nobody]);
    assert!(code == 1 && said.contains(&nobody), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    let small = Memcached::start_with(&["-I", "1m"]);
    let (code, said) = Desk::at(&small).fails(&["bench", "--sizes", "2MiB"]);
    assert!(code == 1 && said.contains("-I"), "{said}");
}

#[test]
fn an_interrupted_bench_shows_what_it_has_measured() {
    let server = Memcached::start();
    let desk = Desk::at(&server);
    let began = Instant::now();
    let mut bench = desk.command(&["bench", "--seconds", "60", "--callers", "4", "--sizes", "100"]);
    let mut bench = bench.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // It says that it measures when it has done so for half a second, which is also the warm-up.
    let mut stderr = BufReader::new(bench.stderr.take().expect("piped"));
    let mut said = String::new();
    stderr.read_line(&mut said).expect("readable");
    assert!(said.starts_with("100 bytes, 4 callers ..."), "{said}");
    std::thread::sleep(Duration::from_secs(1));
    let interrupted = Command::new("kill").args(["-INT", &bench.id().to_string()]).status();
    assert!(interrupted.expect("kill runs").success());
    let table = text(&bench.wait_with_output().expect("it ends"));
    assert!(began.elapsed() < Duration::from_secs(60), "it is not waited for");
    assert!(bench_line(&table, "100 bytes", "4")[1].parse::<f64>().expect("a number") > 10.0, "{table}");
    assert!(server.dump().is_empty(), "its values are left on the server");
}
