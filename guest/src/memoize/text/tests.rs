//! The text of each kind of value, and that different values have different texts.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde::Serialize;

use super::*;

fn text<T: Serialize + ?Sized>(value: &T) -> String {
    let mut text = String::new();
    value.serialize(Text(&mut text)).expect("it can be written");
    text
}

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Cents(i64);

#[derive(Serialize)]
struct Pair(u8, &'static str);

#[derive(Serialize)]
struct Point {
    x: f64,
    #[serde(rename = "the y")]
    y: f64,
}

#[derive(Serialize)]
enum Currency {
    Usd,
    Other(&'static str),
    Two(u8, u8),
    Basket {
        of: u8,
    },
    #[serde(rename = "a,b")]
    Renamed,
}

#[derive(Serialize)]
#[serde(rename = "none")]
struct Nothing;

#[derive(Serialize)]
#[serde(rename = "Foo bar")]
struct TwoWords;

#[derive(Serialize)]
struct Straße(u8);

/// What `serde_bytes` does.
struct Bytes(&'static [u8]);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

// Pinned: where a text changes, everything that is stored under it is lost.
#[test]
fn each_kind_has_its_text() {
    assert_eq!(text(&1_u8), "1");
    assert_eq!(text(&-2_i128), "-2");
    assert_eq!(text(&true), "true");
    assert_eq!(text(&'\''), r"'\''");
    assert_eq!(text("a\"b\\c\nd\u{0}é"), r#""a\"b\\c\nd\u{0}é""#);
    assert_eq!(text(&Bytes(b"a\"\xff\n")), r#"b"a\"\xff\n""#);
    assert_eq!(text(&()), "()");
    assert_eq!(text(&None::<u8>), "none");
    assert_eq!(text(&Some(1)), "some(1)");
    assert_eq!(text(&Some(None::<u8>)), "some(none)");
    assert_eq!(text(&[[1, 2].as_slice(), &[]]), "([1,2],[])");
    assert_eq!(text(&vec!["a", "b"]), r#"["a","b"]"#);
    assert_eq!(text(&(1,)), "(1,)");
    assert_eq!(text(&[0; 0]), "(,)");
    assert_eq!(text(&Unit), "Unit");
    assert_eq!(text(&Nothing), "#none");
    assert_eq!(text(&TwoWords), r##"#"Foo bar""##);
    assert_eq!(text(&Straße(1)), r##"#"Straße"(1)"##);
    assert_eq!(text(&Cents(5)), "Cents(5)");
    assert_eq!(text(&Pair(1, "a")), r#"Pair(1,"a")"#);
    assert_eq!(text(&Point { x: 1.0, y: 0.5 }), r#"Point{x:1.0,"the y":0.5}"#);
    assert_eq!(text(&Currency::Usd), "Currency::Usd");
    assert_eq!(text(&Currency::Other("x")), r#"Currency::Other("x")"#);
    assert_eq!(text(&Currency::Two(1, 2)), "Currency::Two(1,2)");
    assert_eq!(text(&Currency::Basket { of: 3 }), "Currency::Basket{of:3}");
    assert_eq!(text(&Currency::Renamed), r#"Currency::"a,b""#);
    assert_eq!(text(&BTreeMap::from([("b", 1), ("a", 2)])), r#"{"a":2,"b":1}"#);
}

#[test]
fn every_float_has_a_text_of_its_own() {
    let floats =
        [0.0, -0.0, 1.0, 0.1, 1e16, 1e300, f64::MIN_POSITIVE, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let texts = floats.map(|float| text(&float));
    assert_eq!(texts[..4], ["0.0", "-0.0", "1.0", "0.1"]);
    assert_eq!(texts[7..], ["nan", "inf", "-inf"]);
    assert_eq!(text(&0.1_f32), "0.1f32");
    assert_ne!(text(&f64::from(0.1_f32)), text(&0.1));
}

#[test]
fn a_map_has_no_order() {
    let one: HashMap<_, _> = (0..50).map(|n| (n.to_string(), n)).collect();
    let other: HashMap<_, _> = (0..50).rev().map(|n| (n.to_string(), n)).collect();
    assert_eq!(text(&one), text(&other));
}

#[test]
fn a_map_has_a_value_for_each_key() {
    use serde::ser::SerializeMap as _;

    /// Its keys, and after each how many values are said to be its.
    struct Odd<'a>(&'a [(u8, usize)]);
    impl Serialize for Odd<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            for (key, values) in self.0 {
                map.serialize_key(key)?;
                (0..*values).try_for_each(|value| map.serialize_value(&value))?;
            }
            map.end()
        }
    }
    assert_eq!(text(&Odd(&[(2, 1), (1, 1)])), "{1:0,2:0}");
    for odd in [[(1, 1), (2, 0)], [(1, 0), (2, 1)], [(1, 2), (2, 1)]] {
        assert!(Odd(&odd).serialize(Text(&mut String::new())).is_err());
    }
}

#[test]
fn where_one_argument_ends_and_the_next_begins_is_no_matter_of_taste() {
    assert_ne!(text(&("ab", "c")), text(&("a", "bc")));
    assert_ne!(text(&("a\",\"b", "c")), text(&("a", "b\",\"c")));
    assert_ne!(text(&(vec![1], vec![2, 3])), text(&(vec![1, 2], vec![3])));
    assert_ne!(text(&vec!["a,b"]), text(&vec!["a", "b"]));
    assert_ne!(text("1"), text(&1));
    assert_ne!(text("none"), text(&None::<u8>));
    assert_ne!(text("Foo bar"), text(&TwoWords));
    assert_ne!(text("x"), text(&'x'));
    assert_ne!(text("x"), text(&Bytes(b"x")));
    assert_ne!(text(&Some(())), text(&None::<()>));
}

/// Everything that serde can be told.
#[derive(Debug, Clone, PartialEq)]
enum Data {
    Bool(bool),
    Integer(i128),
    Float(f64),
    Char(char),
    Text(String),
    Bytes(Vec<u8>),
    None,
    Some(Box<Data>),
    Unit,
    UnitStruct(&'static str),
    Newtype(&'static str, Box<Data>),
    Seq(Vec<Data>),
    Tuple(Vec<Data>),
    TupleStruct(&'static str, Vec<Data>),
    Map(Vec<(Data, Data)>),
    Struct(&'static str, Vec<(&'static str, Data)>),
    UnitVariant(&'static str, &'static str),
    NewtypeVariant(&'static str, &'static str, Box<Data>),
    TupleVariant(&'static str, &'static str, Vec<Data>),
    StructVariant(&'static str, &'static str, Vec<(&'static str, Data)>),
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::{
            SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
            SerializeTupleVariant,
        };
        macro_rules! all {
            ($to:expr, $method:ident, $($items:tt)*) => {{
                let mut to = $to?;
                all!(@each to, $method, $($items)*);
                to.end()
            }};
            (@each $to:ident, $method:ident, fields $items:expr) => {
                for (name, value) in $items {
                    $to.$method(name, value)?;
                }
            };
            (@each $to:ident, $method:ident, $items:expr) => {
                for value in $items {
                    $to.$method(value)?;
                }
            };
        }
        match self {
            Self::Bool(value) => s.serialize_bool(*value),
            Self::Integer(value) => s.serialize_i128(*value),
            Self::Float(value) => s.serialize_f64(*value),
            Self::Char(value) => s.serialize_char(*value),
            Self::Text(value) => s.serialize_str(value),
            Self::Bytes(value) => s.serialize_bytes(value),
            Self::None => s.serialize_none(),
            Self::Some(value) => s.serialize_some(value),
            Self::Unit => s.serialize_unit(),
            Self::UnitStruct(name) => s.serialize_unit_struct(name),
            Self::Newtype(name, value) => s.serialize_newtype_struct(name, value),
            Self::Seq(values) => s.collect_seq(values),
            Self::Map(entries) => s.collect_map(entries.iter().map(|(key, value)| (key, value))),
            Self::Tuple(of) => all!(s.serialize_tuple(of.len()), serialize_element, of),
            Self::TupleStruct(name, of) => {
                all!(s.serialize_tuple_struct(name, of.len()), serialize_field, of)
            }
            Self::Struct(name, of) => all!(s.serialize_struct(name, of.len()), serialize_field, fields of),
            Self::UnitVariant(name, variant) => s.serialize_unit_variant(name, 0, variant),
            Self::NewtypeVariant(name, variant, value) => {
                s.serialize_newtype_variant(name, 0, variant, value)
            }
            Self::TupleVariant(name, variant, of) => {
                all!(s.serialize_tuple_variant(name, 0, variant, of.len()), serialize_field, of)
            }
            Self::StructVariant(name, variant, of) => {
                all!(s.serialize_struct_variant(name, 0, variant, of.len()), serialize_field, fields of)
            }
        }
    }
}

impl Data {
    /// The same with all maps in one order, as their texts have them.
    fn sorted(self) -> Self {
        let all = |of: Vec<Self>| of.into_iter().map(Self::sorted).collect();
        let fields = |of: Vec<(&'static str, Self)>| {
            of.into_iter().map(|(name, value)| (name, value.sorted())).collect()
        };
        match self {
            Self::Some(value) => Self::Some(Box::new(value.sorted())),
            Self::Newtype(name, value) => Self::Newtype(name, Box::new(value.sorted())),
            Self::Seq(of) => Self::Seq(all(of)),
            Self::Tuple(of) => Self::Tuple(all(of)),
            Self::TupleStruct(name, of) => Self::TupleStruct(name, all(of)),
            Self::Map(of) => {
                let mut of: Vec<_> =
                    of.into_iter().map(|(key, value)| (key.sorted(), value.sorted())).collect();
                of.sort_by_key(|(key, _)| format!("{key:?}"));
                Self::Map(of)
            }
            Self::Struct(name, of) => Self::Struct(name, fields(of)),
            Self::NewtypeVariant(name, variant, value) => {
                Self::NewtypeVariant(name, variant, Box::new(value.sorted()))
            }
            Self::TupleVariant(name, variant, of) => Self::TupleVariant(name, variant, all(of)),
            Self::StructVariant(name, variant, of) => Self::StructVariant(name, variant, fields(of)),
            leaf => leaf,
        }
    }
}

/// Few characters, and those that mean something here, so that texts come close to each other.
fn words() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        proptest::sample::select(vec!['A', 'a', '"', '\'', '\\', ',', '(', ')', 'n', '\n', '\u{1}']),
        0..4,
    )
    .prop_map(String::from_iter)
}

fn names() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["A", "B", "a", "none", "some", "", "A::B", "A,a", "a,b", "\"", "#a", "1"])
}

fn data() -> impl Strategy<Value = Data> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Data::Bool),
        (-3_i128..3).prop_map(Data::Integer),
        (-3_i8..3).prop_map(|n| Data::Float(f64::from(n) / 2.0)),
        proptest::sample::select(vec!['a', '"', '\'', '\\', '\n']).prop_map(Data::Char),
        words().prop_map(Data::Text),
        words().prop_map(|text| Data::Bytes(text.into_bytes())),
        Just(Data::None),
        Just(Data::Unit),
        names().prop_map(Data::UnitStruct),
        (names(), names()).prop_map(|(name, variant)| Data::UnitVariant(name, variant)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let one = || inner.clone().prop_map(Box::new);
        let many = || proptest::collection::vec(inner.clone(), 0..3);
        let fields = || proptest::collection::vec((names(), inner.clone()), 0..3);
        let entries = proptest::collection::vec((inner.clone(), inner.clone()), 0..3);
        prop_oneof![
            one().prop_map(Data::Some),
            (names(), one()).prop_map(|(name, value)| Data::Newtype(name, value)),
            many().prop_map(Data::Seq),
            many().prop_map(Data::Tuple),
            (names(), many()).prop_map(|(name, of)| Data::TupleStruct(name, of)),
            entries.prop_map(Data::Map),
            (names(), fields()).prop_map(|(name, of)| Data::Struct(name, of)),
            (names(), names(), one())
                .prop_map(|(name, variant, value)| Data::NewtypeVariant(name, variant, value)),
            (names(), names(), many()).prop_map(|(name, variant, of)| Data::TupleVariant(name, variant, of)),
            (names(), names(), fields())
                .prop_map(|(name, variant, of)| Data::StructVariant(name, variant, of)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    // `Float` is only ever finite and never -0.0 here, so equal data has equal texts.
    #[test]
    fn two_values_have_the_same_text_only_if_they_are_the_same(all in proptest::collection::vec(data(), 2..24)) {
        let all: Vec<_> = all.into_iter().map(Data::sorted).map(|data| (text(&data), data)).collect();
        for (number, (left_text, left)) in all.iter().enumerate() {
            for (right_text, right) in &all[number + 1..] {
                prop_assert_eq!(left_text == right_text, left == right, "{} {}", left_text, right_text);
            }
        }
    }

    // Of lists, as of arguments, it matters where each part ends.
    #[test]
    fn two_lists_have_the_same_text_only_if_they_are_the_same(
        all in proptest::collection::vec(words(), 0..5),
        at in 0_usize..5,
        other in 0_usize..5,
    ) {
        let parts = |at: usize| {
            let (head, rest) = all.split_at(at.min(all.len()));
            (head.concat(), rest.to_vec())
        };
        prop_assert_eq!(text(&parts(at)) == text(&parts(other)), parts(at) == parts(other));
    }

    #[test]
    fn every_finite_float_has_a_text_of_its_own(left: u64, right: u64) {
        let (left, right) = (f64::from_bits(left), f64::from_bits(right));
        prop_assume!(!left.is_nan() && !right.is_nan());
        prop_assert_eq!(text(&left) == text(&right), left.to_bits() == right.to_bits());
    }

    #[test]
    fn texts_come_apart_again(text_in: String, c: char) {
        let quoted = text(&text_in);
        let inner = &quoted[1..quoted.len() - 1];
        // No quote inside that is not escaped.
        let mut escaped = false;
        for found in inner.chars() {
            prop_assert!(escaped || found != '"');
            escaped = found == '\\' && !escaped;
        }
        prop_assert!(!escaped);
        prop_assert_ne!(text(&c.to_string()), text(&c));
    }
}
