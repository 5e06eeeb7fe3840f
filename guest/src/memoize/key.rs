//! The key of a call: its function and its arguments as readable text, such as `fx::rates::rate("USD",3)`.
//!
//! ```text
//! path [ "@" version ] [ "<" types and constants ">" ] "(" arguments ")"
//! ```
//!
//! The path is the function's. A method's is `Type::name`, or `<Type>definition::name` where it is not
//! defined in an `impl Type` beside the type, as in `<fx::Bank>fx::Named::label()`.
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

/// The path of a method: of which type it is, and where it is defined.
///
/// The type alone won't do, since it may have methods of one name from several traits, and one of its own.
/// `here` is the path of a function in the method or in a companion of it.
pub fn method_path(of: &str, here: &str, name: &str) -> String {
    let mut method = here.strip_suffix("::here").unwrap_or(here);
    // The body of an `async fn`.
    while let Some(outer) = method.strip_suffix("::{{closure}}") {
        method = outer;
    }
    // Without the last name, which may be a companion's.
    let definition = method.rsplit_once("::").map_or(method, |(definition, _)| definition);
    if definition == of {
        return format!("{of}::{name}");
    }
    // Such a type is never followed by `::`, as it is where the path of a type itself begins with `<`.
    format!("<{of}>{definition}::{name}")
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

    // What rustc 1.95 calls them.
    #[test]
    fn the_path_of_a_method_says_where_it_is_defined() {
        for (of, here, path) in [
            // In the module of the type; of an `async fn`; of a companion.
            ("fx::Bank", "fx::Bank::rate::here", "fx::Bank::rate"),
            ("fx::Bank", "fx::Bank::rate::{{closure}}::here", "fx::Bank::rate"),
            ("fx::Bank", "fx::Bank::rate::{{closure}}::{{closure}}::here", "fx::Bank::rate"),
            ("fx::Bank", "fx::Bank::rate_invalidate::here", "fx::Bank::rate"),
            ("fx::Cow<'_>", "fx::Cow<'_>::rate::here", "fx::Cow<'_>::rate"),
            // Generic, and for one of its types.
            ("fx::Of<u8>", "fx::Of<_>::rate::here", "<fx::Of<u8>>fx::Of<_>::rate"),
            ("fx::Of<u8>", "fx::Of<u8>::rate::here", "fx::Of<u8>::rate"),
            ("fx::Some<4>", "fx::Some<N>::rate::here", "<fx::Some<4>>fx::Some<N>::rate"),
            // In another module.
            ("fx::Bank", "fx::a::<impl fx::Bank>::rate::here", "<fx::Bank>fx::a::<impl fx::Bank>::rate"),
            ("dyn fx::A", "<dyn fx::A>::rate::here", "<dyn fx::A><dyn fx::A>::rate"),
            // In the `impl` of a trait.
            ("fx::Bank", "<fx::Bank as fx::A>::rate::here", "<fx::Bank><fx::Bank as fx::A>::rate"),
            ("fx::Bank", "<fx::Bank as fx::B<u8>>::rate::here", "<fx::Bank><fx::Bank as fx::B<u8>>::rate"),
            ("[u8]", "<[u8] as fx::A>::rate::{{closure}}::here", "<[u8]><[u8] as fx::A>::rate"),
            // Provided by a trait.
            ("fx::Bank", "fx::A::rate::here", "<fx::Bank>fx::A::rate"),
            ("fx::Bank", "fx::B::rate::{{closure}}::here", "<fx::Bank>fx::B::rate"),
            ("u32", "fx::A::rate_refresh::here", "<u32>fx::A::rate"),
            // In a function, and in a closure there.
            ("fx::f::Bank", "fx::f::Bank::rate::here", "fx::f::Bank::rate"),
            (
                "fx::f::{{closure}}::Bank",
                "fx::f::{{closure}}::Bank::rate::here",
                "fx::f::{{closure}}::Bank::rate",
            ),
            ("<u8 as fx::A>::f::Bank", "<u8 as fx::A>::f::Bank::rate::here", "<u8 as fx::A>::f::Bank::rate"),
            ("fx::Bank", "fx::f::<impl fx::Bank>::rate::here", "<fx::Bank>fx::f::<impl fx::Bank>::rate"),
        ] {
            assert_eq!(method_path(of, here, "rate"), path, "{of} {here}");
        }
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
