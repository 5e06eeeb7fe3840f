//! `strongroom recent`: which keys guests asked for lately, from the files that the hosts keep.

use std::time::{Duration, SystemTime};

use strongroom_host::{Cache, RecentKey};

use crate::args::RecentArgs;
use crate::failure::Failure;
use crate::output::{columns, counted, note, print};
use crate::server;
use crate::settings::Settings;

/// Prints the keys of a partition, newest first.
pub(crate) fn recent(args: &RecentArgs) -> Result<(), Failure> {
    let config = Settings::load(&args.settings)?.config;
    let partition = server::partition_of(&args.partition)?;
    let found = Cache::recent_on_disk(&config, &partition).map_err(|error| Failure::of_host(&error))?;
    if found.skipped > 0 {
        note(&format!(
            "{} skipped: damaged, sealed with other keys (or not sealed, where there is one), or open to others \
             than the owner",
            counted(found.skipped as u64, "file was", "files were"),
        ));
    }
    if found.keys.is_empty() {
        note(&format!(
            "no recent keys here, in what {} left",
            counted(found.files as u64, "process", "processes")
        ));
        return Ok(());
    }
    let limit = args.limit.get();
    print(&table(&found.keys[..limit.min(found.keys.len())], SystemTime::now()))?;
    if let Some(more) = found.keys.len().checked_sub(limit).filter(|more| *more > 0) {
        note(&format!("and {} (--limit)", counted(more as u64, "older key", "older keys")));
    }
    Ok(())
}

fn table(keys: &[RecentKey], now: SystemTime) -> String {
    let rows = keys.iter().map(|key| {
        let age = age(now.duration_since(key.last_asked()).unwrap_or_default());
        row([age, key.reads().to_string(), key.writes().to_string()], key.namespace(), key.key())
    });
    let head = ["asked", "reads", "writes", "namespace", "key"].map(str::to_owned).to_vec();
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

fn row(numbers: [String; 3], namespace: Option<&str>, key: &str) -> Vec<String> {
    let namespace = match namespace {
        None => "-".to_owned(),
        Some("-") => "\"-\"".to_owned(),
        Some(name) => shown(name),
    };
    numbers.into_iter().chain([namespace, shown(key)]).collect()
}

/// A guest's text as it is, where it prints as that; in quotes, with escapes, where it holds anything that
/// would drive a terminal, hide, or look like something else.
fn shown(text: &str) -> String {
    let quoted = format!("{text:?}");
    let is_plain = quoted[1..quoted.len() - 1] == *text && text.trim() == text;
    if is_plain { text.to_owned() } else { quoted }
}

/// How long ago, in the largest unit of which there are two.
fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..120 => format!("{seconds} s ago"),
        seconds @ 120..7200 => format!("{} min ago", seconds / 60),
        seconds => format!("{} h ago", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guests_text_can_not_drive_the_terminal() {
        assert_eq!(shown("fx/day/2024-03-15"), "fx/day/2024-03-15");
        assert_eq!(shown("größe 日本"), "größe 日本");
        assert_eq!(shown("a\u{1b}[2J\r\nb"), "\"a\\u{1b}[2J\\r\\nb\"");
        assert_eq!(shown("\u{9b}31m"), "\"\\u{9b}31m\"");
        for hidden in ["\u{202e}abc", "a\u{200b}", "\u{feff}a", "a\u{2028}b", " a", "a ", "a\"b", "a\\n"] {
            let text = shown(hidden);
            assert!(
                text.starts_with('"') && text.chars().all(|c| c == ' ' || c.is_ascii_graphic()),
                "{text}"
            );
        }
    }

    #[test]
    fn rows_show_no_namespace_as_a_dash() {
        let cells = |namespace| row(["3 s ago", "2", "1"].map(str::to_owned), namespace, "rates")[3].clone();
        assert_eq!([cells(None), cells(Some("-")), cells(Some("n"))], ["-", "\"-\"", "n"]);
    }

    #[test]
    fn ages_have_a_unit() {
        let ages = [3, 119, 120, 7199, 7200, 200_000].map(|seconds| age(Duration::from_secs(seconds)));
        assert_eq!(ages, ["3 s ago", "119 s ago", "2 min ago", "119 min ago", "2 h ago", "55 h ago"]);
    }
}
