//! What is cached: the summary of a year for the whole stack, and the view for the session.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use strongroom::{Error, Ttl, cached, session_cache};

use crate::ledger::{self, Ledger};
use crate::step::{Milliseconds, Step};
use crate::summary::Summary;
use crate::view::View;

/// About as long as a login.
const VIEW_TTL: Ttl = Ttl::hours(1);

/// Where the session's last view is kept. Other extensions use the same cache, hence the name before it.
const LAST_VIEW: &str = "statement/view";

thread_local! {
    /// Whether this run has computed a summary. What is cached can't say so: it is the same for everybody.
    static HAS_COMPUTED: Cell<bool> = const { Cell::new(false) };
}

/// A summary, and how long it took whoever computed it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Computed {
    summary: Summary,
    took: Duration,
}

/// The summary of the year, and whether this session was the one that computed it.
pub(crate) fn summary(file: &str, year: u16) -> Result<(Summary, Step), String> {
    let started = Instant::now();
    let Computed { summary, took } = computed(file, year)?;
    let found = if HAS_COMPUTED.take() { "computed" } else { "cached" };
    let step = Step::since(started, format!("summary of {year}"), "stack", found)
        .noting(format!("{} to compute", Milliseconds(took)));
    Ok((summary, step))
}

/// Computed by one session of the stack, and read by all the others for ten minutes. For a minute more it is
/// still read while one computes it anew; the file is not looked at before. Whoever comes while it is being
/// computed waits about as long as that may take.
#[cached(timeout = 600, scope = stack, grace = 60, wait = 10)]
fn computed(file: &str, year: u16) -> Result<Computed, String> {
    let started = Instant::now();
    HAS_COMPUTED.set(true);
    let text = ledger::read(file)?;
    let in_file = |complaint: String| format!("{file}: {complaint}");
    let ledger = Ledger::parse(&text).map_err(in_file)?;
    let summary = Summary::of(&ledger, year).map_err(in_file)?;
    Ok(Computed { summary, took: started.elapsed() })
}

/// The view that was asked for, or else the one that this session saw last, and how often it has seen it.
pub(crate) fn view(asked: Option<View>) -> (View, Step) {
    let started = Instant::now();
    let last = last_view();
    // What another version of this extension has stored may be no view any more.
    let known = last.as_ref().ok().and_then(|last| last.as_ref()?.parse().ok());
    let view = asked.or(known).unwrap_or(View::All);
    let note = match (&last, known) {
        (Err(error), _) => remark(error),
        (Ok(_), Some(last)) if last != view => format!("last time: {last}"),
        (Ok(_), Some(_)) => "as last time".to_owned(),
        (Ok(_), None) => "nothing seen before".to_owned(),
    };
    let found = seen(view).map_or_else(|_| "none".to_owned(), |times| format!("time {times}"));
    (view, Step::since(started, format!("view {view}"), "session", found).noting(note))
}

fn last_view() -> Result<Option<String>, Error> {
    session_cache()?.get(LAST_VIEW)
}

/// Keeps the view as the last one; answers how often the session has seen it.
fn seen(view: View) -> Result<u64, Error> {
    let cache = session_cache()?;
    cache.set(LAST_VIEW, &view.to_string(), VIEW_TTL)?;
    cache.counter(&format!("statement/seen/{view}")).expiring(VIEW_TTL).increment(1)
}

/// What went wrong with the session's cache.
fn remark(error: &Error) -> String {
    match error {
        Error::NoSuchScope => "this run has no session".to_owned(),
        error if error.is_transient() => "no cache answers now".to_owned(),
        error => error.to_string(),
    }
}
