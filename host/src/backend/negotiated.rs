//! A memcached server in whichever protocol it knows: it is asked once, before the first operation.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::{
    Backend, Begun, Classic, Condition, Error, Memcached, MemcachedOptions, Step, StoreOutcome, Versioned,
    classic,
};
use crate::stored::{StorageKey, Stored};
use crate::ttl::Lifetime;

/// The first version with all the meta commands that [`Memcached`] needs.
const META_VERSION_MIN: [u32; 3] = [1, 6, 18];

/// A memcached server, spoken to in the meta protocol where it is memcached 1.6.18 or later and knows the
/// meta commands, and else in the classic one.
///
/// Nothing is guessed: as long as the server can't be reached, operations are unavailable, and the first that
/// reaches it asks. What it answered then holds for as long as this value lives. Of several servers the first
/// is asked, as all must be of one kind.
pub struct Negotiated {
    options: MemcachedOptions,
    chosen: OnceCell<Box<dyn Backend>>,
}

impl Negotiated {
    /// A server that is connected to when it is first needed.
    pub fn new(options: MemcachedOptions) -> Self {
        Self { options, chosen: OnceCell::new() }
    }

    /// The backend in the server's protocol. Asks the server where that is not known yet.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] where the server can't be reached.
    pub async fn backend(&self) -> Result<&dyn Backend, Error> {
        if let Some(chosen) = self.chosen.get() {
            return Ok(&**chosen);
        }
        // Many may wait for one who asks a server that hangs, and then ask themselves.
        let asked = timeout(self.options.timeout, self.chosen.get_or_try_init(|| self.choose())).await;
        let late = || Error::Unavailable { reason: "the server's protocol is not known yet".to_owned() };
        asked.map_err(|_| late())?.map(|chosen| &**chosen)
    }

    async fn choose(&self) -> Result<Box<dyn Backend>, Error> {
        let (version, knows_meta) = classic::probe(&self.options).await?;
        let options = self.options.clone();
        if knows_meta && is_recent(&version) {
            tracing::info!("the cache server is spoken to in the meta protocol");
            Ok(Box::new(Memcached::new(options)))
        } else {
            tracing::info!("the cache server is spoken to in the classic protocol");
            Ok(Box::new(Classic::new(options)))
        }
    }
}

/// Whether this is the version of a memcached that has what the meta protocol needs. A proxy's own is none.
fn is_recent(version: &str) -> bool {
    let digits =
        |part: &str| part.split(|c: char| !c.is_ascii_digit()).next().and_then(|part| part.parse().ok());
    let parts: Option<Vec<u32>> = version.splitn(3, '.').map(digits).collect();
    parts.is_some_and(|parts| parts.len() == 3 && parts[..] >= META_VERSION_MIN[..])
}

#[async_trait]
impl Backend for Negotiated {
    async fn get_many(&self, keys: &[StorageKey], bytes_max: usize) -> Result<Vec<Option<Versioned>>, Error> {
        self.backend().await?.get_many(keys, bytes_max).await
    }

    async fn get(&self, key: &StorageKey) -> Result<Option<Versioned>, Error> {
        self.backend().await?.get(key).await
    }

    async fn store(
        &self,
        key: &StorageKey,
        entry: Stored,
        lifetime: Lifetime,
        condition: Condition,
    ) -> Result<StoreOutcome, Error> {
        self.backend().await?.store(key, entry, lifetime, condition).await
    }

    async fn store_many(
        &self,
        entries: Vec<(StorageKey, Stored)>,
        lifetime: Lifetime,
    ) -> Vec<Result<(), Error>> {
        match self.backend().await {
            Ok(backend) => backend.store_many(entries, lifetime).await,
            Err(error) => {
                let reason = error.to_string();
                entries.iter().map(|_| Err(Error::Unavailable { reason: reason.clone() })).collect()
            }
        }
    }

    async fn delete_many(&self, keys: &[StorageKey]) -> Result<Vec<bool>, Error> {
        self.backend().await?.delete_many(keys).await
    }

    async fn touch(&self, key: &StorageKey, lifetime: Lifetime) -> Result<bool, Error> {
        self.backend().await?.touch(key, lifetime).await
    }

    async fn count(&self, key: &StorageKey, step: Step) -> Result<Option<u64>, Error> {
        self.backend().await?.count(key, step).await
    }

    async fn begin_fill(&self, key: &StorageKey, lease: Duration) -> Result<Begun, Error> {
        self.backend().await?.begin_fill(key, lease).await
    }

    async fn abandon_fill(&self, key: &StorageKey, version: u64) -> Result<(), Error> {
        self.backend().await?.abandon_fill(key, version).await
    }

    fn place(&self, key: &StorageKey) -> usize {
        self.chosen.get().map_or(0, |backend| backend.place(key))
    }

    async fn read_marks(&self, keys: &[StorageKey]) -> Result<Vec<Option<u64>>, Error> {
        self.backend().await?.read_marks(keys).await
    }

    async fn make_mark(&self, key: &StorageKey, number: u64) -> Result<u64, Error> {
        self.backend().await?.make_mark(key, number).await
    }

    async fn advance_mark(&self, key: &StorageKey, number: u64) -> Result<u64, Error> {
        self.backend().await?.advance_mark(key, number).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_recent_memcached_is_spoken_to_in_meta_commands() {
        for version in ["1.6.18", "1.6.45-debian", "1.7.0", "2.0.0_1-g1234567"] {
            assert!(is_recent(version), "{version}");
        }
        for version in ["1.6.17", "1.5.22", "1.4.0", "mcrouter 37.0", "0.5.0", "1.6", "", "1..18", "a.b.c"] {
            assert!(!is_recent(version), "{version}");
        }
    }
}
