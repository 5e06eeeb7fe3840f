//! `strongroom doctor`: whether the settings and the server fit, with advice for what does not.

mod file;
mod transport;

use std::time::{Duration, Instant};

use strongroom_host::backend::{Memcached, MemcachedOptions, ServerReport};
use strongroom_host::{Cache, Config, Partition, Value};

use crate::args::SettingsArgs;
use crate::failure::{Failure, one_line};
use crate::output::{columns, counted, print};
use crate::server;
use crate::settings::Settings;

/// How often the server is asked, to tell its usual time from its luck.
const ROUNDS: usize = 15;

/// A round trip above this costs an extension more than most of what it would cache.
const SLOW: Duration = Duration::from_millis(5);

/// The service that the entry for a trial is stored under. It lives for seconds.
const TRIAL_SERVICE: &str = "strongroom doctor";

const MIB: usize = 1024 * 1024;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    Fine,
    Warning,
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone)]
struct Finding {
    mark: Mark,
    subject: &'static str,
    text: String,
    advice: Option<String>,
}

impl Finding {
    fn fine(subject: &'static str, text: impl Into<String>) -> Self {
        Self { mark: Mark::Fine, subject, text: text.into(), advice: None }
    }

    fn warning(subject: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { mark: Mark::Warning, subject, text: text.into(), advice: Some(advice.into()) }
    }

    fn wrong(subject: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { mark: Mark::Wrong, subject, text: text.into(), advice: Some(advice.into()) }
    }
}

/// Prints what it finds, and fails where something is wrong. Warnings don't fail.
pub(crate) async fn doctor(args: &SettingsArgs) -> Result<(), Failure> {
    let settings = Settings::load(args)?;
    let from = match &settings.file {
        Some(file) => format!("{}, the environment and flags", file.display()),
        None => "the environment and flags; there is no settings file".to_owned(),
    };
    let mut findings = vec![Finding::fine("settings", one_line(&format!("read from {from}")))];
    let config = &settings.config;
    findings.extend(settings.file.as_ref().and_then(|file| file::look_at(file, config)));
    match Cache::server_options(config).map_err(|error| Failure::of_host(&error))? {
        None => findings.push(Finding::fine(
            "server",
            "none: entries live in each process and end with it; to share them, set `host` (CACHE_HOST)",
        )),
        Some(options) => {
            for server in &options.servers {
                let options = MemcachedOptions { servers: vec![server.clone()], ..options.clone() };
                findings.extend(look_at_server(config, options).await?);
            }
        }
    }
    findings.extend(look_at_secrets(config));
    findings.extend(look_at_recent(config));
    findings.push(look_at_quotas(config));
    print(&report(&findings))?;
    match findings.iter().any(|finding| finding.mark == Mark::Wrong) {
        true => Err(Failure::silent(Failure::FAILED)),
        false => Ok(()),
    }
}

async fn look_at_server(config: &Config, options: MemcachedOptions) -> Result<Vec<Finding>, Failure> {
    let places: Vec<_> = options.servers.iter().map(|server| server.address.to_string()).collect();
    let place = places.join(", ");
    let way = transport::of_options(&options);
    let memcached = Memcached::new(options.clone());
    let mut reports = Vec::new();
    for _ in 0..ROUNDS {
        match memcached.report().await {
            Ok(report) => reports.push(report),
            Err(error) => {
                let unreachable = Finding::wrong(
                    "server",
                    format!("{place}: {error}"),
                    "start memcached 1.6.18 or later there, or correct `host` and `port`; until then extensions get \
                     `unavailable`, and work without their caches",
                );
                return Ok([vec![unreachable], way].concat());
            }
        }
    }
    let mut findings = of_reports(&place, &reports, options.item_bytes_max, config.max_value_bytes());
    findings.extend(way);
    if reports.iter().all(|report| report.round_trip.is_some()) {
        findings.push(try_out(config, options).await?);
    }
    Ok(findings)
}

