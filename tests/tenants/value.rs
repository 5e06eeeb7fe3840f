//! Values that say whose they are.
//!
//! ```text
//! "hush-value " number ' ' writer ' ' encryption key ' ' deployment names filler checksum
//!
//! names    : service, stack, session, issue, namespace, key; each as length ':' text, or '-' for none
//! deployment, filler : length ':' text
//! checksum : 16 hexadecimal digits, of all before
//! ```
//!
//! All of it is text, so that a value can be of any kind but an integer.

use std::fmt;

use strongroom_host::Value;

use crate::dice::Dice;
use crate::names::Names;

const MARK: &str = "hush-value ";
const SUM_DIGITS: usize = 16;

/// Whose value it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner<'a> {
    pub(crate) deployment: &'a str,
    pub(crate) names: Names<'a>,
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [service, stack, session, issue, namespace, key] = self.names;
        write!(
            f,
            "deployment {:?}, service {service:?}, stack {stack:?}, session {session:?}, issue {issue:?}, \
             namespace {namespace:?}, key {key:?}",
            self.deployment
        )
    }
}

/// How a value came about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    /// Every value that is ever written in a deployment has another one.
    pub(crate) number: u64,
    pub(crate) writer: u64,
    /// With which of the deployment's encryption keys its host encrypts; zero: it does not.
    pub(crate) encrypted_with: u64,
}

/// Why what was read is not what may be there.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Wrong {
    /// Somebody else's, or that of another key.
    Foreign(String),
    /// Nobody's.
    Garbled(String),
}

/// A value of any kind and of a random size: mostly small, some of up to 60 KB.
pub(crate) fn make(owner: &Owner<'_>, origin: Origin, dice: &mut Dice) -> Value {
    let text = make_text(owner, origin, dice);
    match dice.below(3) {
        0 => Value::Bytes(text.into_bytes().into()),
        1 => Value::Text(text),
        _ => Value::Json(text),
    }
}

/// The same as text.
pub(crate) fn make_text(owner: &Owner<'_>, origin: Origin, dice: &mut Dice) -> String {
    let filler = match dice.below(100) {
        0..75 => dice.below(200),
        75..97 => dice.below(4000),
        _ => dice.below(60_000),
    };
    text(owner, origin, filler, dice.roll())
}

fn text(owner: &Owner<'_>, origin: Origin, filler: usize, pattern: u64) -> String {
    let Origin { number, writer, encrypted_with } = origin;
    let mut text = format!("{MARK}{number} {writer} {encrypted_with} ");
    push(&mut text, Some(owner.deployment));
    owner.names.iter().for_each(|name| push(&mut text, *name));
    // Compressible, as most values are.
    let filler: String = format!("{pattern:x}\r\n").chars().cycle().take(filler).collect();
    push(&mut text, Some(&filler));
    let sum = sum(text.as_bytes());
    text + &format!("{sum:0SUM_DIGITS$x}")
}

fn push(text: &mut String, part: Option<&str>) {
    match part {
        Some(part) => text.push_str(&format!("{}:{part}", part.len())),
        None => text.push('-'),
    }
}

/// The origin of what was read, if it is that owner's.
pub(crate) fn check(owner: &Owner<'_>, found: &Value) -> Result<Origin, Wrong> {
    let text = match found {
        Value::Bytes(bytes) => str::from_utf8(bytes).map_err(|_| garbled("no text", &[]))?,
        Value::Text(text) | Value::Json(text) => text,
        Value::Integer(number) => return Err(Wrong::Foreign(format!("a counter that is {number}"))),
    };
    let (its_owner, origin) = parse(text).ok_or_else(|| garbled("not of the form", text.as_bytes()))?;
    if its_owner != *owner {
        return Err(Wrong::Foreign(format!("{origin:?} of {its_owner}")));
    }
    Ok(origin)
}

