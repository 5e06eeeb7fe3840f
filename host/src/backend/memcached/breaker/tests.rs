//! The breaker's states, on a clock that the tests move.

use super::*;

const PROBE_TIME_MAX: Duration = Duration::from_secs(2);

/// A breaker whose waits are exactly their means.
fn breaker() -> Breaker {
    Breaker::new("a", PROBE_TIME_MAX, || 0.5)
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn no() -> Admission {
    Admission::No("refused".to_owned())
}

fn probe() -> Admission {
    Admission::Probe("refused".to_owned())
}

fn admit(breaker: &Breaker, now: Instant) -> Admission {
    breaker.admit(|| now)
}

fn fail(breaker: &Breaker, times: u32, now: Instant) {
    (0..times).for_each(|_| breaker.failed(now, "refused"));
}

#[test]
fn a_stall_beside_answers_is_no_failure() {
    let (breaker, patience) = (breaker(), seconds(1.0));
    let start = breaker.made;
    breaker.heard(start + seconds(5.0));
    (0..9).for_each(|_| breaker.stalled(start + seconds(5.5), patience, "refused"));
    assert_eq!(breaker.read(start).state, ServerState::Up);
    (0..3).for_each(|_| breaker.stalled(start + seconds(6.5), patience, "refused"));
    assert_eq!(breaker.read(start).state, ServerState::Down);
}

#[test]
fn a_server_that_never_answered_fails_by_stalling() {
    let breaker = breaker();
    (0..3).for_each(|_| breaker.stalled(breaker.made, seconds(1.0), "refused"));
    assert_eq!(breaker.read(breaker.made).state, ServerState::Down);
}

#[test]
fn three_failures_in_a_row_open_it() {
    let (breaker, now) = (breaker(), Instant::now());
    fail(&breaker, 2, now);
    assert_eq!(admit(&breaker, now), Admission::Yes);
    assert_eq!(breaker.read(now).state, ServerState::Failing);
    breaker.succeeded();
    assert_eq!(breaker.read(now).state, ServerState::Up);
    fail(&breaker, 2, now);
    assert_eq!(admit(&breaker, now), Admission::Yes, "the row began anew");
    fail(&breaker, 1, now);
    assert_eq!(admit(&breaker, now), no());
    let reading = breaker.read(now + seconds(2.0));
    assert_eq!((reading.state, reading.failures), (ServerState::Down, 5));
    assert_eq!(reading.outage, Some(seconds(2.0)));
}

#[test]
fn one_caller_probes_and_all_fail_until_the_probe_succeeds() {
    let (breaker, start) = (breaker(), Instant::now());
    fail(&breaker, 3, start);
    assert_eq!(admit(&breaker, start + seconds(0.99)), no());
    let due = start + seconds(1.0);
    assert_eq!(admit(&breaker, due), probe());
    assert_eq!([admit(&breaker, due), admit(&breaker, due)], [no(), no()]);
    breaker.succeeded();
    assert_eq!(admit(&breaker, due), Admission::Yes);
    assert_eq!(breaker.read(due).outage, None);
}

#[test]
fn the_wait_is_an_eighth_of_the_outage_from_a_second_to_a_minute() {
    let (breaker, start) = (breaker(), Instant::now());
    fail(&breaker, 3, start);
    for (outage, wait) in
        [(0.0, 1.0), (4.0, 1.0), (8.0, 1.0), (16.0, 2.0), (80.0, 10.0), (480.0, 60.0), (9000.0, 60.0)]
    {
        let now = start + seconds(outage);
        breaker.failed(now, "refused");
        assert_eq!(admit(&breaker, now + seconds(wait - 0.001)), no(), "after {outage} s");
        assert_eq!(admit(&breaker, now + seconds(wait + 0.001)), probe(), "after {outage} s");
    }
}

#[test]
fn waits_are_a_fifth_shorter_or_longer() {
    let earliest = Breaker::new("a", PROBE_TIME_MAX, || 0.0);
    let latest = Breaker::new("a", PROBE_TIME_MAX, || 1.0);
    let start = Instant::now();
    for (breaker, wait) in [(earliest, 0.8), (latest, 1.2)] {
        fail(&breaker, 3, start);
        assert_eq!(admit(&breaker, start + seconds(wait - 0.001)), no());
        assert_eq!(admit(&breaker, start + seconds(wait + 0.001)), probe());
    }
}

#[test]
fn a_prober_that_never_answers_is_replaced() {
    let (breaker, start) = (breaker(), Instant::now());
    fail(&breaker, 3, start);
    let due = start + seconds(1.0);
    assert_eq!(admit(&breaker, due), probe());
    assert_eq!(admit(&breaker, due + PROBE_TIME_MAX - seconds(0.001)), no());
    assert_eq!(admit(&breaker, due + PROBE_TIME_MAX), probe());
    assert_eq!(admit(&breaker, due + PROBE_TIME_MAX), no());
}
