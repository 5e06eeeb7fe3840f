//! A deployment's settings: checked as they come in, from code, from text or from the environment.
//!
//! Every setting has one typed setter, which checks it (those of the way to the servers are in
//! `config/transport.rs`, those of quotas and limits in `config/quota.rs`, those of recent keys in
//! `config/recent.rs`); `config/text.rs` gives each its name in files and in the environment.

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod quota;
mod recent;
mod servers;
mod text;
mod transport;

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use self::servers::check_servers;
pub(crate) use self::transport::Transport;
use crate::backend::{Protocol, Server};
use crate::codec::{Purpose, Secret};
use crate::error::Error;
use crate::invocation::InvocationLimits;
use crate::limits;
use crate::quota::Quotas;
use crate::stored::is_prefix;
use crate::ttl::TtlPolicy;

/// memcached's own port.
const PORT: u16 = 11211;

/// Longest time-out that makes sense for a cache: beyond it, the source would have answered.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// How a cache is set up.
///
/// A new one is complete: an in-process cache, without encryption.
///
/// ```
/// use strongroom_host::Config;
///
/// let config = Config::new().prefix("bank-042")?.host("127.0.0.1")?.port(11211)?;
/// assert!(config.prefix("two words").is_err());
/// # Ok::<(), strongroom_host::Error>(())
/// ```
#[derive(Clone)]
pub struct Config {
    pub(crate) prefix: String,
    pub(crate) host: Option<String>,
    pub(crate) port: u16,
    /// The servers, where they were given as a list; there is no host then.
    pub(crate) listed: Vec<Server>,
    pub(crate) discovery: bool,
    pub(crate) protocol: Protocol,
    pub(crate) connections: usize,
    pub(crate) connect_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(crate) transport: Transport,
    pub(crate) compress_data: bool,
    pub(crate) compress_sessions: bool,
    pub(crate) encryption_key: Option<Secret>,
    pub(crate) previous_keys: Vec<Secret>,
    pub(crate) key_secret: Option<Secret>,
    pub(crate) ttl: TtlPolicy,
    pub(crate) value_bytes_max: usize,
    pub(crate) memory_bytes_max: u64,
    pub(crate) generation_ttl: Duration,
    pub(crate) fill_lease: Duration,
    pub(crate) ttl_jitter_percent: u8,
    pub(crate) on_unavailable: OnUnavailable,
    pub(crate) quotas: Quotas,
    pub(crate) invocation_limits: InvocationLimits,
    pub(crate) recent_keys: usize,
    pub(crate) recent_dir: Option<PathBuf>,
}

/// What reads answer while the cache can't be reached. Writes always answer `unavailable`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnUnavailable {
    /// The error `unavailable`.
    Error,
    /// A miss; of a fetch, busy.
    Miss,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither secrets nor the prefix belong into a log.
        f.debug_struct("Config")
            .field("servers", &self.server_list())
            .field("timeout", &self.timeout)
            .field("transport", &self.transport)
            .field("is_encrypted", &self.is_encrypted())
            .field("has_key_secret", &self.has_key_secret())
            .field("ttl", &self.ttl)
            .field("value_bytes_max", &self.value_bytes_max)
            .finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            host: None,
            port: PORT,
            listed: Vec::new(),
            discovery: false,
            protocol: Protocol::default(),
            connections: limits::CONNECTIONS,
            connect_timeout: limits::CONNECT_TIMEOUT,
            timeout: limits::TIMEOUT,
            transport: Transport::default(),
            compress_data: true,
            compress_sessions: false,
            encryption_key: None,
            previous_keys: Vec::new(),
            key_secret: None,
            ttl: TtlPolicy::default(),
            value_bytes_max: limits::VALUE_BYTES_MAX,
            memory_bytes_max: limits::MEMORY_BYTES_MAX,
            generation_ttl: limits::GENERATION_TTL,
            fill_lease: limits::FILL_LEASE,
            ttl_jitter_percent: limits::TTL_JITTER_PERCENT,
            on_unavailable: OnUnavailable::Error,
            quotas: Quotas::default(),
            invocation_limits: InvocationLimits::UNLIMITED,
            recent_keys: 0,
            recent_dir: None,
        }
    }
}

/// The typed setters.
impl Config {
    /// The defaults: an in-process cache, without encryption.
    pub fn new() -> Self {
        Self::default()
    }

    /// What every storage key begins with, visible to operators: 0 to 64 characters of `[A-Za-z0-9._/-]`.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for any other character or length.
    pub fn prefix(mut self, prefix: &str) -> Result<Self, Error> {
        if !is_prefix(prefix) {
            return Err(Error::invalid_config(
                "prefix: allowed are 0 to 64 characters of A-Z a-z 0-9 . _ / -",
            ));
        }
        prefix.clone_into(&mut self.prefix);
        Ok(self)
    }

