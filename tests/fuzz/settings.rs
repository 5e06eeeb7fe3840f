//! Settings, as files and as environments hold them: whatever they say, it is taken as documented or refused
//! by name, and no secret is repeated.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use strongroom_host::fuzzing::{Input, config as host};
use strongroom_host::{Cache, Config};
use toml::{Table, Value};

use crate::failure::one_line;
use crate::text;

/// What secrets contain, and nothing else. Shorter than a passphrase must be, as those take too long to try.
const CANARY: &str = "Zq7Kx";

const SECRETS: [&str; 4] = ["encryption_key", "previous_keys", "key_secret", "password"];

pub(crate) fn run(bytes: &[u8]) {
    if bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()) {
        // It would be where no secret is, and nothing could be told by it.
        return;
    }
    let mut input = Input::new(bytes);
    match input.below(3) {
        0 => any_text(&String::from_utf8_lossy(input.rest())),
        1 => lines(input),
        _ => variables(input),
    }
}

/// A file that says anything.
fn any_text(text: &str) {
    let Ok(table) = text.parse::<Table>() else {
        let line = complaint(text).expect("it is not TOML");
        assert!(line.starts_with("not TOML: "), "{line}");
        return;
    };
    if has_passphrase(&table) || table.to_string().contains(CANARY) {
        return;
    }
    if let Some(line) = complaint(text) {
        assert!(table.keys().any(|name| line.starts_with(&format!("{name}: "))), "{line}");
    }
}

/// Reads a file's text. Answers what is wrong with it.
fn complaint(text: &str) -> Option<String> {
    match text::read(Config::new(), text) {
        Ok(config) => {
            accepted(&config, text.contains("tls"));
            None
        }
        Err(failure) => {
            assert!(!one_line(failure.line()).contains('\n'));
            Some(failure.line().to_owned())
        }
    }
}

/// What was accepted is as documented. `may_read_files`: where it is not looked at further.
fn accepted(config: &Config, may_read_files: bool) {
    host::check(config);
    assert!(!format!("{config:?}").contains(CANARY), "a secret is printed");
    if may_read_files {
        return;
    }
    match Cache::server_options(config) {
        Ok(options) => assert!(!format!("{options:?}").contains(CANARY), "a secret is printed"),
        Err(error) => {
            let line = error.to_string();
            assert!(error.is_invalid_config());
            assert!(host::names().any(|name| line.starts_with(&format!("{name}: "))), "{line}");
            assert!(!line.contains(CANARY), "a secret is repeated: {line}");
        }
    }
}

/// A passphrase would be stretched, which takes longer than everything else here together.
fn has_passphrase(table: &Table) -> bool {
    let is_passphrase = |value: &Value| value.as_str().is_some_and(host::is_passphrase);
    let values = SECRETS.iter().filter_map(|name| table.get(*name));
    values.into_iter().any(|value| match value {
        Value::Array(values) => values.iter().any(is_passphrase),
        Value::Integer(number) => host::is_passphrase(&number.to_string()),
        Value::Float(number) => host::is_passphrase(&number.to_string()),
        value => is_passphrase(value),
    })
}

/// A file of lines that look like settings, some of them secrets, however badly they are written.
fn lines(mut input: Input<'_>) {
    let names: Vec<_> = host::names().collect();
    let mut text = String::new();
    for _ in 0..=input.below(6) {
        let name = match input.below(4) {
            0 => input.one_of(&SECRETS),
            _ => input.one_of(&names),
        };
        let value = value(name, &mut input);
        let (open, close) = input.one_of(&[
            ("\"", "\""),
            ("'", "'"),
            ("", ""),
            ("[\"", "\"]"),
            ("\"\"\"", "\"\"\""),
            ("[", "]"),
            ("{ a = \"", "\" }"),
            ("\"", ""),
        ]);
        text += &format!("{name} = {open}{value}{close}\n");
    }
    if text.parse::<Table>().is_ok_and(|table| has_passphrase(&table)) {
        return;
    }
    if let Some(line) = complaint(&text) {
        assert!(!line.contains(CANARY), "a secret is repeated: {line}");
    }
}

/// A value for a setting: one that may be good, or anything. Of a secret, it contains the canary.
fn value(name: &str, input: &mut Input<'_>) -> String {
    const GOOD: [&str; 16] = [
        "",
        "0",
        "1",
        "0.25",
        "true",
        "no",
        "1024",
        "1000",
        "60",
        "meta",
        "auto",
        "miss",
        "localhost",
        "a:1",
        "b=unix:/s*2",
        "/no/such",
    ];
    let any = String::from_utf8_lossy(input.chunk()).into_owned();
    if SECRETS.contains(&name) {
        let before = input.one_of(&["", "base64:", "base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]);
        return format!("{before}{CANARY}{any}");
    }
    if any.is_empty() { input.one_of(&GOOD).to_owned() } else { any }
}

/// An environment that says anything.
fn variables(mut input: Input<'_>) {
    let names: Vec<_> = host::names().collect();
    let mut variables: Vec<(String, OsString)> = Vec::new();
    let (mut is_slow, mut may_read_files) = (false, false);
    for _ in 0..=input.below(6) {
        let name = match input.below(4) {
            0 => input.one_of(&SECRETS),
            _ => input.one_of(&names),
        };
        let value = match input.below(4) {
            0 if !SECRETS.contains(&name) => OsString::from_vec(input.chunk().to_vec()),
            _ => value(name, &mut input).into(),
        };
        let texts = value.to_str().unwrap_or_default().split(',').map(str::trim);
        is_slow |= SECRETS.contains(&name) && texts.chain(value.to_str()).any(host::is_passphrase);
        may_read_files |= name.starts_with("tls");
        variables.push((format!("CACHE_{}", name.to_ascii_uppercase()), value));
    }
    if is_slow {
        return;
    }
    let of = |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    match host::with_variables(Config::new(), of) {
        Ok(config) => accepted(&config, may_read_files),
        Err(error) => {
            let line = error.to_string();
            assert!(error.is_invalid_config());
            assert!(variables.iter().any(|(name, _)| line.starts_with(&format!("{name}: "))), "{line}");
            assert!(!line.contains(CANARY), "a secret is repeated: {line}");
        }
    }
}
