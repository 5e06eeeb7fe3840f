//! `cargo xtask fuzz`: builds `tests/fuzz` with libFuzzer and with coverage counters in the host's code, and
//! runs its targets.
//!
//! Only the host and the targets are instrumented, so that nothing else is built again: this very program
//! stands between cargo and the compiler of the workspace's crates ([`compile`]), and adds what stable
//! compilers have for it. Sanitizers would need a nightly one; the host has no `unsafe` code for them to
//! watch.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};

use crate::test::PACKAGES;
use crate::{Outcome, cargo, root, run as step, target};

const TARGETS: [&str; 5] = ["protocol", "entry", "key", "settings", "guest"];

const SECONDS: &str = "60";

/// How many targets run at once.
const JOBS: usize = 2;

/// The crates that are instrumented.
const INSTRUMENTED: [&str; 2] = ["strongroom_host", "fuzz"];

/// What `cargo fuzz` passes as well.
const INSTRUMENTATION: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

/// Longest input, in bytes. What a target wants to be longer, it expands.
const INPUT_BYTES_MAX: usize = 4096;

pub(crate) fn run(options: &[String]) -> Outcome {
    let mut targets = Vec::new();
    let (mut seconds, mut merge, mut file) = (SECONDS, false, None);
    let mut options = options.iter().map(String::as_str);
    while let Some(option) = options.next() {
        match option {
            "--seconds" => seconds = options.next().ok_or("--seconds: takes a number")?,
            "--file" => file = Some(options.next().ok_or("--file: takes a file")?),
            "--merge" => merge = true,
            name if TARGETS.contains(&name) => targets.push(name),
            other => return Err(format!("{other}: there are the targets {}", TARGETS.join(", "))),
        }
    }
    let seconds = seconds.parse().map_err(|_| format!("--seconds {seconds}: takes a number"))?;
    if let Some(file) = file {
        return replay(&targets, Path::new(file));
    }
    if targets.is_empty() {
        targets.extend(TARGETS);
    }
    let program = build()?;
    if merge {
        return targets.into_iter().try_for_each(|target| self::merge(&program, target));
    }
    fuzz(&program, &targets, seconds)
}

/// All targets for a minute each.
pub(crate) fn smoke() -> Outcome {
    run(&[])
}

