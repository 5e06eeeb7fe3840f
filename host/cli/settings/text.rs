//! The text of a settings file: TOML, of which each name is a setting.

use strongroom_host::Config;
use toml::{Table, Value};
use zeroize::{Zeroize, Zeroizing};

use crate::failure::Failure;

/// Adds what the text of a file says to the settings. What goes wrong names the key and what is allowed.
pub(crate) fn read(mut config: Config, text: &str) -> Result<Config, Failure> {
    let table: Table =
        text.parse().map_err(|error| Failure::invalid(format!("not TOML: {}", explain(text, &error))))?;
    for (name, mut value) in table {
        let texts = texts(&value);
        wipe(&mut value);
        let Some(texts) = texts else {
            return Err(Failure::invalid(format!("{name}: allowed is a plain value, or a list of them")));
        };
        config = config.with_setting(&name, &texts).map_err(|error| Failure::of_host(&error))?;
    }
    Ok(config)
}

/// The value as texts: one for a plain value, any number for a list. `None` where it is neither.
fn texts(value: &Value) -> Option<Zeroizing<Vec<String>>> {
    let texts = match value {
        Value::Array(values) => values.iter().map(plain).collect(),
        value => plain(value).map(|text| vec![text]),
    };
    texts.map(Zeroizing::new)
}

/// It may hold secrets. (What the TOML parser keeps for itself meanwhile is not ours to wipe.)
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| wipe(value)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

/// Where and what is wrong, in one line. The error's own text would show the line, which may hold a secret.
fn explain(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().lines().next().unwrap_or("bad syntax");
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message.to_owned(),
    }
}
