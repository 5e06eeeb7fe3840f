//! What is cached: the rates of a day for the whole stack, and the last conversion for the session.

use std::time::Instant;

use serde::{Serialize, de::DeserializeOwned};
use strongroom::{Cache, Error, Ttl, session_cache, stack_cache};

use crate::date::Date;
use crate::rates::{Conversion, Day, History};
use crate::step::{Found, Step};

/// The rates of a past day never change; this is for how long it is likely to be asked for again.
const DAY_TTL: Ttl = Ttl::days(1);

/// About as long as a login.
const LAST_TTL: Ttl = Ttl::hours(1);

/// The rates of the day: from the stack's cache, or else from the file.
///
/// A cache that fails costs time, never the answer.
pub(crate) fn rates_of_day(history: &History<'_>, on: Date) -> Result<(Day, Step), String> {
    let started = Instant::now();
    // Other extensions of the tenant use the same cache, hence the name before the key.
    let key = format!("fx/day/{on}");
    let name = format!("rates {on}");
    let cache = stack_cache();
    let (found, day) = Found::from_read(get::<Day>(&cache, &key));
    if let Some(day) = day {
        return Ok((day, Step::since(started, name, "stack", found)));
    }
    let day = history.day(on)?;
    let stored = put(&cache, &key, &day, DAY_TTL, "stored for a day");
    let step = Step::since(started, name, "stack", found)
        .noting(format!("read {} KB of rates", history.size() / 1000))
        .noting(stored);
    Ok((day, step))
}

/// The conversion before this one, from the session's cache, where this one takes its place.
pub(crate) fn last_conversion(this: &Conversion) -> (Option<Conversion>, Step) {
    const KEY: &str = "fx/last";
    let started = Instant::now();
    let cache = session_cache();
    let (found, last) = Found::from_read(get::<Conversion>(&cache, KEY));
    let stored = put(&cache, KEY, this, LAST_TTL, "this one stored for an hour");
    let step = Step::since(started, "last conversion".to_owned(), "session", found).noting(stored);
    (last, step)
}

fn get<T: DeserializeOwned>(cache: &Result<Cache, Error>, key: &str) -> Result<Option<T>, Error> {
    cache.as_ref().map_err(Error::clone)?.get(key)
}

/// Stores the value where there is a cache, and remarks on how that went.
fn put<T: Serialize>(cache: &Result<Cache, Error>, key: &str, value: &T, ttl: Ttl, stored: &str) -> String {
    match cache.as_ref().map(|cache| cache.set(key, value, ttl)) {
        Ok(Ok(())) => stored.to_owned(),
        Ok(Err(error)) => format!("not stored: {error}"),
        // The step says already that there is no cache.
        Err(_) => String::new(),
    }
}
