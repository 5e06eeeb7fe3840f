//! Telling a function that returns a `Result` from others by its type, so that an alias of one is one.

use std::marker::PhantomData;

use crate::shape::{OkAndErr, OkOnly, Whole};

/// A function's return type.
#[derive(Debug)]
pub struct Returns<R>(PhantomData<fn() -> R>);

impl<R> Returns<R> {
    /// For the type that the function names.
    #[expect(clippy::new_without_default, reason = "generated code names it, and nobody else")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

// Where the type is a `Result`, this method is found first, as it is the type's own; everywhere else only
// the trait's is there. Neither names serde, so that a type without it is complained of by its name.
impl<T, E> Returns<Result<T, E>> {
    /// Stores what is `Ok`.
    pub fn without_errors(self) -> OkOnly<T, E> {
        OkOnly(PhantomData)
    }
}

/// What returns no `Result`, or one that only its caller knows.
pub trait AnyReturn<R> {
    /// Stores whatever is returned.
    fn without_errors(self) -> Whole<R>;
}

impl<R> AnyReturn<R> for Returns<R> {
    fn without_errors(self) -> Whole<R> {
        Whole(PhantomData)
    }
}

/// A `Result`, by whatever name.
#[diagnostic::on_unimplemented(
    message = "`cache_err` is for functions that return a `Result`, and this one returns `{Self}`",
    label = "no `Result`",
    note = "leave out `cache_err`"
)]
pub trait IsResult {
    /// What stores it whole.
    type Shape;
    /// Stores the whole.
    fn with_errors() -> Self::Shape;
}

impl<T, E> IsResult for Result<T, E> {
    type Shape = OkAndErr<T, E>;

    fn with_errors() -> OkAndErr<T, E> {
        OkAndErr(PhantomData)
    }
}

/// Stores what a `Result` holds, `Ok` or `Err`.
pub fn with_errors<R: IsResult>(_: Returns<R>) -> R::Shape {
    R::with_errors()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fallible<T> = Result<T, std::fmt::Error>;

    #[test]
    fn a_result_is_one_by_any_name() {
        let _: OkOnly<u8, ()> = Returns::<Result<u8, ()>>::new().without_errors();
        let _: OkOnly<u8, std::fmt::Error> = Returns::<Fallible<u8>>::new().without_errors();
        let _: Whole<Option<u8>> = Returns::<Option<u8>>::new().without_errors();
        let _: OkAndErr<u8, std::fmt::Error> = with_errors(Returns::<Fallible<u8>>::new());
    }

    #[test]
    fn what_only_the_caller_knows_is_stored_whole() {
        fn shape<T>() -> Whole<T> {
            Returns::<T>::new().without_errors()
        }
        let _: Whole<Result<u8, ()>> = shape();
    }
}
