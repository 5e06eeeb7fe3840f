//! Recent keys, for operators: what guests asked for lately, so that it can be looked up and deleted.
//!
//! Off unless configured. What is remembered stays on the host: its own API has it, and the files in a
//! directory of the deployment's (if there is one), which are as secret as the settings. No guest can read
//! it, and no log line or `Debug` text shows any of it.
//!
//! The record of a process lies in `record`, the form of its file in `file`, and the directory of all
//! processes' files in `directory`.

mod record;
mod file;
mod directory;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) use directory::Error;
#[cfg(feature = "fuzzing")]
pub(crate) use file::fuzz as fuzz_file;
pub(crate) use record::Recorder;

use crate::codec::{Codec, FileSealer};
use crate::key::own_frame;
use crate::random;
use crate::scope::{Namespace, Partition};
use directory::{Directory, NAME_BYTES};
use record::Record;

/// What the key of the files is derived with.
const LABEL: &str = "strongroom/v1/recent";

/// A key that was asked for lately: what [`Cache::recent`](crate::Cache::recent) answers.
///
/// It holds names of a guest's: `Debug` does not print them, and they belong into no log.
#[derive(Clone, PartialEq, Eq)]
pub struct RecentKey {
    namespace: Option<Namespace>,
    key: Arc<str>,
    seen: Seen,
}

impl RecentKey {
    /// The namespace that the key was asked for in, if any.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_ref().map(Namespace::as_str)
    }

    /// The guest's key: any characters, those that drive a terminal included.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// When it was last asked for, by the clock of the host that was asked.
    pub fn last_asked(&self) -> SystemTime {
        let since = Duration::from_micros(self.seen.last_asked);
        UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
    }

    /// How often it was looked up, fetches included, since it is remembered.
    pub fn reads(&self) -> u64 {
        self.seen.reads
    }

    /// How often its entry was to be changed since it is remembered: stored, filled, counted, touched,
    /// deleted.
    pub fn writes(&self) -> u64 {
        self.seen.writes
    }
}

impl fmt::Debug for RecentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecentKey")
            .field("namespace", &"[redacted]")
            .field("key", &"[redacted]")
            .field("last_asked", &self.last_asked())
            .field("reads", &self.reads())
            .field("writes", &self.writes())
            .finish()
    }
}

/// What a key was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    Read,
    Write,
}

/// When and how often a key was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Seen {
    /// In microseconds since 1970.
    last_asked: u64,
    reads: u64,
    writes: u64,
}

impl Seen {
    fn count(&mut self, asked: Asked, now: SystemTime) {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        self.last_asked = u64::try_from(since).unwrap_or(u64::MAX);
        let counter = match asked {
            Asked::Read => &mut self.reads,
            Asked::Write => &mut self.writes,
        };
        *counter = counter.saturating_add(1);
    }

    /// Takes in what another process saw of the same key.
    fn join(&mut self, other: Self) {
        self.last_asked = self.last_asked.max(other.last_asked);
        self.reads = self.reads.saturating_add(other.reads);
        self.writes = self.writes.saturating_add(other.writes);
    }
}

/// What is remembered of one partition and namespace, newest first.
#[derive(Clone, PartialEq, Eq)]
struct Page {
    partition: Partition,
    namespace: Option<Namespace>,
    keys: Vec<(Arc<str>, Seen)>,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page([redacted], {} keys)", self.keys.len())
    }
}

/// A process's recent keys, and the file that it keeps of them, if it does.
pub(crate) struct Recent {
    record: Record,
    /// Locked while the file is written.
    directory: Option<Mutex<Directory>>,
}

impl Recent {
    /// A record of `keys_max` keys for each partition and namespace, and a file of it in the directory, if
    /// one is given. Old files of others are removed from there.
    ///
    /// # Errors
    ///
    /// Why the directory can't be used.
    pub(crate) fn new(
        keys_max: usize,
        directory: Option<&Path>,
        codec: &Codec,
        now: SystemTime,
    ) -> Result<Self, Error> {
        let directory = directory
            .map(|path| Directory::open(path, sealer(codec), random::bytes::<NAME_BYTES>(), now))
            .transpose()?;
        Ok(Self { record: Record::new(keys_max), directory: directory.map(Mutex::new) })
    }

    /// Whether a file is kept.
    pub(crate) fn has_directory(&self) -> bool {
        self.directory.is_some()
    }

    /// What is remembered of a partition, newest first.
    pub(crate) fn of(&self, partition: &Partition) -> Vec<RecentKey> {
        self.record.of(partition)
    }

    /// Writes the file anew, where anything was asked for since it was written, and there is one.
    ///
    /// # Errors
    ///
    /// Why it could not be written. It is tried again the next time.
    pub(crate) fn write(&self) -> Result<(), Error> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let directory = directory.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pages) = self.record.take_changed() else { return Ok(()) };
        directory.write(&pages, random::nonce()).inspect_err(|_| self.record.put_back())
    }
}

/// What the processes that share a directory remember of a partition: what
/// [`Cache::recent_on_disk`](crate::Cache::recent_on_disk) answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecentOnDisk {
    /// The keys, newest first. What several processes were asked for is counted together.
    pub keys: Vec<RecentKey>,
    /// How many files were read.
    pub files: usize,
    /// How many files were skipped: damaged, sealed with a key that is not in the keyring (or not at all
    /// where there is one), or such that others than their owner can get at them.
    pub skipped: usize,
}

impl RecentOnDisk {
    /// Reads the directory.
    ///
    /// # Errors
    ///
    /// Where there is none, or others can get at it.
    pub(crate) fn read(path: &Path, codec: &Codec, partition: &Partition) -> Result<Self, Error> {
        let found = directory::read(path, sealer(codec).as_ref(), &partition.node())?;
        let mut joined: HashMap<(Option<Namespace>, Arc<str>), Seen> = HashMap::new();
        for page in found.pages {
            for (key, seen) in page.keys {
                joined.entry((page.namespace.clone(), key)).or_default().join(seen);
            }
        }
        let keys = joined.into_iter().map(|((namespace, key), seen)| RecentKey { namespace, key, seen });
        let mut keys: Vec<_> = keys.collect();
        // By name where they are of one moment, so that two readings agree.
        keys.sort_unstable_by(|a, b| {
            let newest_first = b.seen.last_asked.cmp(&a.seen.last_asked);
            newest_first.then_with(|| (a.namespace(), a.key()).cmp(&(b.namespace(), b.key())))
        });
        Ok(Self { keys, files: found.read, skipped: found.skipped })
    }
}

/// What seals the files, where the deployment encrypts.
fn sealer(codec: &Codec) -> Option<FileSealer> {
    codec.file_sealer(&own_frame(LABEL))
}

#[cfg(test)]
mod tests;
