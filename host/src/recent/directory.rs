//! The directory in which the processes of a deployment keep their recent keys: one file each.
//!
//! ```text
//! DIRECTORY            mode 0700, made where it is missing
//!   RANDOM.recent      mode 0600: the recent keys of one process, named by 32 hexadecimal digits
//!   RANDOM.recent.new  the same, while it is written; then it takes the other's place
//! ```
//!
//! The names of guests' keys are nobody else's business, so a directory that others than its owner can get at
//! is refused, and a file that they can get at is skipped. A file outlives its process; a host that starts
//! removes those that nobody has written to for a day, and the oldest where there are too many.

use std::fs::{self, DirBuilder, DirEntry, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Page, file};
use crate::codec::{FileSealer, NONCE_BYTES};
use crate::limits::{RECENT_FILE_AGE_MAX, RECENT_FILE_BYTES_MAX, RECENT_FILES_MAX};
use crate::scope::Partition;

/// Random bytes in a file's name.
pub(crate) const NAME_BYTES: usize = 16;

const ENDING: &str = ".recent";
const ENDING_NEW: &str = ".recent.new";

/// Why the directory can't be used, or its file not be written. Says which one, and holds nothing of guests.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}: not a directory")]
    NotADirectory(String),
    #[error("{0}: no such directory; the first host that starts with recent_keys and recent_dir makes it")]
    Missing(String),
    #[error("{path}: others than its owner can get at it (mode {mode:o}): chmod 700 it")]
    Open { path: String, mode: u32 },
    #[error("{path}: {error}")]
    Io { path: String, error: io::Error },
    #[error("the file can't be sealed")]
    Seal,
}

impl Error {
    fn io(path: &Path, error: io::Error) -> Self {
        Self::Io { path: path.display().to_string(), error }
    }
}

/// A process's place in the directory.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    name: String,
    sealer: Option<FileSealer>,
}

impl Directory {
    /// Makes the directory where it is missing, and removes old files there.
    ///
    /// # Errors
    ///
    /// Where it can't be made, or others can get at it.
    pub(super) fn open(
        path: &Path,
        sealer: Option<FileSealer>,
        name: [u8; NAME_BYTES],
        now: SystemTime,
    ) -> Result<Self, Error> {
        match modes::private(&mut DirBuilder::new()).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(Error::io(path, error)),
            _ => check(path)?,
        }
        remove_old(path, now)?;
        let mut digits: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.push_str(ENDING);
        Ok(Self { path: path.to_owned(), name: digits, sealer })
    }

    /// Writes the process's file anew. Whoever reads meanwhile sees the old one, whole.
    ///
    /// # Errors
    ///
    /// Where it can't be written; the old one stays then.
    pub(super) fn write(&self, pages: &[Page], nonce: [u8; NONCE_BYTES]) -> Result<(), Error> {
        let bytes = file::write(pages, &self.name, self.sealer.as_ref(), nonce).map_err(|_| Error::Seal)?;
        let new = self.path.join(format!("{}.new", self.name));
        let written = write_new(&new, &bytes).and_then(|()| fs::rename(&new, self.path.join(&self.name)));
        written.map_err(|error| {
            // What is left of it would be in the way of the next attempt.
            let _ = fs::remove_file(&new);
            Error::io(&self.path, error)
        })
    }
}

/// What was read of a directory.
#[derive(Debug)]
pub(super) struct Found {
    /// What the files hold of the partition.
    pub(super) pages: Vec<Page>,
    /// How many files were read.
    pub(super) read: usize,
    /// How many could not be: not ours, damaged, of other keys, or open to others.
    pub(super) skipped: usize,
}

