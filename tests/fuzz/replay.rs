//! Replays what the repository holds of each target, or the files that the command line names.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::{TARGETS, Target};

/// Arguments: none, or a target and files for it.
pub(crate) fn run() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let target = arguments.next().and_then(|name| Target::of_name(name.to_str()?));
    let files: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    let broken = match target {
        Some(target) => replay(target, &files),
        None => TARGETS.iter().map(|target| replay(target, &committed(target))).sum(),
    };
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The corpus and the regressions of a target.
fn committed(target: &Target) -> Vec<PathBuf> {
    let mut files: Vec<_> = ["corpus", "regressions"]
        .into_iter()
        .map(|kind| Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target.name))
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "the target {} has no corpus", target.name);
    files
}

/// Answers how many files broke something, after it has said which.
fn replay(target: &Target, files: &[PathBuf]) -> usize {
    let broken = files.iter().filter(|file| {
        let input = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let is_broken = catch_unwind(AssertUnwindSafe(|| target.run(&input))).is_err();
        if is_broken {
            eprintln!("fuzz: {} broke on {}", target.name, file.display());
        }
        is_broken
    });
    let broken = broken.count();
    println!("fuzz: {}: {} files, {broken} of them broke something", target.name, files.len());
    broken
}
