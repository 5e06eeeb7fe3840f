//! The names in use, which nothing may say, and what listens whether anything does.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// What all names, keys and values have in common, and so has the prefix of every storage key.
pub(crate) const MARK: &str = "hush-";

pub(crate) const PREFIX: &str = "hush-prefix";
pub(crate) const SERVICE: &str = "hush-service";

pub(crate) fn stack(tenant: usize) -> String {
    format!("hush-stack-{tenant}")
}

pub(crate) fn session(tenant: usize) -> String {
    format!("hush-session-{tenant}")
}

/// Reads everything that the library logs or says, and remembers what it should not have said.
#[derive(Clone, Default)]
pub(crate) struct Listener(Arc<Heard>);

#[derive(Default)]
struct Heard {
    lines: AtomicU64,
    errors: AtomicU64,
    /// Storage keys without their prefix, which say nothing by themselves but are said nowhere either.
    storage_keys: Mutex<Vec<String>>,
    said: Mutex<Option<String>>,
}

impl Listener {
    /// Listens to the library at every level.
    pub(crate) fn install() -> Self {
        let this = Self::default();
        let writer = this.clone();
        let layer = fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let library = Targets::new().with_target("strongroom_host", LevelFilter::TRACE);
        tracing_subscriber::registry().with(layer.with_filter(library)).init();
        this
    }

    pub(crate) fn add_storage_key(&self, key: &str) {
        let item = key.rsplit(':').next().unwrap_or_default().to_owned();
        self.0.storage_keys.lock().unwrap_or_else(PoisonError::into_inner).push(item);
    }

    /// Looks at an error as it is shown to operators, in both forms.
    pub(crate) fn error(&self, error: &(impl std::error::Error + ?Sized)) {
        self.0.errors.fetch_add(1, Relaxed);
        self.look(&format!("{error} {error:?}"));
    }

    fn look(&self, text: &str) {
        if self.is_told(text) {
            let mut said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
            said.get_or_insert_with(|| text.to_owned());
        }
    }

    fn is_told(&self, text: &str) -> bool {
        let keys = self.0.storage_keys.lock().unwrap_or_else(PoisonError::into_inner);
        text.contains(MARK) || keys.iter().any(|key| text.contains(key.as_str()))
    }

    /// The first line or error with a name in it.
    pub(crate) fn said(&self) -> Option<String> {
        self.0.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many lines and errors were looked at.
    pub(crate) fn heard(&self) -> (u64, u64) {
        (self.0.lines.load(Relaxed), self.0.errors.load(Relaxed))
    }

    /// Whether it hears at all: what it is there to find is found.
    pub(crate) fn can_hear(&self) -> bool {
        let lines = self.heard().0;
        tracing::trace!(target: "strongroom_host::soak", "one line");
        let keys = self.0.storage_keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.heard().0 == lines + 1
            && !keys.is_empty()
            && keys.iter().all(|key| self.is_told(&format!("of {key} only")))
            && self.is_told(&stack(7))
            && !self.is_told("nothing")
    }
}

impl Write for Listener {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // The formatter hands over whole lines.
        self.0.lines.fetch_add(1, Relaxed);
        self.look(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