fn garbled(what: &str, bytes: &[u8]) -> Wrong {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
    Wrong::Garbled(format!("{what}, {} bytes: {shown:?}", bytes.len()))
}

fn parse(text: &str) -> Option<(Owner<'_>, Origin)> {
    let summed = text.len().checked_sub(SUM_DIGITS)?;
    let its_sum = u64::from_str_radix(text.get(summed..)?, 16).ok()?;
    if its_sum != sum(&text.as_bytes()[..summed]) {
        return None;
    }
    let mut rest = text[..summed].strip_prefix(MARK)?;
    let mut number = || {
        let (number, after) = rest.split_once(' ')?;
        rest = after;
        number.parse().ok()
    };
    let origin = Origin { number: number()?, writer: number()?, encrypted_with: number()? };
    let deployment = take(&mut rest)??;
    let mut names = Names::default();
    for name in &mut names {
        *name = take(&mut rest)?;
    }
    take(&mut rest)??;
    rest.is_empty().then_some((Owner { deployment, names }, origin))
}

/// The next part: `None` where there is no part, `Some(None)` where it is absent.
fn take<'a>(rest: &mut &'a str) -> Option<Option<&'a str>> {
    if let Some(after) = rest.strip_prefix('-') {
        *rest = after;
        return Some(None);
    }
    let (length, after) = rest.split_once(':')?;
    let length: usize = length.parse().ok()?;
    let part = after.get(..length)?;
    *rest = &after[length..];
    Some(Some(part))
}

/// A checksum (FNV-1a, and mixed): what it is there to notice is not made on purpose.
fn sum(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd)
}

/// Whether a wrong value would be noticed.
pub(crate) fn can_tell() -> bool {
    let mut dice = Dice::new(1, 1);
    let owner = |names: Names<'static>, deployment: &'static str| Owner { deployment, names };
    let ours = owner([Some("a"), Some("a"), None, None, Some("b"), Some("k")], "one");
    let others = [
        owner(ours.names, "two"),
        owner([Some("a"), Some("a"), Some("b"), None, None, Some("k")], "one"),
        owner([Some("a"), Some("a"), None, Some("b"), None, Some("k")], "one"),
        owner([Some("a"), Some("a"), None, None, Some("b"), Some("kk")], "one"),
        owner([Some("a"), Some("a"), None, None, None, Some("k")], "one"),
        owner([Some("a"), Some("a"), Some(""), None, Some("b"), Some("k")], "one"),
    ];
    let login = owner([Some("a"), Some("a"), Some("b"), Some("c"), None, Some("k")], "one");
    let other_logins = [
        owner([Some("a"), Some("a"), Some("b"), Some("d"), None, Some("k")], "one"),
        owner([Some("a"), Some("a"), Some("b"), None, None, Some("k")], "one"),
        owner([Some("a"), Some("a"), Some("c"), Some("b"), None, Some("k")], "one"),
        owner([Some("a"), Some("a"), Some("b"), None, Some("c"), Some("k")], "one"),
    ];
    let is_foreign = |owner: &Owner<'_>, value: &Value| matches!(check(owner, value), Err(Wrong::Foreign(_)));
    (0..100).all(|number| {
        let origin = Origin { number, writer: 3, encrypted_with: 2 };
        let value = make(&ours, origin, &mut dice);
        let text = text(&ours, origin, 30, 7);
        let garbled = |at: usize| {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            matches!(check(&ours, &Value::Bytes(bytes.into())), Err(Wrong::Garbled(_)))
        };
        check(&ours, &value) == Ok(origin)
            && others.iter().all(|other| is_foreign(other, &value))
            && {
                let value = make(&login, origin, &mut dice);
                check(&login, &value) == Ok(origin)
                    && other_logins.iter().all(|other| is_foreign(other, &value))
            }
            && garbled(dice.below(text.len()))
            && check(&ours, &Value::Text(text[..text.len() - 1].to_owned())).is_err()
            && check(&ours, &Value::Integer(5)).is_err()
    })
}