/// One input of one target, in an ordinary build.
fn replay(targets: &[&str], file: &Path) -> Outcome {
    let [target] = targets else { return Err("--file: takes one target".to_owned()) };
    let file = fs::canonicalize(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut replay = cargo(&["test"]);
    replay.args(PACKAGES).args(["--test", "fuzz", "--locked", "--", target]);
    step(replay.arg(file))
}

/// Answers the program with all targets.
fn build() -> Result<PathBuf, String> {
    let wrapper = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut build = cargo(&["test"]);
    // With all packages and their tests, as others would choose other features of the dependencies and
    // build them again.
    build.args(PACKAGES).args(["--features", "strongroom-fuzz/libfuzzer", "--test", "fuzz", "--no-run"]);
    build.args(["--locked", "--message-format", "json-render-diagnostics"]);
    build.env("RUSTC_WORKSPACE_WRAPPER", wrapper).stderr(std::process::Stdio::inherit());
    eprintln!("> cargo test --features strongroom-fuzz/libfuzzer --test fuzz --no-run");
    let built = build.output().map_err(|error| error.to_string())?;
    if !built.status.success() {
        return Err(format!("the fuzz targets do not build ({})", built.status));
    }
    let messages = String::from_utf8_lossy(&built.stdout);
    let message = messages.lines().find(|line| line.contains("\"name\":\"fuzz\",\"src_path\""));
    let program = message.and_then(|line| line.split_once("\"executable\":\"")?.1.split('"').next());
    program.map(PathBuf::from).ok_or_else(|| "cargo does not say what it has built".to_owned())
}

/// Whether cargo has called this program in the compiler's place: which is it, and what is it to do?
pub(crate) fn compiler(arguments: &[String]) -> Option<(&str, &[String])> {
    let (program, arguments) = arguments.split_first()?;
    let is_compiler = Path::new(program).file_stem().is_some_and(|name| name == "rustc");
    is_compiler.then_some((program, arguments))
}

/// Compiles a crate of the workspace.
pub(crate) fn compile(rustc: &str, arguments: &[String]) -> ExitCode {
    let name = arguments.iter().skip_while(|argument| *argument != "--crate-name").nth(1);
    let mut compile = Command::new(rustc);
    compile.args(arguments);
    if name.is_some_and(|name| INSTRUMENTED.contains(&name.as_str())) {
        compile.args(INSTRUMENTATION);
    }
    match compile.status() {
        Ok(status) => status.code().map_or(ExitCode::FAILURE, |code| ExitCode::from(code as u8)),
        Err(error) => {
            eprintln!("xtask: {rustc} could not be started: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where a target's runs keep what is theirs.
fn folder(name: &str, inner: &str) -> PathBuf {
    target().join("fuzz").join(name).join(inner)
}

/// The committed corpus.
fn corpus(name: &str) -> PathBuf {
    root().join("tests/fuzz/corpus").join(name)
}

/// libFuzzer with a target.
fn fuzzer(program: &Path, name: &str) -> Command {
    let mut fuzzer = Command::new(program);
    fuzzer.env("STRONGROOM_FUZZ_TARGET", name).arg(format!("-max_len={INPUT_BYTES_MAX}"));
    // A backtrace takes so long to be made out that it would pass for an endless loop; so does a machine that
    // is busy with something else.
    fuzzer.env("RUST_BACKTRACE", "0");
    fuzzer.args(["-timeout=120", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    fuzzer
}

struct Run<'a> {
    name: &'a str,
    log: PathBuf,
    child: Child,
}

fn fuzz(program: &Path, targets: &[&str], seconds: u64) -> Outcome {
    let mut outcome = Ok(());
    for targets in targets.chunks(JOBS) {
        // All are started before one is waited for.
        let runs: Vec<_> = targets.iter().map(|name| start(program, name, seconds)).collect();
        for run in runs {
            outcome = run.and_then(finish).and(outcome);
        }
    }
    outcome
}

fn start<'a>(program: &Path, name: &'a str, seconds: u64) -> Result<Run<'a>, String> {
    let crashes = folder(name, "crashes");
    let found = folder(name, "corpus");
    for folder in [&crashes, &found] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let log = folder(name, "log");
    let file = fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let mut fuzzer = fuzzer(program, name);
    fuzzer.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={}/", crashes.display()));
    let words = root().join("tests/fuzz/words").join(name);
    if words.exists() {
        fuzzer.arg(format!("-dict={}", words.display()));
    }
    // What is found goes to the first one.
    fuzzer.arg(found).arg(corpus(name)).stderr(file).stdout(std::process::Stdio::null());
    let child = fuzzer.spawn().map_err(|error| format!("{name} could not be started: {error}"))?;
    eprintln!("> {name} for {seconds} seconds, logged to {}", log.display());
    Ok(Run { name, log, child })
}

/// Says what a run did.
fn finish(mut run: Run<'_>) -> Outcome {
    let status = run.child.wait().map_err(|error| error.to_string())?;
    let log = fs::read(&run.log).map_err(|error| format!("{}: {error}", run.log.display()))?;
    let log = String::from_utf8_lossy(&log);
    let last = |what: &str| log.lines().rfind(|line| line.contains(what)).unwrap_or_default().trim();
    println!("fuzz: {}: {}", run.name, last(" cov: "));
    if status.success() {
        return Ok(());
    }
    let why = log.lines().find(|line| line.contains("panicked at") || line.contains("ERROR: "));
    let file = last("Test unit written to ").split_once("written to ").map_or("FILE", |(_, file)| file);
    Err(format!(
        "{} broke: {}\n  see {}, and run it again by: cargo xtask fuzz {} --file {file}",
        run.name,
        why.unwrap_or("it says nothing"),
        run.log.display(),
        run.name
    ))
}

/// Replaces a target's committed corpus by the smallest inputs that cover what it and the runs cover.
fn merge(program: &Path, name: &str) -> Outcome {
    let (merged, committed) = (folder(name, "merged"), corpus(name));
    let failed = |error: std::io::Error| format!("{name}: {error}");
    if merged.exists() {
        fs::remove_dir_all(&merged).map_err(failed)?;
    }
    fs::create_dir_all(&merged).map_err(failed)?;
    let mut fuzzer = fuzzer(program, name);
    step(fuzzer.arg("-merge=1").arg(&merged).arg(&committed).arg(folder(name, "corpus")))?;
    fs::remove_dir_all(&committed).map_err(failed)?;
    fs::create_dir_all(&committed).map_err(failed)?;
    for file in fs::read_dir(&merged).map_err(failed)? {
        let file = file.map_err(failed)?;
        fs::copy(file.path(), committed.join(file.file_name())).map_err(failed)?;
    }
    Ok(())
}
