//! What holds several values: sequences and tuples, structs, and maps.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::{Refused, Text, Written};

/// Values between brackets, one after the other.
pub(crate) struct Parts<'a> {
    pub(super) to: &'a mut String,
    pub(super) count: usize,
    pub(super) close: char,
}

impl Parts<'_> {
    fn next(&mut self) {
        if self.count > 0 {
            self.to.push(',');
        }
        self.count += 1;
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.next();
        value.serialize(Text(self.to))
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Written {
        self.next();
        Text(self.to).name(name);
        self.to.push(':');
        value.serialize(Text(self.to))
    }

    fn close(self) -> Written {
        self.to.push(self.close);
        Ok(())
    }

    /// `(,)` is not `()`, and `(1,)` is no `Name(1)`, as in Rust.
    fn close_tuple(self) -> Written {
        if self.count < 2 {
            self.to.push(',');
        }
        self.close()
    }
}

impl SerializeSeq for Parts<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.value(value)
    }

    fn end(self) -> Written {
        self.close()
    }
}

impl SerializeTuple for Parts<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.value(value)
    }

    fn end(self) -> Written {
        self.close_tuple()
    }
}

impl SerializeTupleStruct for Parts<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.value(value)
    }

    fn end(self) -> Written {
        self.close_tuple()
    }
}

impl SerializeTupleVariant for Parts<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.value(value)
    }

    fn end(self) -> Written {
        self.close_tuple()
    }
}

impl SerializeStruct for Parts<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
        self.field(name, value)
    }

    fn end(self) -> Written {
        self.close()
    }
}

impl SerializeStructVariant for Parts<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
        self.field(name, value)
    }

    fn end(self) -> Written {
        self.close()
    }
}

/// The entries of a map, kept until the end, where they are sorted by their keys.
pub(crate) struct Entries<'a> {
    pub(super) to: &'a mut String,
    /// The key whose value is next.
    pub(super) key: Option<String>,
    pub(super) entries: Vec<(String, String)>,
}

impl SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        let mut text = String::new();
        key.serialize(Text(&mut text))?;
        // The one before has got its value.
        if self.key.replace(text).is_some() { Err(Refused) } else { Ok(()) }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        let key = self.key.take().ok_or(Refused)?;
        let mut text = String::new();
        value.serialize(Text(&mut text))?;
        self.entries.push((key, text));
        Ok(())
    }

    fn end(mut self) -> Written {
        if self.key.is_some() {
            return Err(Refused);
        }
        // Stable, so that a key that comes twice keeps the order of its values.
        self.entries.sort_by(|(left, _), (right, _)| left.cmp(right));
        let entries: Vec<_> = self.entries.iter().map(|(key, value)| format!("{key}:{value}")).collect();
        self.to.push('{');
        self.to.push_str(&entries.join(","));
        self.to.push('}');
        Ok(())
    }
}
