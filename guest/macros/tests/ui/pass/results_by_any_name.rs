//! An `Err` needs no serde, whatever the `Result` is called.
#![deny(warnings)]

use strongroom::cached;

/// Without serde.
#[derive(Debug, PartialEq)]
struct Down;

type Fallible<T> = Result<T, Down>;

mod elsewhere {
    pub type Outcome = super::Fallible<Option<u8>>;
}

#[cached(timeout = 600)]
fn alias() -> Fallible<u8> {
    Err(Down)
}

#[cached(timeout = 600, cache_none)]
fn hidden() -> elsewhere::Outcome {
    Ok(None)
}

#[cached(timeout = 600)]
fn io() -> std::io::Result<u8> {
    Ok(1)
}

#[cached(timeout = 600)]
fn boxed() -> Result<u8, Box<dyn std::error::Error>> {
    Err("down".into())
}

#[cached(timeout = 600)]
fn borrowed(text: &str) -> Result<u8, &str> {
    Err(text)
}

#[cached(timeout = 600, cache_err)]
fn kept() -> Result<u8, String> {
    Err("down".into())
}

#[cached(timeout = 600)]
fn checked(id: u8) -> Result<(), Down> {
    if id == 0 { Err(Down) } else { Ok(()) }
}

fn main() {
    assert_eq!((alias(), hidden()), (Err(Down), Ok(None)));
    assert_eq!((io().ok(), boxed().is_err()), (Some(1), true));
    assert_eq!((borrowed("x"), kept()), (Err("x"), Err("down".into())));
    assert_eq!((checked(0), checked(1)), (Err(Down), Ok(())));
}
