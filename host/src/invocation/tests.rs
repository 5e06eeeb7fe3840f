//! What is left to an invocation.

use super::*;

fn budget(limits: InvocationLimits) -> Arc<Budget> {
    Arc::new(Budget::new(limits))
}

#[tokio::test(start_paused = true)]
async fn operations_and_bytes_are_used_up() {
    let limits = InvocationLimits::UNLIMITED.operations(10).bytes(100);
    let budget = budget(limits);
    assert_eq!(budget.spend(11, 0), Err(OVER), "a batch that does not fit");
    assert_eq!(budget.spend(9, 60), Ok(()), "was not counted");
    budget.was_read(30);
    assert_eq!(budget.spend(1, 11), Err(OVER));
    assert_eq!(budget.spend(0, 10), Ok(()));
    budget.was_read(5);
    assert_eq!(budget.spend(0, 0), Err(OVER), "what was read is counted as well");
}

#[tokio::test(start_paused = true)]
async fn time_runs_out() {
    let budget = budget(InvocationLimits::UNLIMITED.time(Duration::from_secs(5)));
    assert_eq!(budget.wait(Duration::from_secs(30)), Duration::from_secs(5));
    assert_eq!(budget.spend(1000, 1 << 30), Ok(()));
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(budget.spend(1, 0), Err(OVER));
    assert_eq!(budget.wait(Duration::from_secs(30)), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn handles_are_counted_while_they_are_there() {
    let budget = budget(InvocationLimits::UNLIMITED.handles(NonZeroU32::new(2).expect("not zero")));
    let first = budget.handle();
    let second = budget.handle();
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(budget.handle().err(), Some(ErrorKind::TooManyHandles { limit: 2 }));
    drop(first);
    assert!(budget.handle().is_ok());
}

#[test]
fn nothing_is_limited_unless_it_is_said() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _inside = runtime.enter();
    let budget = budget(InvocationLimits::UNLIMITED);
    assert_eq!(budget.spend(usize::MAX, usize::MAX), Ok(()));
    assert!((0..10_000).map(|_| budget.handle()).collect::<Result<Vec<_>, _>>().is_ok());
    assert_eq!(budget.wait(Duration::from_secs(30)), Duration::from_secs(30));
}
