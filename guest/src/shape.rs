//! Which part of what a computation returns is stored, and how an entry becomes what it returns again.

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use crate::error::Error;
use crate::limits::HANDED_OVER_BYTES_MAX;
use crate::value::{self, Value};

/// What becomes of the outcome of a computation.
#[derive(Debug, PartialEq)]
pub enum Kept {
    /// This is stored.
    Value(Value),
    /// It is `None`, which is not stored unless asked: what was stored is out of date.
    Nothing,
    /// The computation failed: what was stored is as good as it was.
    Failed,
}

/// How the outcome of a computation is stored and read.
pub trait Shape {
    /// What the computation returns.
    type Outcome;

    /// Writes the outcome, or says why there is nothing to store.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] and [`Error::ValueTooLarge`].
    fn write(&self, outcome: &Self::Outcome, cache_none: bool) -> Result<Kept, Error>;

    /// Reads an entry as the outcome that it was written from.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`].
    fn read(&self, value: Value) -> Result<Self::Outcome, Error>;
}

/// All that is returned, of any type.
#[derive(Debug)]
pub struct Whole<T>(pub(crate) PhantomData<fn() -> T>);

/// What is in the `Ok` of a `Result`. An `Err` is not stored, and needs no serde.
#[derive(Debug)]
pub struct OkOnly<T, E>(pub(crate) PhantomData<fn() -> (T, E)>);

/// A `Result` whole, with its `Err`.
#[derive(Debug)]
pub struct OkAndErr<T, E>(pub(crate) PhantomData<fn() -> (T, E)>);

impl<T: Serialize + DeserializeOwned> Shape for Whole<T> {
    type Outcome = T;

    fn write(&self, outcome: &T, cache_none: bool) -> Result<Kept, Error> {
        write(outcome, cache_none)
    }

    fn read(&self, value: Value) -> Result<T, Error> {
        value::decode(value)
    }
}

impl<T: Serialize + DeserializeOwned, E> Shape for OkOnly<T, E> {
    type Outcome = Result<T, E>;

    fn write(&self, outcome: &Result<T, E>, cache_none: bool) -> Result<Kept, Error> {
        outcome.as_ref().map_or(Ok(Kept::Failed), |value| write(value, cache_none))
    }

    fn read(&self, value: Value) -> Result<Result<T, E>, Error> {
        value::decode(value).map(Ok)
    }
}

impl<T, E> Shape for OkAndErr<T, E>
where
    T: Serialize + DeserializeOwned,
    E: Serialize + DeserializeOwned,
{
    type Outcome = Result<T, E>;

    fn write(&self, outcome: &Result<T, E>, cache_none: bool) -> Result<Kept, Error> {
        if let Ok(value) = outcome
            && !cache_none
            && value::is_none(value)
        {
            return Ok(Kept::Nothing);
        }
        write(outcome, cache_none)
    }

    fn read(&self, value: Value) -> Result<Result<T, E>, Error> {
        value::decode(value)
    }
}

fn write<T: Serialize>(outcome: &T, cache_none: bool) -> Result<Kept, Error> {
    let Some(value) = value::encode_some(outcome)? else {
        return Ok(if cache_none { Kept::Value(Value::nothing()) } else { Kept::Nothing });
    };
    if value.bytes_len() > HANDED_OVER_BYTES_MAX {
        return Err(Error::ValueTooLarge { limit: HANDED_OVER_BYTES_MAX as u64 });
    }
    Ok(Kept::Value(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Whole<Option<i64>> = Whole(PhantomData);
    const OK_ONLY: OkOnly<Option<i64>, &str> = OkOnly(PhantomData);
    const OK_AND_ERR: OkAndErr<Option<i64>, String> = OkAndErr(PhantomData);

    #[test]
    fn none_is_kept_only_where_asked_and_unit_always() {
        assert_eq!(WHOLE.write(&None, false), Ok(Kept::Nothing));
        assert_eq!(WHOLE.write(&None, true), Ok(Kept::Value(Value::nothing())));
        assert_eq!(WHOLE.write(&Some(1), false), Ok(Kept::Value(Value::Integer(1))));
        assert_eq!(Whole(PhantomData).write(&(), false), Ok(Kept::Value(Value::nothing())));
        assert_eq!(Whole(PhantomData).write(&Some(None::<u8>), false), Ok(Kept::Nothing));
        assert_eq!(OK_ONLY.write(&Ok(None), false), Ok(Kept::Nothing));
        assert_eq!(OK_ONLY.write(&Ok(None), true), Ok(Kept::Value(Value::nothing())));
        assert_eq!(OK_AND_ERR.write(&Ok(None), false), Ok(Kept::Nothing));
        assert!(matches!(OK_AND_ERR.write(&Ok(None), true), Ok(Kept::Value(_))));
    }

    #[test]
    fn an_err_is_kept_only_where_asked() {
        assert_eq!(OK_ONLY.write(&Err("down"), true), Ok(Kept::Failed));
        let failed = Err("down".to_owned());
        let Ok(Kept::Value(value)) = OK_AND_ERR.write(&failed, false) else {
            panic!("it is written whole");
        };
        assert_eq!(OK_AND_ERR.read(value), Ok(failed));
    }

    #[test]
    fn an_entry_reads_as_the_outcome_that_it_was_written_from() {
        assert_eq!(WHOLE.read(Value::nothing()), Ok(None));
        assert_eq!(OK_ONLY.read(Value::Integer(1)), Ok(Ok(Some(1))));
        assert!(OK_ONLY.read(Value::Text("x".into())).is_err());
    }

    #[test]
    fn what_would_end_the_extension_is_refused() {
        let large = "x".repeat(HANDED_OVER_BYTES_MAX + 1);
        let refused = Whole(PhantomData).write(&large, false);
        assert_eq!(refused, Err(Error::ValueTooLarge { limit: HANDED_OVER_BYTES_MAX as u64 }));
    }
}