    /// Time to reach a server and greet it; 1 second unless set.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for zero, or more than 60 seconds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Result<Self, Error> {
        self.connect_timeout = checked_timeout("connect_timeout", timeout)?;
        Ok(self)
    }

    /// Time for one operation, from the call to the answer, connecting included; 1 second unless set.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for zero, or more than 60 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Result<Self, Error> {
        self.timeout = checked_timeout("timeout", timeout)?;
        Ok(self)
    }

    /// Whether values of 1 KiB and more are compressed where that helps; true unless set. What is stored
    /// stays readable either way.
    #[must_use]
    pub fn compress_data(mut self, compress: bool) -> Self {
        self.compress_data = compress;
        self
    }

    /// Whether the values of sessions are compressed even when encryption is on; false unless set, as the
    /// length of a compressed secret tells something about it.
    #[must_use]
    pub fn compress_sessions(mut self, compress: bool) -> Self {
        self.compress_sessions = compress;
        self
    }

    /// The key that entries are encrypted with: `base64:` and 32 bytes, or a passphrase, which is
    /// stretched here and now (about a tenth of a second). Empty: no encryption.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for bad base64, or another length.
    pub fn encryption_key(mut self, key: &str) -> Result<Self, Error> {
        self.encryption_key = secret("encryption_key", key, Purpose::Encryption)?;
        Ok(self)
    }

    /// Keys that entries may still be encrypted with, in the forms of
    /// [`encryption_key`](Self::encryption_key). They only decrypt.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for bad base64, or another length.
    pub fn previous_keys<'a>(mut self, keys: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        self.previous_keys = keys
            .into_iter()
            .filter_map(|key| secret("previous_keys", key, Purpose::Encryption).transpose())
            .collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// The secret that storage keys are derived with, in the forms of
    /// [`encryption_key`](Self::encryption_key). Empty: a public constant, so that whoever reads the storage
    /// could test guesses of names. Changing it loses every entry.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for bad base64, or another length.
    pub fn key_secret(mut self, key: &str) -> Result<Self, Error> {
        self.key_secret = secret("key_secret", key, Purpose::Keys)?;
        Ok(self)
    }

    /// The lifetime, in seconds, of entries for which a guest names none; unless set, they live until evicted
    /// (or for [`max_ttl`](Self::max_ttl)).
    #[must_use]
    pub fn default_ttl(mut self, seconds: NonZeroU32) -> Self {
        self.ttl.default = Some(seconds);
        self
    }

    /// The longest lifetime, in seconds, that a guest may ask for; none unless set.
    #[must_use]
    pub fn max_ttl(mut self, seconds: NonZeroU32) -> Self {
        self.ttl.max = Some(seconds);
        self
    }

    /// The largest value in bytes; 2 MiB unless set. memcached's own limit on items (`-I`) has to be a little
    /// larger.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for less than 1 KiB, or more than 16 MiB.
    pub fn value_bytes_max(mut self, bytes: usize) -> Result<Self, Error> {
        if !(1024..=limits::VALUE_BYTES_CONFIGURABLE_MAX).contains(&bytes) {
            return Err(Error::invalid_config(
                "value_bytes_max: allowed are 1024 (1 KiB) to 16777216 (16 MiB)",
            ));
        }
        self.value_bytes_max = bytes;
        Ok(self)
    }

    /// Bytes that the in-process cache may take; 256 MiB unless set.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for less than 1 MiB.
    pub fn memory_bytes_max(mut self, bytes: u64) -> Result<Self, Error> {
        if bytes < 1024 * 1024 {
            return Err(Error::invalid_config("memory_bytes_max: allowed are 1048576 (1 MiB) and more"));
        }
        self.memory_bytes_max = bytes;
        Ok(self)
    }

    /// How long a `clear` may take to reach every host; 1 second unless set. Each cache in use costs one
    /// small read in that time.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for more than 60 seconds. Zero is allowed: every operation asks.
    pub fn generation_ttl(mut self, ttl: Duration) -> Result<Self, Error> {
        if ttl > TIMEOUT_MAX {
            return Err(Error::invalid_config("generation_ttl: allowed are 0 to 60 seconds"));
        }
        self.generation_ttl = ttl;
        Ok(self)
    }

    /// How long a fill may take; 10 seconds unless set. What takes longer is not stored, and somebody else
    /// may have the fill.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for less than 2 seconds (servers count in whole ones), or more than an
    /// hour.
    pub fn fill_lease(mut self, lease: Duration) -> Result<Self, Error> {
        if !(Duration::from_secs(2)..=Duration::from_secs(3600)).contains(&lease) {
            return Err(Error::invalid_config("fill_lease: allowed are 2 to 3600 seconds"));
        }
        self.fill_lease = lease;
        Ok(self)
    }

    /// By how much, at most, the lifetime of an entry that a fill stores is shortened by chance, in percent;
    /// 5 unless set. So values that were computed together do not expire together.
    ///
    /// Lifetimes are whole seconds, so short ones stay as they are: by 5 percent, those under 10 seconds.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for more than 50.
    pub fn ttl_jitter_percent(mut self, percent: u8) -> Result<Self, Error> {
        if percent > limits::TTL_JITTER_PERCENT_MAX {
            return Err(Error::invalid_config("ttl_jitter_percent: allowed are 0 to 50"));
        }
        self.ttl_jitter_percent = percent;
        Ok(self)
    }

    /// What reads answer while the cache can't be reached; the error unless set.
    #[must_use]
    pub fn on_unavailable(mut self, answer: OnUnavailable) -> Self {
        self.on_unavailable = answer;
        self
    }
}

/// What a program can ask about a configuration.
impl Config {
    /// Whether entries are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.encryption_key.is_some()
    }

    /// Whether storage keys are derived with a secret.
    pub fn has_key_secret(&self) -> bool {
        self.key_secret.is_some()
    }

    /// The largest value, in bytes.
    pub fn max_value_bytes(&self) -> usize {
        self.value_bytes_max
    }
}

fn checked_timeout(name: &str, timeout: Duration) -> Result<Duration, Error> {
    if timeout.is_zero() || timeout > TIMEOUT_MAX {
        return Err(Error::invalid_config(format!("{name}: allowed are more than 0 and at most 60 seconds")));
    }
    Ok(timeout)
}

fn secret(name: &str, text: &str, purpose: Purpose) -> Result<Option<Secret>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let secret = Secret::from_text(text, purpose)
        .map_err(|error| Error::invalid_config(format!("{name}: {error}")))?;
    Ok(Some(secret))
}
