//! What `format!` would not take, either, or takes from elsewhere.

use strongroom::cached;

#[cached(timeout = 600, key = "rate:{day")]
fn open(day: u32) -> u32 {
    day
}

#[cached(timeout = 600, key = "rate:day}")]
fn close(day: u32) -> u32 {
    day
}

#[cached(timeout = 600, key = "rate:{}")]
fn empty(day: u32) -> u32 {
    day
}

#[cached(timeout = 600, key = "rate:{day.len()}")]
fn call(day: u32) -> u32 {
    day
}

#[cached(timeout = 600, key = "rate:{day:width$}")]
fn width(day: u32) -> u32 {
    day
}

#[cached(timeout = 600, key = "")]
fn nothing(day: u32) -> u32 {
    day
}

#[cached(timeout = 600, key = day)]
fn no_text(day: u32) -> u32 {
    day
}

fn main() {}
