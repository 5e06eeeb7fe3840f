//! `SIGHUP` while a component runs: the settings are read again, and other servers are applied.
//!
//! Everything else that is set stays as it was at the start. Settings that are wrong change nothing.

use strongroom_host::Cache;

use crate::args::SettingsArgs;
use crate::failure::Failure;
use crate::output::note;
use crate::settings::Settings;

/// Listens from now on. A cache without servers has nothing to reload, and leaves the signal alone.
#[cfg(unix)]
pub(crate) fn on_hangup(args: &SettingsArgs, cache: &Cache) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};

    if cache.servers().is_empty() {
        return Ok(());
    }
    let mut hangup = signal(SignalKind::hangup())
        .map_err(|error| Failure::failed(format!("can't listen for SIGHUP: {error}")))?;
    let (args, cache) = (args.clone(), cache.clone());
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match reload(&args, &cache) {
                Ok(done) => note(&done),
                Err(failure) => {
                    // The code is for a program that ends with it.
                    let _ = failure.about("nothing was reloaded").report();
                }
            }
        }
    });
    Ok(())
}

/// There is no such signal.
#[cfg(not(unix))]
pub(crate) fn on_hangup(_: &SettingsArgs, _: &Cache) -> Result<(), Failure> {
    Ok(())
}

/// Applies the servers of the settings, and says what changed.
fn reload(args: &SettingsArgs, cache: &Cache) -> Result<String, Failure> {
    let config = Settings::load(args)?.config;
    let before = names(cache);
    cache.set_servers(config.server_list()).map_err(|error| Failure::of_host(&error))?;
    Ok(changes(&before, &names(cache)))
}

fn names(cache: &Cache) -> Vec<String> {
    cache.servers().into_iter().map(|server| server.name).collect()
}

fn changes(before: &[String], after: &[String]) -> String {
    let missing = |these: &[String], those: &[String]| {
        let missing: Vec<_> = these.iter().filter(|name| !those.contains(name)).cloned().collect();
        (!missing.is_empty()).then(|| missing.join(", "))
    };
    let added = missing(after, before).map(|names| format!("added {names}"));
    let removed = missing(before, after).map(|names| format!("removed {names}"));
    let changed: Vec<_> = added.into_iter().chain(removed).collect();
    match changed.is_empty() {
        true => "settings reloaded: the same servers by name".to_owned(),
        false => format!("settings reloaded: {}", changed.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_changed() {
        let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(changes(&names("a b"), &names("b c d")), "settings reloaded: added c, d; removed a");
        assert_eq!(changes(&names("a"), &names("a")), "settings reloaded: the same servers by name");
    }
}