/// Reads what all processes remember of a partition.
///
/// # Errors
///
/// Where there is no directory, or others can get at it.
pub(super) fn read(path: &Path, sealer: Option<&FileSealer>, partition: &Partition) -> Result<Found, Error> {
    check(path)?;
    let mut found = Found { pages: Vec::new(), read: 0, skipped: 0 };
    for entry in newest(path)?.into_iter().filter(|entry| !entry.is_new).take(RECENT_FILES_MAX) {
        let pages = read_file(&entry.path)
            .and_then(|bytes| file::read(&bytes, &entry.name, sealer, |found| found == partition).ok());
        match pages {
            Some(pages) => {
                found.read += 1;
                found.pages.extend(pages);
            }
            // It has been removed meanwhile.
            None if !entry.path.exists() => {}
            None => found.skipped += 1,
        }
    }
    Ok(found)
}

/// The bytes of a regular file that nobody else can get at, and that is no longer than a host writes.
fn read_file(path: &Path) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    let found = file.metadata().ok()?;
    if !found.is_file() || modes::others(&found).is_some() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(RECENT_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= RECENT_FILE_BYTES_MAX).then_some(bytes)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = modes::private_file(options.write(true).create_new(true)).open(path)?;
    file.write_all(bytes)
}

/// Checks that it is a directory that nobody else can get at.
fn check(path: &Path) -> Result<(), Error> {
    let found = fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::Missing(path.display().to_string()),
        _ => Error::io(path, error),
    })?;
    if !found.is_dir() {
        return Err(Error::NotADirectory(path.display().to_string()));
    }
    match modes::others(&found) {
        Some(mode) => Err(Error::Open { path: path.display().to_string(), mode }),
        None => Ok(()),
    }
}

/// Removes the files that are too old or too many, so that there is room for one more. What can't be removed
/// stays.
fn remove_old(path: &Path, now: SystemTime) -> Result<(), Error> {
    for (index, entry) in newest(path)?.into_iter().enumerate() {
        let age = now.duration_since(entry.modified).unwrap_or_default();
        if age > RECENT_FILE_AGE_MAX || index >= RECENT_FILES_MAX - 1 {
            let _ = fs::remove_file(&entry.path);
        }
    }
    Ok(())
}

/// A file of a process's.
struct Entry {
    path: PathBuf,
    name: String,
    /// Whether it is one that is being written, or was left behind so.
    is_new: bool,
    modified: SystemTime,
}

/// The processes' files, the last written first. What else is in the directory is none of our business.
fn newest(path: &Path) -> Result<Vec<Entry>, Error> {
    let entries = fs::read_dir(path).map_err(|error| Error::io(path, error))?;
    let mut entries: Vec<_> = entries.filter_map(|entry| self::entry(&entry.ok()?)).collect();
    entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.modified));
    Ok(entries)
}

fn entry(entry: &DirEntry) -> Option<Entry> {
    let name = entry.file_name().into_string().ok()?;
    let is_new = name.ends_with(ENDING_NEW);
    let digits = name.strip_suffix(if is_new { ENDING_NEW } else { ENDING })?;
    let is_ours = digits.len() == 2 * NAME_BYTES && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Of the entry itself: a link is not followed.
    let found = entry.metadata().ok().filter(|found| is_ours && found.is_file())?;
    Some(Entry { path: entry.path(), name, is_new, modified: found.modified().ok()? })
}

#[cfg(unix)]
mod modes {
    //! Who can get at a file or directory: its owner.

    use std::fs::{DirBuilder, Metadata, OpenOptions};
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};

    pub(super) fn private(builder: &mut DirBuilder) -> &mut DirBuilder {
        builder.mode(0o700)
    }

    pub(super) fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
        options.mode(0o600)
    }

    /// The mode, where others than the owner have any right.
    pub(super) fn others(found: &Metadata) -> Option<u32> {
        let mode = found.permissions().mode() & 0o7777;
        (mode & 0o077 != 0).then_some(mode)
    }
}

#[cfg(not(unix))]
mod modes {
    //! Without modes: the directory's own rights decide.

    use std::fs::{DirBuilder, Metadata, OpenOptions};

    pub(super) fn private(builder: &mut DirBuilder) -> &mut DirBuilder {
        builder
    }

    pub(super) fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub(super) fn others(_: &Metadata) -> Option<u32> {
        None
    }
}

#[cfg(test)]
mod tests;
