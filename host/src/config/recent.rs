//! The settings of recent keys: how many are remembered, and where.

use std::path::PathBuf;

use super::Config;
use crate::error::Error;
use crate::limits::RECENT_KEYS_MAX;

/// Recent keys, for operators.
impl Config {
    /// How many keys of each partition and namespace the host remembers as asked for lately, for
    /// [`Cache::recent`](crate::Cache::recent); 0, unless set: none. No guest can read them, and they are
    /// never logged. The whole record takes 16 MiB at most.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for more than 1000.
    pub fn recent_keys(mut self, keys: usize) -> Result<Self, Error> {
        if keys > RECENT_KEYS_MAX {
            return Err(Error::invalid_config("recent_keys: allowed are 0 to 1000"));
        }
        self.recent_keys = keys;
        Ok(self)
    }

    /// A directory in which each host process keeps a file of its recent keys, for other programs of the
    /// operator's: see [`Cache::recent_on_disk`](crate::Cache::recent_on_disk). Empty: none. It is made with
    /// mode 0700 where it is missing, and refused where others than its owner can get at it. Files are sealed
    /// where an [`encryption_key`](Self::encryption_key) is set.
    ///
    /// ```
    /// use strongroom_host::{Cache, Config};
    ///
    /// let config = Config::new().recent_dir("/var/lib/strongroom/recent");
    /// let error = Cache::server_options(&config).expect_err("nothing is remembered");
    /// assert!(error.to_string().contains("recent_keys"));
    /// assert!(Cache::server_options(&config.recent_keys(100)?).is_ok());
    /// # Ok::<(), strongroom_host::Error>(())
    /// ```
    #[must_use]
    pub fn recent_dir(mut self, directory: &str) -> Self {
        self.recent_dir = (!directory.is_empty()).then(|| PathBuf::from(directory));
        self
    }

    /// Whether a directory for recent keys is set.
    pub fn has_recent_dir(&self) -> bool {
        self.recent_dir.is_some()
    }

    /// A directory alone is a mistake: somebody would wait for files that never come.
    pub(crate) fn check_recent(&self) -> Result<(), Error> {
        match (&self.recent_dir, self.recent_keys) {
            (Some(_), 0) => Err(Error::invalid_config(
                "recent_dir: allowed only together with recent_keys, as recent_keys = 100",
            )),
            _ => Ok(()),
        }
    }
}
