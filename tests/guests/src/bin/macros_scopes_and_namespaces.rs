//! Each scope and each namespace of one keeps results of its own.

use strongroom::{Error, cached, get_cache, session_cache, stack_cache};

#[cached(timeout = 600, key = "k")]
fn by_default() -> u32 {
    1
}

#[cached(timeout = 600, scope = stack, key = "k")]
fn of_the_stack() -> u32 {
    2
}

#[cached(timeout = 600, scope = session, key = "k")]
fn of_the_session() -> u32 {
    3
}

#[cached(timeout = 600, namespace = "rates", key = "k")]
fn in_a_namespace() -> u32 {
    4
}

#[cached(timeout = 600, scope = "session", namespace = "rates", key = "k")]
fn in_a_namespace_of_the_session() -> u32 {
    5
}

fn main() -> Result<(), Error> {
    assert_eq!(by_default(), 1);
    assert_eq!(of_the_stack(), 1, "the default is the stack's, where there is one");
    assert_eq!((of_the_session(), in_a_namespace(), in_a_namespace_of_the_session()), (3, 4, 5));

    assert_eq!(stack_cache()?.get::<u32>("k")?, Some(1));
    assert_eq!(session_cache()?.get::<u32>("k")?, Some(3));
    assert_eq!(get_cache("rates")?.get::<u32>("k")?, Some(4));
    assert_eq!(session_cache()?.namespace("rates")?.get::<u32>("k")?, Some(5));

    assert!(in_a_namespace::invalidate()?);
    assert_eq!(get_cache("rates")?.get::<u32>("k")?, None);
    assert_eq!(stack_cache()?.get::<u32>("k")?, Some(1));
    Ok(())
}
