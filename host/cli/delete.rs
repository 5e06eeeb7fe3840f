//! `strongroom delete`: deletes the entries of some of a guest's keys.

use strongroom_host::limits::BATCH_KEYS_MAX;

use crate::args::DeleteArgs;
use crate::failure::Failure;
use crate::output::{counted, print};
use crate::server;
use crate::settings::Settings;

/// Deletes what the keys name, and says for how many there was an entry.
pub(crate) async fn delete(args: &DeleteArgs) -> Result<(), Failure> {
    let config = Settings::load(&args.settings)?.config;
    let partition = server::partition_of(&args.partition)?;
    let cache = server::cache(config).await?;
    let cache =
        cache.open(&partition, args.namespace.as_deref()).map_err(|error| Failure::of_host(&error))?;
    let mut keys = args.keys.clone();
    keys.sort_unstable();
    keys.dedup();
    let mut deleted = 0;
    for keys in keys.chunks(BATCH_KEYS_MAX) {
        deleted += cache.delete_many(keys).await.map_err(|error| match error.is_timed_out() {
            true => Failure::failed("no answer in time, so entries may have been deleted or not: try again"),
            false => Failure::of_host(&error).about(match deleted {
                0 => "nothing was deleted".to_owned(),
                deleted => format!("{} of {} deleted, and no more", deleted, keys.len()),
            }),
        })?;
    }
    print(&said(deleted.into(), keys.len() as u64))
}

fn said(deleted: u64, keys: u64) -> String {
    let missing = match keys - deleted.min(keys) {
        0 => String::new(),
        missing => format!("; there was none under {}", counted(missing, "key", "keys")),
    };
    format!("deleted {}{missing}\n", counted(deleted, "entry", "entries"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_for_how_many_there_was_an_entry() {
        assert_eq!(said(2, 2), "deleted 2 entries\n");
        assert_eq!(said(1, 3), "deleted 1 entry; there was none under 2 keys\n");
        assert_eq!(said(0, 1), "deleted 0 entries; there was none under 1 key\n");
    }
}
