//! Every kind against every type that it can mean, and what must not read.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Rates {
    day: String,
    per_euro: BTreeMap<String, f64>,
    note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cents(i64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Status {
    Open,
    Closed { by: String },
}

/// What `serde_bytes::ByteBuf` does.
#[derive(Debug, Clone, PartialEq)]
struct Buffer(Vec<u8>);

impl Serialize for Buffer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Buffer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Buffer;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Buffer, E> {
                Ok(Buffer(bytes.to_owned()))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

/// Stores and reads back as the same type.
fn round<T: Serialize + DeserializeOwned>(value: &T) -> Result<T, Error> {
    decode(encode(value)?)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn json(json: &str) -> Value {
    Value::Json(json.to_owned())
}

#[test]
fn each_type_has_its_kind() {
    assert_eq!(encode("rates"), Ok(text("rates")));
    assert_eq!(encode(&String::new()), Ok(text("")));
    assert_eq!(encode(&'x'), Ok(text("x")));
    assert_eq!(encode(&7_u8), Ok(Value::Integer(7)));
    assert_eq!(encode(&i64::MIN), Ok(Value::Integer(i64::MIN)));
    assert_eq!(encode(&Cents(-5)), Ok(Value::Integer(-5)));
    assert_eq!(encode(&Some(5)), Ok(Value::Integer(5)));
    assert_eq!(encode(&Buffer(vec![0, 255])), Ok(Value::Bytes(vec![0, 255])));
    assert_eq!(encode(&1.0), Ok(json("1.0")));
    assert_eq!(encode(&true), Ok(json("true")));
    assert_eq!(encode(&()), Ok(json("null")));
    assert_eq!(encode(&None::<Rates>), Ok(json("null")));
    assert_eq!(encode(&Status::Open), Ok(json(r#""Open""#)));
    assert_eq!(encode(&[1, 2]), Ok(json("[1,2]")));
}

#[test]
fn a_number_beyond_the_integers_is_json_and_reads_back() {
    assert_eq!(encode(&u64::MAX), Ok(json("18446744073709551615")));
    assert_eq!(round(&u64::MAX), Ok(u64::MAX));
    assert_eq!(round(&i128::MIN), Ok(i128::MIN));
    assert_eq!(round(&u128::MAX), Ok(u128::MAX));
    assert_eq!(round(&7_u128), Ok(7));
}

#[test]
fn a_cached_null_is_a_value() {
    assert_eq!(decode::<Option<Rates>>(json("null")), Ok(None));
    assert_eq!(decode::<Option<String>>(json("null")), Ok(None));
    assert_eq!(round(&None::<i64>), Ok(None));
    assert_eq!(round(&()), Ok(()));
    // A `null` is no `Rates`, so it says so instead of passing for a miss.
    assert!(decode::<Rates>(json("null")).is_err_and(|e| e.is_wrong_type()));
}

#[test]
fn an_entry_reads_as_every_type_that_its_kind_can_mean() {
    assert_eq!(decode::<String>(text("é")), Ok("é".into()));
    assert_eq!(decode::<Option<String>>(text("é")), Ok(Some("é".into())));
    assert_eq!(decode::<Status>(text("Open")), Ok(Status::Open));
    assert_eq!(decode::<char>(text("x")), Ok('x'));
    assert_eq!(decode::<String>(json(r#""é""#)), Ok("é".into()));

    assert_eq!(decode::<u32>(Value::Integer(7)), Ok(7));
    assert_eq!(decode::<f64>(Value::Integer(7)), Ok(7.0));
    assert_eq!(decode::<Option<Cents>>(Value::Integer(7)), Ok(Some(Cents(7))));
    assert_eq!(decode::<i64>(json("7")), Ok(7));

    let bytes = || Value::Bytes(vec![104, 105]);
    assert_eq!(decode::<Buffer>(bytes()), Ok(Buffer(vec![104, 105])));
    assert_eq!(decode::<Vec<u8>>(bytes()), Ok(vec![104, 105]));
    assert_eq!(decode::<Option<Vec<u8>>>(bytes()), Ok(Some(vec![104, 105])));
    assert_eq!(decode::<[u8; 2]>(bytes()), Ok([104, 105]));
    assert_eq!(decode::<String>(bytes()), Ok("hi".into()));
}

#[test]
fn an_entry_of_another_type_is_an_error_that_names_the_type_and_hides_the_value() {
    let errors = [
        decode::<u32>(text("hunter2")).err(),
        decode::<Status>(text("hunter2")).err(),
        decode::<Rates>(json(r#"{"day": "hunter2", "per_euro": "hunter2"}"#)).err(),
        decode::<Status>(json(r#""hunter2""#)).err(),
        decode::<u32>(Value::Bytes(b"hunter2".to_vec())).err(),
        decode::<[u8; 4]>(Value::Bytes(b"hunter2".to_vec())).err(),
        decode::<Rates>(json("hunter2 is no JSON")).err(),
        decode::<u8>(Value::Integer(77_777)).err(),
        decode::<String>(Value::Integer(77_777)).err(),
        decode_bytes(json("[77777]")).err(),
    ];
    for error in errors {
        let error = error.expect("each of these has the wrong type");
        let said = format!("{error} {error:?}");
        assert!(error.is_wrong_type(), "{said}");
        assert!(!said.contains("hunter2") && !said.contains("77777"), "{said}");
    }
    let named = decode::<Rates>(json("[]")).map_err(|e| e.to_string());
    assert!(named.is_err_and(|message| message.contains("Rates") && message.contains("column")));
}

#[test]
fn what_json_has_no_words_for_is_refused_by_name() {
    let given = |value: Result<Value, Error>| value.map_err(|e| e.to_string());
    assert!(given(encode(&f64::NAN)).is_err_and(|message| message.contains("f64")));
    assert!(encode(&Some(f32::INFINITY)).is_err());
    assert!(encode(&BTreeMap::from([((1, 2), 3)])).is_err());
}

#[test]
fn raw_bytes_are_bytes_or_text_and_never_the_digits_of_a_list() {
    assert_eq!(decode_bytes(Value::Bytes(vec![0, 159])), Ok(vec![0, 159]));
    assert_eq!(decode_bytes(text("é")), Ok("é".as_bytes().to_vec()));
    assert!(decode_bytes(json("[1,2]")).is_err());
    assert!(decode_bytes(Value::Integer(12)).is_err());
}

proptest! {
    #[test]
    fn text_comes_back(value: String) {
        prop_assert_eq!(encode(&value), Ok(Value::Text(value.clone())));
        prop_assert_eq!(round(&value), Ok(value));
    }

    #[test]
    fn integers_come_back(small: i8, signed: i64, unsigned: u64, huge: u128, maybe: Option<u16>) {
        prop_assert_eq!(round(&small), Ok(small));
        prop_assert_eq!(round(&signed), Ok(signed));
        prop_assert_eq!(round(&unsigned), Ok(unsigned));
        prop_assert_eq!(round(&huge), Ok(huge));
        prop_assert_eq!(round(&maybe), Ok(maybe));
    }

    #[test]
    fn floats_come_back_to_the_last_bit(value in any::<f64>().prop_filter("finite", |f| f.is_finite())) {
        prop_assert_eq!(round(&value).map(f64::to_bits), Ok(value.to_bits()));
    }

    #[test]
    fn structures_come_back(
        day: String,
        per_euro in proptest::collection::btree_map(any::<String>(), -1e300..1e300, 0..8),
        note: Option<String>,
        by: String,
    ) {
        let rates = Rates { day, per_euro, note };
        prop_assert!(matches!(encode(&rates), Ok(Value::Json(_))));
        prop_assert_eq!(round(&rates), Ok(rates.clone()));
        prop_assert_eq!(round(&Some(rates.clone())), Ok(Some(rates)));
        prop_assert_eq!(round(&Status::Closed { by: by.clone() }), Ok(Status::Closed { by }));
    }

    #[test]
    fn bytes_come_back(bytes: Vec<u8>) {
        prop_assert_eq!(round(&Buffer(bytes.clone())), Ok(Buffer(bytes.clone())));
        prop_assert_eq!(round(&bytes), Ok(bytes.clone()));
        prop_assert_eq!(decode::<Vec<u8>>(Value::Bytes(bytes.clone())), Ok(bytes));
    }

    #[test]
    fn reading_anything_as_anything_never_panics(json: String, bytes: Vec<u8>, number: i64) {
        for value in [Value::Json(json.clone()), Value::Text(json), Value::Bytes(bytes), Value::Integer(number)] {
            let _ = decode::<Rates>(value.clone());
            let _ = decode::<Option<u8>>(value.clone());
            let _ = decode::<Status>(value.clone());
            let _ = decode::<Vec<String>>(value.clone());
            let _ = decode_bytes(value);
        }
    }
}