/// What the server's answers mean.
fn of_reports(place: &str, reports: &[ServerReport], needed: usize, value_bytes_max: usize) -> Vec<Finding> {
    let Some(report) = reports.first() else { return Vec::new() };
    let mut findings = vec![Finding::fine("server", format!("{place}, memcached {}", report.version))];
    findings.push(of_item_size(report.item_bytes_max, needed, value_bytes_max));
    let mut times: Vec<_> = reports.iter().filter_map(|report| report.round_trip).collect();
    times.sort_unstable();
    if times.len() < reports.len() {
        findings.push(Finding::wrong(
            "commands",
            "the meta commands (mg, ms, md, ma, mn) are not known there",
            "talk to memcached itself; some proxies pass only the classic commands on",
        ));
        return findings;
    }
    findings.push(Finding::fine("commands", "the meta commands work"));
    if let (Some(least), Some(median)) = (times.first(), times.get(times.len() / 2)) {
        let text = format!("{} at least, {} in the median", shown(*least), shown(*median));
        findings.push(match *median > SLOW {
            true => {
                Finding::warning("round trip", text, "keep memcached close to the hosts: on the same network")
            }
            false => Finding::fine("round trip", text),
        });
    }
    findings
}

fn of_item_size(item_bytes_max: usize, needed: usize, value_bytes_max: usize) -> Finding {
    let text = format!("values of up to {item_bytes_max} bytes fit, of {value_bytes_max} allowed");
    if item_bytes_max >= needed {
        return Finding::fine("item size", text);
    }
    // A KiB for memcached's own header and what encryption adds, in the whole MiB that `-I` is given in.
    let mebibytes = (value_bytes_max + 1024).div_ceil(MIB);
    let fitting = item_bytes_max.saturating_sub(needed.saturating_sub(value_bytes_max));
    Finding::wrong(
        "item size",
        text,
        format!("start memcached with `-I {mebibytes}m`, or set value_bytes_max to {fitting} or less"),
    )
}

/// Stores, reads and removes an entry, by the whole way that entries go.
async fn try_out(config: &Config, options: MemcachedOptions) -> Result<Finding, Failure> {
    let cache = server::over(config.clone(), options)?;
    let began = Instant::now();
    let tried = async {
        let entries = cache.open(&Partition::service(TRIAL_SERVICE)?, None)?;
        let key = format!("trial of process {}", std::process::id());
        entries.set(&key, Value::from("here"), Some(10)).await?;
        let found = entries.get(&key).await?;
        entries.delete(&key).await?;
        Ok(found == Some(Value::from("here")))
    };
    let advice = "the server answers and does not keep entries: look at its log and its memory limit (-m)";
    Ok(match tried.await {
        Ok(true) => {
            Finding::fine("entries", format!("stored, read and removed in {}", shown(began.elapsed())))
        }
        Ok(false) => Finding::wrong("entries", "what was stored was not found again", advice),
        Err(error) => {
            let error: strongroom_host::Error = error;
            Finding::wrong("entries", format!("can't be stored and read: {error}"), advice)
        }
    })
}

fn look_at_secrets(config: &Config) -> [Finding; 2] {
    let is_shared = !config.server_list().is_empty();
    let generate = "`strongroom keygen` makes one";
    let encryption = match (config.is_encrypted(), is_shared) {
        (true, _) => Finding::fine("encryption", "on"),
        (false, false) => Finding::fine("encryption", "off, and nothing leaves this process"),
        (false, true) => Finding::warning(
            "encryption",
            "off: whoever reaches the server reads the entries",
            format!("set encryption_key (CACHE_ENCRYPTION_KEY); {generate}"),
        ),
    };
    let key_secret = match (config.has_key_secret(), is_shared) {
        (true, _) => Finding::fine("key secret", "set"),
        (false, false) => Finding::fine("key secret", "a public constant, and nothing leaves this process"),
        (false, true) => Finding::warning(
            "key secret",
            "a public constant: whoever reads storage keys can test guesses of tenants' names",
            format!("set key_secret (CACHE_KEY_SECRET) before going live; {generate}"),
        ),
    };
    [encryption, key_secret]
}

/// Nothing where no files of recent keys are kept.
fn look_at_recent(config: &Config) -> Option<Finding> {
    config.has_recent_dir().then(|| match config.is_encrypted() {
        true => Finding::fine("recent keys", "kept in recent_dir, sealed"),
        false => Finding::warning(
            "recent keys",
            "kept in recent_dir in plain, readable for the directory's owner",
            "set encryption_key (CACHE_ENCRYPTION_KEY), or remove recent_dir",
        ),
    })
}

