//! What the commands for operators need: a server, and whose entries they are about.

use std::sync::Arc;

use strongroom_host::backend::{self, Backend, Memcached, MemcachedOptions};
use strongroom_host::{Cache, Config, Partition};

use crate::args::PartitionArgs;
use crate::failure::Failure;

/// The partition that the flags name.
pub(crate) fn partition(
    service: &str,
    stack: Option<&str>,
    session: Option<&str>,
) -> Result<Partition, Failure> {
    let named = || {
        let mut partition = Partition::service(service)?;
        if let Some(stack) = stack {
            partition = partition.stack(stack)?;
        }
        if let Some(session) = session {
            partition = partition.session(session)?;
        }
        Ok(partition)
    };
    named().map_err(|error: strongroom_host::Error| Failure::of_host(&error))
}

/// The same, of the flags as they were read.
pub(crate) fn partition_of(args: &PartitionArgs) -> Result<Partition, Failure> {
    partition(&args.service, args.stack.as_deref(), args.session.as_deref())
}

/// The cache on the configured server. A command that only makes sense there fails without one.
pub(crate) async fn cache(config: Config) -> Result<Cache, Failure> {
    let options = Cache::server_options(&config).map_err(|error| Failure::of_host(&error))?.ok_or_else(|| {
        Failure::invalid(
            "no server is configured, and a cache in this process would be empty: set `host` in strongroom.toml, \
             CACHE_HOST or --host",
        )
    })?;
    if config.is_discovering() {
        let memcached = Memcached::discover(options).await;
        return with_backend(config, memcached);
    }
    over(config, options)
}

/// The cache on these servers, which are not asked anything yet.
pub(crate) fn over(config: Config, options: MemcachedOptions) -> Result<Cache, Failure> {
    let backend = backend::over(options, config.server_protocol());
    with_backend(config, backend)
}

/// What operators ask for is not what guests do: it is not remembered as that.
fn with_backend(config: Config, backend: Arc<dyn Backend>) -> Result<Cache, Failure> {
    let config = config.recent_dir("").recent_keys(0);
    let cache = config.and_then(|config| Cache::with_backend(config, backend));
    cache.map_err(|error| Failure::of_host(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_server_it_says_how_to_name_one() {
        let failure = cache(Config::new()).await.err().expect("there is none");
        assert_eq!(failure.code(), Failure::INVALID);
        assert!(failure.line().contains("CACHE_HOST"));
    }

    #[test]
    fn an_empty_name_is_refused() {
        let failure = partition("fx", Some(""), None).expect_err("it is empty");
        assert_eq!(failure.code(), Failure::INVALID);
        assert!(failure.line().contains("stack"));
    }
}
