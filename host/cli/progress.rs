//! Shows that long work is going on: a moving time on a terminal, a line now and then elsewhere.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

/// Work that is done sooner goes unmentioned.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often a terminal's line is drawn again.
const REDRAW: Duration = Duration::from_millis(100);

/// How often a log is told that it still goes on.
const REMIND: Duration = Duration::from_secs(5);

/// Waits for the work, and shows on stderr that it goes on if it takes more than a moment. Answers how long
/// it took, too.
pub(crate) async fn shown<T>(what: &str, work: impl Future<Output = T>) -> (T, Duration) {
    let mut work = std::pin::pin!(work);
    let began = Instant::now();
    tokio::select! {
        done = &mut work => return (done, began.elapsed()),
        () = tokio::time::sleep(PATIENCE) => {}
    }
    let is_terminal = std::io::stderr().is_terminal();
    let mut ticks = tokio::time::interval(if is_terminal { REDRAW } else { REMIND });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            _ = ticks.tick() => draw(&line(what, began.elapsed(), is_terminal)),
        }
    };
    draw(&last_line(what, began.elapsed(), is_terminal));
    (done, began.elapsed())
}

fn line(what: &str, elapsed: Duration, is_terminal: bool) -> String {
    let seconds = elapsed.as_secs_f64();
    match is_terminal {
        true => format!("\r{what} ... {seconds:.1} s"),
        false if elapsed < REMIND => format!("{what} ...\n"),
        false => format!("{what} ... {seconds:.0} s\n"),
    }
}

/// A terminal forgets the line, as the guest's own output follows; a log gets an end to what it was told.
fn last_line(what: &str, elapsed: Duration, is_terminal: bool) -> String {
    match is_terminal {
        true => "\r\x1b[K".to_owned(),
        false => format!("{what}: done in {:.1} s\n", elapsed.as_secs_f64()),
    }
}

fn draw(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // A stderr that can't be written to is no reason to stop the work.
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn quick_work_passes_through() {
        let (done, elapsed) = shown("thinking", async { 42 }).await;
        assert_eq!(done, 42);
        assert!(elapsed < PATIENCE);
    }

    #[test]
    fn a_terminal_gets_a_moving_line_and_a_log_gets_whole_ones() {
        let elapsed = Duration::from_millis(1250);
        assert_eq!(line("compiling", elapsed, true), "\rcompiling ... 1.2 s");
        assert_eq!(line("compiling", elapsed, false), "compiling ...\n");
        assert_eq!(line("compiling", 6 * elapsed, false), "compiling ... 8 s\n");
        assert!(last_line("compiling", elapsed, false).ends_with('\n'));
    }
}
