//! Quotas, on a clock that stands still.

use super::*;

const VALUE_BYTES_MAX: usize = 2 * 1024 * 1024;

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not zero")
}

fn account(quota: Quota, clock: &Clock) -> Arc<Account> {
    Arc::new(Account::new(quota, clock, VALUE_BYTES_MAX))
}

fn retry_after(outcome: Result<UnderWay, ErrorKind>) -> Duration {
    match outcome.err() {
        Some(ErrorKind::QuotaExceeded { retry_after }) => retry_after,
        other => panic!("it is refused by the quota, not {other:?}"),
    }
}

#[test]
fn a_second_of_operations_may_be_done_at_once_and_then_as_they_come() {
    let clock = Clock::manual();
    let account = account(Quota::UNLIMITED.operations_per_second(number(100)), &clock);
    assert!((0..100).all(|_| account.admit(1, 1 << 30).is_ok()));
    let wait = retry_after(account.admit(1, 0));
    assert!(wait <= Duration::from_millis(10), "{wait:?}");
    clock.advance(wait);
    assert!(account.admit(1, 0).is_ok());
    retry_after(account.admit(1, 0));
    let wait = retry_after(account.admit(50, 0));
    assert!(wait > Duration::from_millis(400) && wait <= Duration::from_millis(500), "{wait:?}");
    clock.advance(wait);
    assert!(account.admit(50, 0).is_ok());
}

#[test]
fn the_time_to_try_again_is_right() {
    let clock = Clock::manual();
    let account = account(Quota::UNLIMITED.operations_per_second(number(7)), &clock);
    for _ in 0..1000 {
        match account.admit(1, 0) {
            Ok(_) => {}
            Err(ErrorKind::QuotaExceeded { retry_after }) => {
                clock.advance(retry_after);
                assert!(account.admit(1, 0).is_ok(), "it came when it was told to");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn one_value_of_the_largest_size_can_be_written_at_any_rate() {
    let clock = Clock::manual();
    let account = account(Quota::UNLIMITED.bytes_written_per_second(number(1024)), &clock);
    assert!(account.admit(1, VALUE_BYTES_MAX).is_ok());
    let wait = retry_after(account.admit(1, VALUE_BYTES_MAX));
    assert!(wait > Duration::from_secs(2000), "{wait:?}");
    assert!(account.admit(1, 0).is_ok(), "reads write nothing");
    clock.advance(wait);
    assert!(account.admit(1, VALUE_BYTES_MAX).is_ok());
}

#[test]
fn a_batch_is_as_large_as_a_second_allows() {
    let clock = Clock::manual();
    let quota = Quota::UNLIMITED.operations_per_second(number(10)).bytes_written_per_second(number(1));
    assert_eq!(account(quota, &clock).batch_max(), (10, VALUE_BYTES_MAX));
    assert_eq!(account(Quota::UNLIMITED, &clock).batch_max(), (BATCH_KEYS_MAX, BATCH_BYTES_MAX));
    let generous =
        Quota::UNLIMITED.operations_per_second(number(u32::MAX)).bytes_written_per_second(number(u32::MAX));
    assert_eq!(account(generous, &clock).batch_max(), (BATCH_KEYS_MAX, BATCH_BYTES_MAX));
}

#[test]
fn operations_under_way_are_counted_until_they_end() {
    let account = account(Quota::UNLIMITED.concurrent_operations(number(2)), &Clock::manual());
    let first = account.admit(1, 0).expect("there is room");
    let _second = account.admit(1, 0).expect("there is room");
    assert_eq!(retry_after(account.admit(1, 0)), CONCURRENT_RETRY);
    drop(first);
    assert!(account.admit(1, 0).is_ok());
}

#[test]
fn stacks_are_counted_apart_and_their_sessions_together() {
    let quotas = Quotas {
        default: Quota::UNLIMITED.operations_per_second(number(1)),
        stacks: [("globex".to_owned(), Change { operations: Some(None), ..Change::default() })].into(),
    };
    let accounts = Accounts::new(quotas, VALUE_BYTES_MAX, Clock::manual());
    let service = Partition::service("fx").expect("valid");
    let (acme, globex) = (service.stack("acme").expect("valid"), service.stack("globex").expect("valid"));
    let initech = service.stack("initech").expect("valid");
    let admit = |partition: &Partition| accounts.of(partition).admit(1, 0);
    assert!(admit(&acme.session("anna").expect("valid")).is_ok());
    retry_after(admit(&acme.session("ben").expect("valid")));
    retry_after(admit(&acme));
    assert!(admit(&initech).is_ok(), "it has its own");
    assert!(admit(&service).is_ok(), "what has no stack has its own");
    assert!((0..100).all(|_| admit(&globex).is_ok()), "its line says none");
    let elsewhere = Partition::service("other").and_then(|service| service.stack("acme")).expect("valid");
    assert!(admit(&elsewhere).is_ok(), "another service's stack is another one");
}
