//! Settings as text: the name of each in files and in the environment, and the reading of its value.

use std::ffi::OsString;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{Config, OnUnavailable};
use crate::backend::{Protocol, Server};
use crate::error::Error;

/// Settings as text.
impl Config {
    /// The defaults, overridden by the environment.
    ///
    /// # Errors
    ///
    /// As [`with_env`](Self::with_env).
    pub fn from_env() -> Result<Self, Error> {
        Self::new().with_env()
    }

    /// These settings, overridden by the environment: `CACHE_HOST`, `CACHE_PORT` and so on, each setting's
    /// name in capitals after `CACHE_`. Lists are separated by commas, so a passphrase with a comma can be
    /// one of `previous_keys` in a file only. An empty variable is one that is not set.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for an impossible value, naming the variable and what is allowed.
    pub fn with_env(self) -> Result<Self, Error> {
        self.with_variables(|variable| std::env::var_os(variable))
    }

    /// These settings, overridden by what the variables of an environment hold.
    pub(super) fn with_variables(
        mut self,
        variable_of: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Error> {
        for setting in SETTINGS {
            let variable = format!("CACHE_{}", setting.name.to_ascii_uppercase());
            // An empty one is not set: above all it must not switch off the encryption that a file asks for.
            let Some(text) = variable_of(&variable).filter(|text| !text.is_empty()) else { continue };
            let text =
                text.into_string().map_err(|_| Error::invalid_config(format!("{variable}: not UTF-8")))?;
            // Any of them may be a secret. What the environment itself holds is not ours to wipe.
            let text = Zeroizing::new(text);
            let values: Zeroizing<Vec<String>> = Zeroizing::new(match setting.shape {
                Shape::One => vec![text.as_str().to_owned()],
                Shape::Many => text.split(',').map(|part| part.trim().to_owned()).collect(),
            });
            self = (setting.read)(self, &values)
                .map_err(|error| Error::invalid_config(format!("{variable}: {}", reason(&error))))?;
        }
        Ok(self)
    }

    /// These settings with one more, by the name that it has in settings files. `values`: one for a plain
    /// setting, any number for a list.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] for an unknown name, naming those that there are, or an impossible value,
    /// naming what is allowed.
    pub fn with_setting(self, name: &str, values: &[String]) -> Result<Self, Error> {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
            let names: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
            return Err(Error::invalid_config(format!(
                "{name}: no such setting; there are {}",
                names.join(", ")
            )));
        };
        if matches!(setting.shape, Shape::One) && values.len() != 1 {
            return Err(Error::invalid_config(format!("{name}: takes one value, not a list")));
        }
        (setting.read)(self, values)
            .map_err(|error| Error::invalid_config(format!("{name}: {}", reason(&error))))
    }
}

/// A setting as it stands in files and in the environment.
struct Setting {
    name: &'static str,
    shape: Shape,
    read: fn(Config, &[String]) -> Result<Config, Error>,
}

enum Shape {
    One,
    Many,
}

const fn one(name: &'static str, read: fn(Config, &[String]) -> Result<Config, Error>) -> Setting {
    Setting { name, shape: Shape::One, read }
}

const fn many(name: &'static str, read: fn(Config, &[String]) -> Result<Config, Error>) -> Setting {
    Setting { name, shape: Shape::Many, read }
}