/// None is set unless somebody sets one, and it is the operator who knows what is usual.
fn look_at_quotas(config: &Config) -> Finding {
    let text = match config.has_quotas() {
        true => "what a stack may do on a host is limited",
        false => {
            "none: a stack may do as much as it likes; `quota_operations` and `quota_bytes_written` limit it"
        }
    };
    Finding::fine("quotas", text)
}

fn report(findings: &[Finding]) -> String {
    let rows: Vec<_> = findings.iter().flat_map(rows).collect();
    let count = |mark| findings.iter().filter(|finding| finding.mark == mark).count() as u64;
    let verdict = match (count(Mark::Wrong), count(Mark::Warning)) {
        (0, 0) => "All is well.".to_owned(),
        (0, warnings) => format!("It works; {}.", counted(warnings, "warning", "warnings")),
        (wrong, _) => format!("{} wrong.", counted(wrong, "thing is", "things are")),
    };
    format!("{}\n{verdict}\n", columns(&rows))
}

fn rows(finding: &Finding) -> Vec<Vec<String>> {
    let mark = match finding.mark {
        Mark::Fine => "ok",
        Mark::Warning => "warning",
        Mark::Wrong => "WRONG",
    };
    let mut rows = vec![vec![mark.to_owned(), finding.subject.to_owned(), finding.text.clone()]];
    if let Some(advice) = &finding.advice {
        rows.push(vec![String::new(), String::new(), format!("-> {advice}")]);
    }
    rows
}

fn shown(time: Duration) -> String {
    match time.as_micros() {
        micros @ 0..1000 => format!("{micros} us"),
        micros => format!("{:.1} ms", micros as f64 / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(item_bytes_max: usize, round_trip_micros: Option<u64>) -> ServerReport {
        ServerReport {
            version: "1.6.18".to_owned(),
            item_bytes_max,
            round_trip: round_trip_micros.map(Duration::from_micros),
        }
    }

    fn marks(findings: &[Finding]) -> Vec<(&str, Mark)> {
        findings.iter().map(|finding| (finding.subject, finding.mark)).collect()
    }

    #[test]
    fn a_server_that_fits_is_fine() {
        let reports = [server(3 * MIB, Some(90)), server(3 * MIB, Some(50)), server(3 * MIB, Some(70))];
        let findings = of_reports("127.0.0.1:11211", &reports, 2 * MIB + 48, 2 * MIB);
        assert!(findings.iter().all(|finding| finding.mark == Mark::Fine));
        assert!(findings[3].text.contains("50 us at least, 70 us in the median"));
    }

    #[test]
    fn items_that_do_not_fit_are_wrong_and_the_advice_has_room_for_the_header() {
        let finding = of_item_size(MIB - 192, 2 * MIB + 48, 2 * MIB);
        assert_eq!(finding.mark, Mark::Wrong);
        let advice = finding.advice.unwrap_or_default();
        assert!(advice.contains("`-I 3m`"), "{advice}");
        assert!(advice.contains(&format!("to {} or less", MIB - 192 - 48)), "{advice}");
    }

    #[test]
    fn a_server_without_meta_commands_is_wrong() {
        let findings = of_reports("x:1", &[server(3 * MIB, None)], MIB, MIB);
        assert!(marks(&findings).contains(&("commands", Mark::Wrong)));
    }

    #[test]
    fn a_slow_server_is_a_warning() {
        let findings = of_reports("x:1", &[server(3 * MIB, Some(9000))], MIB, MIB);
        assert!(marks(&findings).contains(&("round trip", Mark::Warning)));
    }

    #[test]
    fn secrets_matter_where_a_server_is_shared() {
        let in_process = look_at_secrets(&Config::new());
        assert!(in_process.iter().all(|finding| finding.mark == Mark::Fine));
        let shared = Config::new().host("cache.example").expect("it is a name");
        assert!(look_at_secrets(&shared).iter().all(|finding| finding.mark == Mark::Warning));
        let text = report(&look_at_secrets(&shared));
        assert!(text.contains("It works; 2 warnings."), "{text}");
    }

    #[test]
    fn recent_keys_in_plain_are_a_warning() {
        assert!(look_at_recent(&Config::new()).is_none());
        let plain = Config::new().recent_dir("recent");
        let sealed = plain.clone().encryption_key("a passphrase").expect("long enough");
        let marks = [plain, sealed].map(|config| look_at_recent(&config).map(|finding| finding.mark));
        assert_eq!(marks, [Some(Mark::Warning), Some(Mark::Fine)]);
    }
}
