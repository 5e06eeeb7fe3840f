//! Recent keys: noting what is asked for, answering operators, and keeping the file.

use std::sync::{Arc, Weak};
use std::time::SystemTime;

use tokio::runtime::Handle;

use super::{Cache, ScopedCache, codec};
use crate::codec::Codec;
use crate::config::Config;
use crate::error::Error;
use crate::limits::RECENT_WRITE_INTERVAL;
use crate::recent::{self, Asked, Recent, RecentKey, RecentOnDisk};
use crate::scope::Partition;

/// For operators.
impl Cache {
    /// The keys of exactly this partition, of all its namespaces, that this host was asked for lately, newest
    /// first: those that guests named, whether or not there was an entry. Empty unless
    /// [`Config::recent_keys`] is set.
    ///
    /// It is for the host alone: nothing that a guest reaches leads here.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use strongroom_host::{Cache, Config, Partition};
    ///
    /// let cache = Cache::connect(Config::new().recent_keys(100)?).await?;
    /// let acme = Partition::service("fx")?.stack("acme")?;
    /// cache.open(&acme, Some("rates"))?.get("usd-jpy").await?;
    ///
    /// let recent = cache.recent(&acme);
    /// assert_eq!((recent[0].namespace(), recent[0].key()), (Some("rates"), "usd-jpy"));
    /// assert_eq!((recent[0].reads(), recent[0].writes()), (1, 0));
    /// # Ok::<(), strongroom_host::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recent(&self, partition: &Partition) -> Vec<RecentKey> {
        self.0.recent.as_ref().map_or_else(Vec::new, |recent| recent.of(partition))
    }

    /// Writes this host's recent keys to its file in [`Config::recent_dir`], if it is set and anything was
    /// asked for since the last time.
    ///
    /// That happens every five seconds by itself, on the runtime that the cache was made on. Call it at the
    /// end of the program, or where there is no such runtime. It writes a file, and waits for that.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] where the file can't be written, naming the directory.
    pub fn flush_recent(&self) -> Result<(), Error> {
        self.0.recent.as_ref().map_or(Ok(()), |recent| recent.write()).map_err(unusable)
    }

    /// The recent keys of exactly this partition in the files of all hosts that share the configuration's
    /// [`recent_dir`](Config::recent_dir), newest first. What was asked for in the last five seconds may not
    /// be there yet. A file stays for a day after its host has written to it for the last time.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] where no directory is set, there is none, or others can get at it; and
    /// for settings that don't go together.
    pub fn recent_on_disk(config: &Config, partition: &Partition) -> Result<RecentOnDisk, Error> {
        let codec = codec(config)?;
        let Some(directory) = &config.recent_dir else {
            return Err(Error::invalid_config(
                "recent keys are not kept: set recent_keys and recent_dir (CACHE_RECENT_KEYS, CACHE_RECENT_DIR), as \
                 recent_keys = 100 and recent_dir = \"/var/lib/strongroom/recent\"",
            ));
        };
        RecentOnDisk::read(directory, &codec, partition).map_err(unusable)
    }
}

impl ScopedCache {
    /// Notes what is asked for, where that is remembered.
    pub(super) fn note(&self, key: &str, asked: Asked) {
        self.note_each([key], asked);
    }

    pub(super) fn note_each<'a>(&self, keys: impl IntoIterator<Item = &'a str>, asked: Asked) {
        if let Some(recorder) = &self.0.recorder {
            recorder.note(keys, asked, SystemTime::now());
        }
    }
}

/// The record that the settings ask for. Its file is written from now on, where there is a runtime.
pub(super) fn begin(config: &Config, codec: &Codec) -> Result<Option<Arc<Recent>>, Error> {
    if config.recent_keys == 0 {
        return Ok(None);
    }
    let directory = config.recent_dir.as_deref();
    let recent = Recent::new(config.recent_keys, directory, codec, SystemTime::now()).map_err(unusable)?;
    let recent = Arc::new(recent);
    if recent.has_directory()
        && let Ok(runtime) = Handle::try_current()
    {
        runtime.spawn(keep_written(Arc::downgrade(&recent)));
    }
    Ok(Some(recent))
}

/// Keeps the file as new as the record, for as long as anybody uses that.
async fn keep_written(recent: Weak<Recent>) {
    let mut has_failed = false;
    loop {
        tokio::time::sleep(RECENT_WRITE_INTERVAL).await;
        let Some(recent) = recent.upgrade() else { return };
        // A panic in there would be reported by itself.
        let Ok(written) = tokio::task::spawn_blocking(move || recent.write()).await else { continue };
        match written {
            Ok(()) => has_failed = false,
            // Once for each time that it begins to fail.
            Err(error) => {
                if !std::mem::replace(&mut has_failed, true) {
                    tracing::warn!(%error, "the recent keys can't be written");
                }
            }
        }
    }
}

/// The one place where an error of the directory becomes the library's.
fn unusable(error: recent::Error) -> Error {
    Error::invalid_config(format!("recent_dir: {error}"))
}

#[cfg(test)]
mod tests;
