//! A serializer that only takes what has a kind of its own, and refuses the rest at once.

use std::fmt;

use serde::ser::{self, Impossible, Serialize, Serializer};

use super::Value;

/// Answers the value for integers, text and bytes.
pub(super) struct Probe;

/// Why the probe has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is to be stored as JSON, or its own `Serialize` failed, and will again.
    NotScalar,
    /// It is `None`, which is to be stored as JSON, if at all.
    Nothing,
    /// A float that JSON has no number for.
    NotFinite,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a scalar")
    }
}

impl std::error::Error for Refusal {}

impl ser::Error for Refusal {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::NotScalar
    }
}

type Answer = Result<Value, Refusal>;
type Compound = Impossible<Value, Refusal>;

/// An integer where an `i64` can hold it. Larger ones are JSON numbers.
fn integer<N: TryInto<i64>>(number: N) -> Answer {
    let number = number.try_into().map_err(|_| Refusal::NotScalar)?;
    Ok(Value::Integer(number))
}

fn float(number: f64) -> Answer {
    Err(if number.is_finite() { Refusal::NotScalar } else { Refusal::NotFinite })
}

macro_rules! integers {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, number: $type) -> Answer {
            integer(number)
        })*
    };
}

impl Serializer for Probe {
    type Ok = Value;
    type Error = Refusal;
    type SerializeSeq = Compound;
    type SerializeTuple = Compound;
    type SerializeTupleStruct = Compound;
    type SerializeTupleVariant = Compound;
    type SerializeMap = Compound;
    type SerializeStruct = Compound;
    type SerializeStructVariant = Compound;

    integers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128
    }

    fn serialize_f32(self, number: f32) -> Answer {
        float(number.into())
    }

    fn serialize_f64(self, number: f64) -> Answer {
        float(number)
    }

    fn serialize_char(self, character: char) -> Answer {
        Ok(Value::Text(character.into()))
    }

    fn serialize_str(self, text: &str) -> Answer {
        Ok(Value::Text(text.to_owned()))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Answer {
        Ok(Value::Bytes(bytes.to_owned()))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Answer {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Answer {
        value.serialize(self)
    }

    fn serialize_bool(self, _: bool) -> Answer {
        Err(Refusal::NotScalar)
    }

    fn serialize_none(self) -> Answer {
        Err(Refusal::Nothing)
    }

    fn serialize_unit(self) -> Answer {
        Err(Refusal::NotScalar)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Answer {
        Err(Refusal::NotScalar)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Answer {
        Err(Refusal::NotScalar)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Answer {
        Err(Refusal::NotScalar)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound, Refusal> {
        Err(Refusal::NotScalar)
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound, Refusal> {
        Err(Refusal::NotScalar)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound, Refusal> {
        Err(Refusal::NotScalar)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Compound, Refusal> {
        Err(Refusal::NotScalar)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound, Refusal> {
        Err(Refusal::NotScalar)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Compound, Refusal> {
        Err(Refusal::NotScalar)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Compound, Refusal> {
        Err(Refusal::NotScalar)
    }
}
