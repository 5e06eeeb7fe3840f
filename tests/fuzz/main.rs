//! The fuzz targets. With the feature `libfuzzer` (`cargo xtask fuzz`) libFuzzer runs one of them; without,
//! this is an ordinary test that replays what the repository holds of each: the corpus, and the inputs that
//! once broke something.

#![cfg_attr(feature = "libfuzzer", no_main)]

mod allocations;
mod guest;
#[cfg(feature = "libfuzzer")]
mod libfuzzer;
#[cfg(not(feature = "libfuzzer"))]
mod replay;
mod settings;

/// The command line is a program, so what reads its settings file is compiled here once more.
#[allow(
    dead_code,
    unused_imports,
    reason = "only a part of it is used here, and its tests run where it belongs"
)]
#[path = "../../host/cli/failure.rs"]
mod failure;
#[path = "../../host/cli/settings/text.rs"]
mod text;

use strongroom_host::fuzzing;

#[cfg(not(feature = "libfuzzer"))]
fn main() -> std::process::ExitCode {
    replay::run()
}

/// What is fuzzed.
struct Target {
    name: &'static str,
    run: fn(&[u8]),
    /// The most that one input may have allocated at any time. Its own bytes are at most 4 KiB.
    bytes_max: usize,
}

const KIB: usize = 1024;

const TARGETS: &[Target] = &[
    Target { name: "protocol", run: fuzzing::protocol, bytes_max: 768 * KIB },
    Target { name: "entry", run: fuzzing::entry, bytes_max: 1024 * KIB },
    Target { name: "key", run: fuzzing::key, bytes_max: 256 * KIB },
    Target { name: "settings", run: settings::run, bytes_max: 512 * KIB },
    Target { name: "guest", run: guest::run, bytes_max: 16 * KIB * KIB },
];

impl Target {
    fn of_name(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Runs it on an input. Panics where the product does not do what it promises.
    fn run(&self, input: &[u8]) {
        let allocated = allocations::peak_of(|| (self.run)(input));
        assert!(
            allocated <= self.bytes_max,
            "{allocated} bytes were allocated at once, and {} are allowed",
            self.bytes_max
        );
    }
}
