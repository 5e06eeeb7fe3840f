//! Arguments as text that reads like Rust, and is another text for everything that serialises differently.
//!
//! ```text
//! 1  -2  1.0  0.5f32  nan  true  'x'  "text"  b"bytes"  ()
//! none  some(1)  [1,2]  (1,"a")  (1,)  {"key":1}
//! Name  Name(1)  Name{field:1}  Enum::Variant  Enum::Variant(1)  Enum::Variant{field:1}
//! ```
//!
//! Each text says where it ends, so that several, one after the other, can be told apart. Some things
//! are the same on purpose: integers of different widths (the types of the arguments are the function's),
//! maps with the same entries in another order (a `HashMap` has another one each time), and all floats that
//! are not a number.

mod parts;
#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};

use serde::ser::{self, Serialize, Serializer};

use parts::{Entries, Parts};

/// Writes to the end of a string.
pub(crate) struct Text<'a>(pub(super) &'a mut String);

/// What a `Serialize` failed with. It says nothing, as it might quote the value.
#[derive(Debug)]
pub(crate) struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it can't be written")
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Written = Result<(), Refused>;

/// Whether a name can stand as it is: ASCII letters, digits and `_`, with a letter first.
fn is_plain(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_word)
}

impl<'a> Text<'a> {
    fn raw(self, text: impl fmt::Display) -> Written {
        write!(self.0, "{text}").map_err(|_| Refused)
    }

    fn quoted(self, mark: char, text: &str) {
        self.0.push(mark);
        for c in text.chars() {
            if c == mark || c == '\\' {
                self.0.extend(['\\', c]);
            } else if c.is_control() {
                self.0.extend(c.escape_default());
            } else {
                self.0.push(c);
            }
        }
        self.0.push(mark);
    }

    /// A field or variant; whatever is no plain word is quoted.
    fn name(self, name: &str) {
        if is_plain(name) {
            self.0.push_str(name);
        } else {
            self.quoted('"', name);
        }
    }

    /// A type; a `#` goes before one that could be taken for something else, such as `none`, or for a
    /// string, as it will be quoted.
    fn type_name(self, name: &str) {
        if !is_plain(name) || !name.starts_with(|c: char| c.is_ascii_uppercase()) {
            self.0.push('#');
        }
        self.name(name);
    }

    fn variant(self, name: &str, variant: &str) {
        Text(self.0).type_name(name);
        self.0.push_str("::");
        self.name(variant);
    }

    fn one<T: Serialize + ?Sized>(self, value: &T) -> Written {
        self.0.push('(');
        value.serialize(Text(self.0))?;
        self.0.push(')');
        Ok(())
    }

    fn many(self, open: char, close: char) -> Parts<'a> {
        self.0.push(open);
        Parts { to: self.0, count: 0, close }
    }
}

macro_rules! plain {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, value: $type) -> Written {
            self.raw(value)
        })*
    };
}

impl<'a> Serializer for Text<'a> {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    plain! {
        serialize_bool: bool,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128
    }

    fn serialize_f32(self, value: f32) -> Written {
        // The shortest digits of an `f32` are those of another number as an `f64`.
        Text(self.0).raw(Float(value))?;
        self.raw("f32")
    }

    fn serialize_f64(self, value: f64) -> Written {
        self.raw(Float(value))
    }

    fn serialize_char(self, value: char) -> Written {
        self.quoted('\'', value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Written {
        self.quoted('"', value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.raw(format_args!("b\"{}\"", value.escape_ascii()))
    }

    fn serialize_none(self) -> Written {
        self.raw("none")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        self.0.push_str("some");
        self.one(value)
    }

    fn serialize_unit(self) -> Written {
        self.raw("()")
    }

    fn serialize_unit_struct(self, name: &'static str) -> Written {
        self.type_name(name);
        Ok(())
    }

    fn serialize_unit_variant(self, name: &'static str, _: u32, variant: &'static str) -> Written {
        self.variant(name, variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Written {
        Text(self.0).type_name(name);
        self.one(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        Text(self.0).variant(name, variant);
        self.one(value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a>, Refused> {
        Ok(self.many('[', ']'))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, Refused> {
        Ok(self.many('(', ')'))
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Parts<'a>, Refused> {
        Text(self.0).type_name(name);
        Ok(self.many('(', ')'))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'a>, Refused> {
        Text(self.0).variant(name, variant);
        Ok(self.many('(', ')'))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'a>, Refused> {
        Ok(Entries { to: self.0, key: None, entries: Vec::new() })
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Parts<'a>, Refused> {
        Text(self.0).type_name(name);
        Ok(self.many('{', '}'))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'a>, Refused> {
        Text(self.0).variant(name, variant);
        Ok(self.many('{', '}'))
    }
}

/// A float with a point or an exponent, which no integer has. All that are not a number are one.
struct Float<F>(F);

impl<F: fmt::Debug + Copy + Into<f64>> fmt::Display for Float<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.into().is_nan() { f.write_str("nan") } else { self.0.fmt(f) }
    }
}