const SETTINGS: &[Setting] = &[
    one("prefix", |config, text| config.prefix(&text[0])),
    one("host", |config, text| config.host(&text[0])),
    one("port", |config, text| config.port(number(&text[0], "a number from 1 to 65535")?)),
    many("servers", read_servers),
    one("discovery", |config, text| Ok(config.discovery(flag(&text[0])?))),
    one("protocol", |config, text| match text[0].as_str() {
        "meta" => Ok(config.protocol(Protocol::Meta)),
        "classic" => Ok(config.protocol(Protocol::Classic)),
        "auto" => Ok(config.protocol(Protocol::Auto)),
        _ => Err(Error::invalid_config("allowed are meta, classic, auto")),
    }),
    one("connections", |config, text| config.connections(number(&text[0], "a number from 1 to 64")?)),
    one("connect_timeout", |config, text| config.connect_timeout(seconds(&text[0])?)),
    one("timeout", |config, text| config.timeout(seconds(&text[0])?)),
    one("username", |config, text| config.username(&text[0])),
    one("password", |config, text| config.password(&text[0])),
    one("tls", |config, text| config.tls(flag(&text[0])?)),
    one("tls_ca", |config, text| Ok(config.tls_ca(&text[0]))),
    one("tls_certificate", |config, text| Ok(config.tls_certificate(&text[0]))),
    one("tls_key", |config, text| Ok(config.tls_key(&text[0]))),
    one("tls_name", |config, text| Ok(config.tls_name(&text[0]))),
    one("compress_data", |config, text| Ok(config.compress_data(flag(&text[0])?))),
    one("compress_sessions", |config, text| Ok(config.compress_sessions(flag(&text[0])?))),
    one("encryption_key", |config, text| config.encryption_key(&text[0])),
    many("previous_keys", |config, text| config.previous_keys(text.iter().map(String::as_str))),
    one("key_secret", |config, text| config.key_secret(&text[0])),
    one("default_ttl", |config, text| Ok(config.default_ttl(number(&text[0], "whole seconds, at least 1")?))),
    one("max_ttl", |config, text| Ok(config.max_ttl(number(&text[0], "whole seconds, at least 1")?))),
    one("value_bytes_max", |config, text| config.value_bytes_max(number(&text[0], "a number of bytes")?)),
    one("memory_bytes_max", |config, text| config.memory_bytes_max(number(&text[0], "a number of bytes")?)),
    one("generation_ttl", |config, text| config.generation_ttl(seconds(&text[0])?)),
    one("fill_lease", |config, text| config.fill_lease(seconds(&text[0])?)),
    one("ttl_jitter_percent", |config, text| {
        config.ttl_jitter_percent(number(&text[0], "a whole number, 0 to 50")?)
    }),
    one("on_unavailable", |config, text| match text[0].as_str() {
        "error" => Ok(config.on_unavailable(OnUnavailable::Error)),
        "miss" => Ok(config.on_unavailable(OnUnavailable::Miss)),
        _ => Err(Error::invalid_config("allowed are error, miss")),
    }),
    one("quota_operations", |config, text| {
        let operations = number(&text[0], "a number of operations a second, at least 1")?;
        Ok(config.change_quota(|quota| quota.operations_per_second(operations)))
    }),
    one("quota_bytes_written", |config, text| {
        let bytes = number(&text[0], "a number of bytes a second, at least 1")?;
        Ok(config.change_quota(|quota| quota.bytes_written_per_second(bytes)))
    }),
    one("quota_concurrent", |config, text| {
        let operations = number(&text[0], "a number of operations, at least 1")?;
        Ok(config.change_quota(|quota| quota.concurrent_operations(operations)))
    }),
    many("stack_quotas", |config, text| config.read_stack_quotas(text)),
    one("invocation_operations", |config, text| {
        let operations = number(&text[0], "a number of operations")?;
        Ok(config.change_limits(|limits| limits.operations(operations)))
    }),
    one("invocation_bytes", |config, text| {
        let bytes = number(&text[0], "a number of bytes")?;
        Ok(config.change_limits(|limits| limits.bytes(bytes)))
    }),
    one("invocation_handles", |config, text| {
        let handles = super::quota::handles(number(&text[0], "a number from 1 to 1024")?)?;
        Ok(config.change_limits(|limits| limits.handles(handles)))
    }),
    one("invocation_time", |config, text| {
        let time = seconds(&text[0])?;
        Ok(config.change_limits(|limits| limits.time(time)))
    }),
    one("recent_keys", |config, text| config.recent_keys(number(&text[0], "a number from 0 to 1000")?)),
    one("recent_dir", |config, text| Ok(config.recent_dir(&text[0]))),
];

/// The names of all settings.
#[cfg(feature = "fuzzing")]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|setting| setting.name)
}

/// `servers = ["host:port", ...]`. An empty entry is none.
fn read_servers(config: Config, servers: &[String]) -> Result<Config, Error> {
    let allowed = || Error::invalid_config(format!("allowed are {}", Server::FORM));
    let servers = servers.iter().filter(|server| !server.is_empty());
    config.servers(servers.map(|server| Server::parse(server).ok_or_else(allowed)).collect::<Result<_, _>>()?)
}

fn number<T: std::str::FromStr>(text: &str, allowed: &str) -> Result<T, Error> {
    text.trim().parse().map_err(|_| Error::invalid_config(format!("allowed is {allowed}")))
}

fn seconds(text: &str) -> Result<Duration, Error> {
    let seconds: f64 = number(text, "a number of seconds, such as 1 or 0.25")?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| Error::invalid_config("allowed is a number of seconds, such as 1 or 0.25"))
}

fn flag(text: &str) -> Result<bool, Error> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(Error::invalid_config("allowed are true, false")),
    }
}

/// The part of a setter's message after the setting's own name, which the caller has said already.
fn reason(error: &Error) -> String {
    let message = error.to_string();
    match message.split_once(": ") {
        Some((name, reason)) if SETTINGS.iter().any(|setting| setting.name == name) => reason.to_owned(),
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A deployment's file may be read beside an environment in which somebody's `${KEY}` is not set.
    #[test]
    fn an_empty_variable_changes_nothing_that_a_file_has_set() {
        let key = format!("base64:{}=", "A".repeat(43));
        let config = [
            ("encryption_key", key.as_str()),
            ("key_secret", &key),
            ("servers", "127.0.0.1:1"),
            ("quota_operations", "5"),
            ("recent_dir", "/recent"),
            ("password", "cherry"),
        ]
        .into_iter()
        .try_fold(Config::new(), |config, (name, value)| config.with_setting(name, &[value.to_owned()]));
        let config = config.and_then(|config| config.with_variables(|_| Some(OsString::new())));
        let config = config.expect("an empty one is none, of whatever form its setting is");
        assert!(config.is_encrypted() && config.has_key_secret() && config.has_quotas());
        assert!(config.has_recent_dir() && config.server_list().len() == 1);
    }

    #[test]
    fn a_variable_that_is_set_overrides_a_file() {
        let set =
            |variable: &str| (variable == "CACHE_SERVERS").then(|| OsString::from("127.0.0.1:2,127.0.0.1:3"));
        let config = Config::new().with_setting("servers", &["127.0.0.1:1".to_owned()]);
        let config = config.and_then(|config| config.with_variables(set)).expect("of the right form");
        assert_eq!(config.server_list().len(), 2);
    }
}
