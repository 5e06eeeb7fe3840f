//! The key of a call: its function and its arguments as readable text, such as `fx::rates::rate("USD",3)`.
//!
//! ```text
//! path [ "@" version ] [ "<" types and constants ">" ] "(" arguments ")"
//! ```
//!
//! Different arguments have different texts, which `text` sees to. A text that is too long for a key
//! keeps its head and ends in a hash of the whole; it is longer than every text that is kept as it is, so
//! that the two never meet.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::text::Text;
use crate::error::Error;
use crate::limits::KEY_TEXT_BYTES_MAX;

/// Stands between the head of a text and the hash of the whole.
const HASHED: &str = "...sha256:";

/// An argument of a `#[cached]` function, or a value that its types take.
#[diagnostic::on_unimplemented(
    message = "an argument of type `{Self}` can't be a part of the key, as it implements no `Serialize`",
    label = "can't be written",
    note = "leave it out with `skip`, name parts of it in a `key`, or derive `serde::Serialize`"
)]
pub trait Argument {
    /// Appends the argument as text.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] where its `Serialize` fails.
    fn write(&self, to: &mut String) -> Result<(), Error>;
}

impl<T: Serialize> Argument for T {
    fn write(&self, to: &mut String) -> Result<(), Error> {
        // The cause may quote the value, so it goes no further.
        self.serialize(Text(to)).map_err(|_| Error::encode::<T>())
    }
}

/// The key of a call with these arguments.
///
/// # Errors
///
/// [`Error::Encode`] where an argument can't be written.
pub fn call_key(
    path: &str,
    version: Option<u32>,
    types: &[&dyn Argument],
    arguments: &[&dyn Argument],
) -> Result<String, Error> {
    let mut text = written_key(path.to_owned(), version);
    if !types.is_empty() {
        list(&mut text, '<', types, '>')?;
    }
    list(&mut text, '(', arguments, ')')?;
    Ok(bounded(text))
}

/// A key that the author wrote, with the version where there is one.
pub fn written_key(mut text: String, version: Option<u32>) -> String {
    if let Some(version) = version {
        text.push('@');
        text.push_str(&version.to_string());
    }
    text
}

fn list(text: &mut String, open: char, items: &[&dyn Argument], close: char) -> Result<(), Error> {
    text.push(open);
    for (number, item) in items.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        item.write(text)?;
    }
    text.push(close);
    Ok(())
}

fn bounded(text: String) -> String {
    if text.len() <= KEY_TEXT_BYTES_MAX {
        return text;
    }
    // The whole of the head, so that the key is longer than any text that is kept.
    let mut end = KEY_TEXT_BYTES_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut key = format!("{}{HASHED}", &text[..end]);
    for byte in Sha256::digest(&text) {
        write!(key, "{byte:02x}").expect("a String takes all that is written to it");
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::KEY_BYTES_MAX;

    fn key(arguments: &[&dyn Argument]) -> String {
        call_key("fx::rate", None, &[], arguments).expect("they can be written")
    }

    #[test]
    fn a_key_is_readable() {
        assert_eq!(key(&[]), "fx::rate()");
        assert_eq!(key(&[&"USD", &3]), r#"fx::rate("USD",3)"#);
        assert_eq!(
            call_key("fx::load", Some(2), &[&"alloc::string::String", &16_usize], &[&"a"]),
            Ok(r#"fx::load@2<"alloc::string::String",16>("a")"#.to_owned())
        );
        assert_eq!(written_key("rate:USD".into(), None), "rate:USD");
        assert_eq!(written_key("rate:USD".into(), Some(2)), "rate:USD@2");
    }

    #[test]
    fn a_long_text_keeps_its_head_and_ends_in_a_hash_of_the_whole() {
        let long = |last: char| key(&[&format!("{}{last}", "x".repeat(5000))]);
        assert!(long('a').starts_with(r#"fx::rate("xxx"#));
        assert_ne!(long('a'), long('b'));
        assert_eq!(long('a'), long('a'));
        assert_eq!(long('a').len(), KEY_TEXT_BYTES_MAX + HASHED.len() + 64);
        // Pinned: where it changes, everything that is stored under such keys is lost.
        let whole = bounded("x".repeat(KEY_TEXT_BYTES_MAX + 1));
        let hash = "3185479833e2b402550855bd120d9233ccf1404de806ca71d2f5a17028aed041";
        assert_eq!(whole, format!("{}{HASHED}{hash}", "x".repeat(KEY_TEXT_BYTES_MAX)));
    }

    #[test]
    fn a_hashed_key_is_longer_than_every_other_and_fits_the_contract() {
        assert_eq!(bounded("é".repeat(450)).len(), KEY_TEXT_BYTES_MAX);
        for text in
            ["x".repeat(901), "é".repeat(451), format!("x{}", "é".repeat(450)), "\u{1f980}".repeat(300)]
        {
            let len = bounded(text).len();
            assert!((KEY_TEXT_BYTES_MAX + 1..=KEY_BYTES_MAX).contains(&len), "{len}");
        }
    }

    #[test]
    fn an_argument_that_can_not_be_written_is_an_error_without_its_value() {
        struct Refuses;
        impl Serialize for Refuses {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("hunter2"))
            }
        }
        let refused = call_key("fx::rate", None, &[], &[&Refuses]);
        let message = refused.map_err(|error| format!("{error} {error:?}"));
        assert!(message.is_err_and(|said| said.contains("Refuses") && !said.contains("hunter2")));
    }
}
