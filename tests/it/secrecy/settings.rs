//! Settings that are wrong in every way that people get them wrong: what is said of them shows no value.

use strongroom_host::{Cache, Config};

use super::{PASSPHRASE, SECRET, chain};
use crate::cli::Desk;

/// The names of all settings, as the library lists them for who has made one up.
fn names() -> Vec<String> {
    let error = Config::new().with_setting("x", &[]).expect_err("there is no such setting").to_string();
    let (_, names) = error.split_once("there are ").expect("it lists them");
    names.split(", ").map(str::to_owned).collect()
}

/// Those whose values may be shown: files are named where they can't be read, and servers in the log.
const SHOWN: &[&str] = &["host", "servers", "tls_ca", "tls_certificate", "tls_key", "tls_name", "recent_dir"];

#[test]
fn no_refusal_of_a_setting_shows_its_value() {
    let values = [
        &["hush-value"][..],
        &["hush-two words"],
        &["hush-\n-----BEGIN PRIVATE KEY-----"],
        &["hush-one", "hush-two"],
        &["hush-"],
        &["hush-user:hush-password@cache:11211"],
        &["memcached://hush-user:hush-password@cache:11211"],
        &["base64:hush-"],
        &["hush-user@cache"],
    ];
    let (mut refused, mut taken) = (0, 0);
    for name in names() {
        for values in values {
            let values: Vec<_> = values.iter().map(|value| (*value).to_owned()).collect();
            let text = match Config::new().with_setting(&name, &values) {
                Err(error) => chain(&error),
                Ok(config) if !SHOWN.contains(&name.as_str()) => {
                    taken += 1;
                    let refusal = Cache::server_options(&config.clone().host("cache").expect("a name"));
                    let refusal = refusal.err().map(|error| chain(&error)).unwrap_or_default();
                    format!("{config:?} {config:#?} {refusal}")
                }
                Ok(_) => continue,
            };
            refused += usize::from(!text.starts_with("Config"));
            assert!(!text.contains(SECRET), "{name} = {values:?}: {text}");
        }
    }
    assert!(refused > 100 && taken > 10, "{refused} refused, {taken} taken");
}

/// What is in the place of a file's name, if somebody takes the setting for the place of what is in it.
#[test]
fn a_private_key_in_the_place_of_its_files_name_is_not_shown() {
    let config = Config::new().host("cache").and_then(|config| config.tls(true)).expect("allowed");
    let authority = crate::certificates::Authority::new();
    let certified = authority.certify("client", &["client"]);
    let key = std::fs::read_to_string(&certified.key).expect("it was written");
    let config = config.tls_ca(&authority.ca().to_string_lossy()).tls_key(&key);
    let config = config.tls_certificate(&certified.certificate.to_string_lossy());
    let text = chain(&Cache::server_options(&config).expect_err("it is no file"));
    assert!(text.contains("tls_key: allowed is the name of a file"), "{text}");
    for line in key.lines() {
        assert!(!text.contains(line), "{text}");
    }
}

/// Files that are no TOML, and TOML that is no settings: parsers like to quote the line.
const FILES: &[&str] = &[
    "encryption_key = hush-passphrase",
    "encryption_key = hush-passphrase # the new one\nhost = \"cache\"",
    "encryption_key = \"hush-passphrase",
    "encryption_key = 'hush-passphrase",
    "encryption_key = \"\"\"hush-passphrase\n\n",
    "encryption_key = \"hush-\\q\"",
    "encryption_key = \"hush-\\uD800\"",
    "encryption_key = \"hush-passphrase\" \"hush-another\"",
    "encryption_key = \"hush-passphrase\", ",
    "encryption_key \"hush-passphrase\"",
    "encryption_key: hush-passphrase",
    "\"hush-passphrase\"",
    "hush-passphrase",
    "encryption_key = [\"hush-one\", \"hush-two\"]",
    "encryption_key = [[\"hush-passphrase\"]]",
    "encryption_key = { key = \"hush-passphrase\" }",
    "encryption_key.key = \"hush-passphrase\"",
    "[encryption_key]\nkey = \"hush-passphrase\"",
    "encryption_key = \"hush-one-one\"\nencryption_key = \"hush-two-two\"",
    "encryption_key = \"hush-x\"",
    "encryption_key = \"base64:hush-\"",
    "previous_keys = [\"hush-passphrase\", \"hush-x\"]",
    "previous_keys = [\"hush-passphrase\", { key = \"hush-another\" }]",
    "previous_keys = [\"hush-passphrase\" \"hush-another\"]",
    "key_secret = \"base64:hush-\"\n",
    "username = \"hush-user:x\"\npassword = \"hush-password\"",
    "username = \"hush-user\"",
    "password = \"hush-password\"",
    "username = \"hush-user\"\npassword = \"hush- password\"",
    "username = \"hush-user\"\npassword = [\"hush-a\", \"hush-b\"]",
    "username = \"hush-user\"\npassword = hush-password",
    "servers = [\"memcached://hush-user:hush-password@cache:11211\"]",
    "host = \"hush-user:hush-password@cache\"",
    "host = \"hush-password@cache\"",
    "prefix = \"hush- prefix\"",
    "tls = true\ntls_key = \"-----BEGIN PRIVATE KEY-----\\nhush-\"\ntls_certificate = \"hush-\\n\"",
    "tls = \"hush-value\"",
    "port = \"hush-value\"",
    "timeout = \"hush-value\"",
    "protocol = \"hush-value\"",
    "on_unavailable = \"hush-value\"",
];

#[test]
fn no_broken_settings_file_is_quoted_by_the_program() {
    let desk = Desk::new().with("RUST_LOG", "trace").with("RUST_BACKTRACE", "full");
    for file in FILES {
        let needs_a_server =
            file.starts_with("username") || file.starts_with("password") || file.starts_with("tls");
        let before = if needs_a_server { "host = \"127.0.0.1\"\n" } else { "" };
        desk.file("strongroom.toml", &format!("{before}{file}"));
        let (code, said) = desk.fails(&["-vvv", "doctor"]);
        assert!(code == 2 && said.starts_with("strongroom: "), "{file}: {said}");
        assert!(!said.contains(SECRET), "{file}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn no_broken_variable_is_quoted_by_the_program() {
    let variables = names().into_iter().map(|name| format!("CACHE_{}", name.to_ascii_uppercase()));
    let mut refused = 0;
    for variable in variables {
        for value in ["hush- value", "base64:hush-", "hush-x"] {
            let desk = Desk::new().with("CACHE_HOST", "127.0.0.1").with("CACHE_PORT", "1");
            let mut command = desk.command(&["-vvv", "key", "--service", "s", "--stack", "a", "k"]);
            let output = command.env(&variable, value).env("RUST_LOG", "trace").output().expect("it runs");
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            let is_shown = SHOWN.iter().any(|name| variable.eq_ignore_ascii_case(&format!("CACHE_{name}")));
            // Servers and files that there are not are named.
            assert!(
                !said.contains(SECRET) || (is_shown && output.status.code() != Some(0)),
                "{variable}: {said}"
            );
            refused += usize::from(output.status.code() == Some(2));
        }
    }
    assert!(refused > 30, "{refused}");
    assert!(PASSPHRASE.starts_with(SECRET));
}
