//! `strongroom key`: what memcached sees for a guest's key. The one command that prints it.

use crate::args::KeyArgs;
use crate::failure::Failure;
use crate::output::print;
use crate::server;
use crate::settings::Settings;

/// Prints the storage key, in the present generations.
pub(crate) async fn key(args: &KeyArgs) -> Result<(), Failure> {
    let config = Settings::load(&args.settings)?.config;
    let partition = server::partition_of(&args.partition)?;
    let cache = server::cache(config).await?;
    let storage_key =
        async { cache.open(&partition, args.namespace.as_deref())?.storage_key(&args.key).await };
    let storage_key = storage_key.await.map_err(|error| Failure::of_host(&error))?;
    print(&format!("{}\n", storage_key.as_str()))
}
