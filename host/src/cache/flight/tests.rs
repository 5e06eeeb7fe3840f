//! Who is woken by what.

use super::*;

const LATE: Duration = Duration::from_secs(5);

fn key() -> StorageKey {
    StorageKey::parse(":AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").expect("of the right form")
}

fn value() -> Value {
    Value::from("v")
}

async fn is_told(seat: &Seat) -> bool {
    matches!(seat.wait(Instant::now() + LATE).await, Waited::News(News::Value(found)) if found == value())
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_are_told_at_once() {
    let flights = Arc::new(Flights::new());
    let computes = flights.join(&key());
    computes.compute(Instant::now() + LATE);
    assert!(flights.is_computing(&key()));
    let begun = Instant::now();
    let waiters: Vec<_> = (0..100)
        .map(|_| {
            let seat = flights.join(&key());
            tokio::spawn(async move { is_told(&seat).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    computes.land(computes.now(), News::Value(value()));
    for waiter in waiters {
        assert!(waiter.await.expect("no panic"));
    }
    assert_eq!(begun.elapsed(), Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_after_the_question_asks_anew() {
    let flights = Arc::new(Flights::new());
    let computes = flights.join(&key());
    computes.compute(Instant::now() + LATE);
    let asked = computes.now();
    let late = flights.join(&key());
    computes.land(asked, News::Value(value()));
    drop(computes);
    assert!(matches!(late.wait(Instant::now() + LATE).await, Waited::Turn(_)));
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_given_back_is_somebodys_turn_at_once() {
    let flights = Arc::new(Flights::new());
    let computes = flights.join(&key());
    computes.compute(Instant::now() + LATE);
    let waits = flights.join(&key());
    let begun = Instant::now();
    let waiter = tokio::spawn(async move { matches!(waits.wait(begun + LATE).await, Waited::Turn(_)) });
    tokio::time::sleep(Duration::from_millis(1)).await;
    drop(computes);
    assert!(waiter.await.expect("no panic"));
    assert_eq!(begun.elapsed(), Duration::from_millis(1));
    assert!(!flights.is_computing(&key()));
}

#[tokio::test(start_paused = true)]
async fn a_right_whose_lease_is_over_holds_nobody_back() {
    let flights = Arc::new(Flights::new());
    let computes = flights.join(&key());
    let ends = Instant::now() + Duration::from_secs(2);
    computes.compute(ends);
    let waits = flights.join(&key());
    assert!(matches!(waits.wait(Instant::now() + LATE).await, Waited::Turn(_)));
    assert!(Instant::now() >= ends && !flights.is_computing(&key()));
}

#[tokio::test(start_paused = true)]
async fn one_asks_for_all_and_less_and_less_often() {
    let flights = Arc::new(Flights::new());
    let begun = Instant::now();
    let waiters: Vec<_> = (0..20)
        .map(|_| {
            let seat = flights.join(&key());
            tokio::spawn(async move {
                let mut looks = 0;
                while let Waited::Turn(turn) = seat.wait(begun + Duration::from_secs(2)).await {
                    looks += 1;
                    turn.put_off();
                }
                looks
            })
        })
        .collect();
    let mut looks = 0;
    for waiter in waiters {
        looks += waiter.await.expect("no panic");
    }
    assert_eq!(begun.elapsed(), Duration::from_secs(2), "nobody waits longer");
    // At 100 ms or half of it each, but for the first few.
    assert!((15..60).contains(&looks), "{looks}");
}

#[tokio::test(start_paused = true)]
async fn a_flight_is_forgotten_with_its_last_seat() {
    let flights = Arc::new(Flights::new());
    let seats = [flights.join(&key()), flights.join(&key())];
    assert!(seats[0].has_company());
    drop(seats);
    assert!(flights.lock(&key()).is_empty());
}
