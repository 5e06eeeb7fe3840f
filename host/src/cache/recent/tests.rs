//! What counts as asked for, and when it is on the disk.

use std::time::Duration;

use super::*;
use crate::cache::Fetched;

fn acme() -> Partition {
    Partition::service("fx").and_then(|service| service.stack("acme")).expect("valid")
}

fn config() -> Config {
    Config::new().recent_keys(10).expect("allowed")
}

fn seen(cache: &Cache) -> Vec<(String, u64, u64)> {
    let keys = cache.recent(&acme());
    keys.iter().map(|key| (key.key().to_owned(), key.reads(), key.writes())).collect()
}

#[tokio::test]
async fn every_operation_that_names_a_key_is_noted() -> Result<(), Error> {
    let cache = Cache::connect(config()).await?;
    let acme = cache.open(&acme(), None)?;
    let is_last = |key: &str, reads: u64, writes: u64| {
        assert_eq!(seen(&cache)[0], (key.to_owned(), reads, writes));
    };
    acme.get("get").await?;
    is_last("get", 1, 0);
    acme.get_versioned("get").await?;
    is_last("get", 2, 0);
    acme.set("set", "v".into(), None).await?;
    is_last("set", 0, 1);
    acme.add("set", "v".into(), None).await?;
    acme.replace("set", "v".into(), None).await?;
    acme.swap("set", "v".into(), 1, None).await?;
    acme.touch("set", Some(60)).await?;
    acme.delete("set").await?;
    is_last("set", 0, 6);
    acme.increment("count", 1, 1, None).await?;
    acme.decrement("count", 1, 1, None).await?;
    is_last("count", 0, 2);
    acme.get_many(&["many", "get", "many"]).await?;
    is_last("many", 2, 0);
    acme.set_many(vec![("batch".to_owned(), "v".into())], None).await?;
    acme.delete_many(&["batch", "batch"]).await?;
    is_last("batch", 0, 2);
    let fetched = acme.fetch("fetch", 0, Duration::ZERO).await?;
    is_last("fetch", 1, 0);
    let Fetched::Vacant(mut fill) = fetched else { panic!("nobody has it") };
    fill.complete("v".into(), None).await?;
    is_last("fetch", 1, 1);
    // What operators ask for is not what guests do, and what can't be a key is none.
    acme.storage_key("storage").await?;
    acme.get("").await.expect_err("an empty key");
    acme.clear().await?;
    is_last("fetch", 1, 1);
    Ok(())
}

#[tokio::test]
async fn nothing_is_remembered_unless_asked_for() -> Result<(), Error> {
    for cache in [Cache::in_memory(), Cache::connect(Config::new()).await?] {
        cache.open(&acme(), None)?.get("k").await?;
        assert!(cache.recent(&acme()).is_empty());
        cache.flush_recent()?;
    }
    assert!(Config::new().recent_keys(1001).is_err());
    let error = Cache::recent_on_disk(&Config::new(), &acme()).expect_err("it is off");
    assert!(error.is_invalid_config() && error.to_string().contains("set recent_keys and recent_dir"));
    let alone = Config::new().recent_dir("/tmp");
    let error = Cache::connect(alone).await.err().expect("nothing is remembered");
    assert!(error.is_invalid_config() && error.to_string().contains("only together with recent_keys"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_file_follows_the_record_by_itself() -> Result<(), Error> {
    let folder = tempfile::tempdir().expect("a directory");
    let config = config().recent_dir(&folder.path().join("recent").to_string_lossy());
    let cache = Cache::connect(config.clone()).await?;
    cache.open(&acme(), None)?.get("k").await?;
    assert!(Cache::recent_on_disk(&config, &acme())?.keys.is_empty(), "it is not written at once");
    let written = async || {
        while Cache::recent_on_disk(&config, &acme()).is_ok_and(|found| found.keys.is_empty()) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), written()).await.expect("it is written");

    cache.open(&acme(), None)?.get("later").await?;
    cache.flush_recent()?;
    assert_eq!(Cache::recent_on_disk(&config, &acme())?.keys.len(), 2);
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    drop(cache);
    tokio::time::sleep(2 * RECENT_WRITE_INTERVAL).await;
    assert_eq!(tasks(), 0, "nobody uses it");
    Ok(())
}
