//! The library's one public error: opaque, with predicates.
//!
//! What it prints is for operators. What a guest learns is decided in one place, `guest_api/error.rs`.

use std::fmt;
use std::time::Duration;

/// Why an operation of this library failed.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use strongroom_host::{Cache, CacheCtx, Scope};
///
/// let cache = Cache::in_memory();
/// let ctx = CacheCtx::builder(&cache).service("fx").stack("acme").build()?;
/// let error = ctx.open(Scope::Session, None).err().expect("there is no session");
/// assert!(error.is_no_such_scope());
/// assert!(!error.is_transient());
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Error {
    kind: ErrorKind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// One kind for each reaction that a caller can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// A setting, or an argument of the embedder's: says which and what is allowed.
    InvalidConfig(String),
    /// The component imports a scope that it has no grant for: says which and how to grant it.
    NotGranted(String),
    InvalidKey,
    InvalidTtl,
    ValueTooLarge {
        limit: usize,
    },
    BatchTooLarge {
        keys: usize,
    },
    NotAnInteger,
    AccessDenied,
    NoSuchScope,
    /// `Duration::MAX`: not in this invocation.
    QuotaExceeded {
        retry_after: Duration,
    },
    /// Misuse, which ends a guest.
    TooManyHandles {
        limit: u32,
    },
    Unavailable,
    TimedOut,
}

impl Error {
    pub(crate) fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    pub(crate) fn invalid_config(message: impl Into<String>) -> Self {
        ErrorKind::InvalidConfig(message.into()).into()
    }

    /// Says what caused the error, for operators.
    pub(crate) fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// An error in doubt, of something that has changed nothing even if it was done.
    pub(crate) fn nothing_changed(self) -> Self {
        match self.kind {
            ErrorKind::TimedOut => Self { kind: ErrorKind::Unavailable, ..self },
            _ => self,
        }
    }

    /// A setting, or an argument of the embedder's, is not allowed. The message says which, and what is.
    pub fn is_invalid_config(&self) -> bool {
        matches!(self.kind, ErrorKind::InvalidConfig(_))
    }

    /// The key or namespace is empty or too long.
    pub fn is_invalid_key(&self) -> bool {
        self.kind == ErrorKind::InvalidKey
    }

    /// The lifetime is zero, or beyond the deployment's cap.
    pub fn is_invalid_ttl(&self) -> bool {
        self.kind == ErrorKind::InvalidTtl
    }

    /// The value is too large; see [`Error::limit_bytes`].
    pub fn is_value_too_large(&self) -> bool {
        matches!(self.kind, ErrorKind::ValueTooLarge { .. })
    }

    /// The largest value that would have been taken, in bytes, where
    /// [`is_value_too_large`](Self::is_value_too_large).
    pub fn limit_bytes(&self) -> Option<usize> {
        match self.kind {
            ErrorKind::ValueTooLarge { limit } => Some(limit),
            _ => None,
        }
    }

    /// The batch asks for too much at once; see [`Error::limit_keys`].
    pub fn is_batch_too_large(&self) -> bool {
        matches!(self.kind, ErrorKind::BatchTooLarge { .. })
    }

    /// How many keys would have been taken, where [`is_batch_too_large`](Self::is_batch_too_large).
    pub fn limit_keys(&self) -> Option<usize> {
        match self.kind {
            ErrorKind::BatchTooLarge { keys } => Some(keys),
            _ => None,
        }
    }

    /// A counter operation met something else.
    pub fn is_not_an_integer(&self) -> bool {
        self.kind == ErrorKind::NotAnInteger
    }

    /// The scope, or the component's import of it, was not granted.
    pub fn is_access_denied(&self) -> bool {
        matches!(self.kind, ErrorKind::AccessDenied | ErrorKind::NotGranted(_))
    }

    /// The invocation has no such scope.
    pub fn is_no_such_scope(&self) -> bool {
        self.kind == ErrorKind::NoSuchScope
    }

    /// The stack has used its quota up, or the invocation its limits; see [`Error::retry_after`]. Nothing was
    /// changed.
    pub fn is_quota_exceeded(&self) -> bool {
        matches!(self.kind, ErrorKind::QuotaExceeded { .. })
    }

    /// After how long to try again, where [`is_quota_exceeded`](Self::is_quota_exceeded). `None` where that
    /// does not help: the invocation has reached a limit of its own.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            ErrorKind::QuotaExceeded { retry_after } => Some(retry_after).filter(|&at| at != Duration::MAX),
            _ => None,
        }
    }

    /// The invocation has as many caches and fills as it may. A guest traps.
    pub fn is_too_many_handles(&self) -> bool {
        matches!(self.kind, ErrorKind::TooManyHandles { .. })
    }

    /// The cache could not be reached, or the stack has too much in its own queue; nothing was changed.
    pub fn is_unavailable(&self) -> bool {
        self.kind == ErrorKind::Unavailable
    }

    /// A write got no answer in time; it may or may not have happened.
    pub fn is_timed_out(&self) -> bool {
        self.kind == ErrorKind::TimedOut
    }

    /// Whether the same call may succeed a little later, unchanged.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::QuotaExceeded { .. } | ErrorKind::Unavailable | ErrorKind::TimedOut)
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ErrorKind::InvalidConfig(message) | ErrorKind::NotGranted(message) => f.write_str(message),
            ErrorKind::InvalidKey => f.write_str("the key or namespace is empty or too long"),
            ErrorKind::InvalidTtl => f.write_str("the lifetime is zero or beyond the cap"),
            ErrorKind::ValueTooLarge { limit } => write!(f, "the value is larger than {limit} bytes"),
            ErrorKind::BatchTooLarge { keys } => {
                write!(f, "the batch asks for too much at once; at most {keys} keys fit")
            }
            ErrorKind::NotAnInteger => f.write_str("the entry is not a counter"),
            ErrorKind::AccessDenied => f.write_str("the scope was not granted"),
            ErrorKind::NoSuchScope => f.write_str("the invocation has no such scope"),
            ErrorKind::QuotaExceeded { retry_after: Duration::MAX } => {
                f.write_str("the invocation has reached its limit")
            }
            ErrorKind::QuotaExceeded { retry_after } => {
                write!(f, "the quota is used up for {} ms", retry_after.as_millis())
            }
            ErrorKind::TooManyHandles { limit } => {
                write!(f, "the invocation has {limit} caches and fills, which is as many as it may")
            }
            ErrorKind::Unavailable => f.write_str("the cache is unavailable"),
            ErrorKind::TimedOut => f.write_str("the cache did not answer in time"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("kind", &self.kind).field("source", &self.source).finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
