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
            let seat = flights.queue(&key());
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
    let late = flights.queue(&key());
    computes.land(asked, News::Value(value()));
    drop(computes);
    assert!(matches!(late.wait(Instant::now() + LATE).await, Waited::Turn(_)));
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_given_back_is_somebodys_turn_at_once() {
    let flights = Arc::new(Flights::new());
    let computes = flights.join(&key());
    computes.compute(Instant::now() + LATE);
    let waits = flights.queue(&key());
    let begun = Instant::now();
    let waiter = tokio::spawn(async move { matches!(waits.wait(begun + LATE).await, Waited::Turn(_)) });
    tokio::time::sleep(Duration::from_millis(1)).await;
    drop(computes);
    assert!(waiter.await.expect("no panic"));
    assert_eq!(begun.elapsed(), Duration::from_millis(1));
    assert!(!flights.is_computing(&key()));
}

#[tokio::test(start_paused = true)]
async fn a_right_that_may_be_lost_is_looked_after_now_and_then_and_at_the_end_of_its_lease() {
    let flights = Arc::new(Flights::new());
    let computes = flights.join(&key());
    let begun = Instant::now();
    let ends = begun + Duration::from_secs(2);
    computes.compute(ends);
    let waits = flights.queue(&key());
    let mut looks = 0;
    while flights.is_computing(&key()) {
        let Waited::Turn(turn) = waits.wait(begun + LATE).await else { panic!("there is time") };
        looks += 1;
        turn.put_off();
    }
    assert!((5..=17).contains(&looks), "{looks}");
    assert_eq!(Instant::now(), ends);
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_outlives_its_lease_has_nobody_ask_without_a_pause() {
    let flights = Arc::new(Flights::new());
    let begun = Instant::now();
    let computes = flights.join(&key());
    computes.compute(begun + Duration::from_secs(1));
    let waits = flights.queue(&key());
    let mut looks = 0;
    // Another host has the right by then, so that no look finds anything.
    while let Waited::Turn(turn) = waits.wait(begun + Duration::from_secs(3)).await {
        looks += 1;
        assert!(looks < 200, "{looks} looks within {:?}", begun.elapsed());
        turn.put_off();
    }
    assert_eq!(begun.elapsed(), Duration::from_secs(3), "nobody waits longer");
    assert!((30..95).contains(&looks), "{looks}");
}

#[tokio::test(start_paused = true)]
async fn one_asks_for_all_and_less_and_less_often() {
    let flights = Arc::new(Flights::new());
    let begun = Instant::now();
    let waiters: Vec<_> = (0..20)
        .map(|_| {
            let seat = flights.queue(&key());
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
    // At 25 to 75 ms each, but for the first few.
    assert!((27..85).contains(&looks), "{looks}");
}

#[tokio::test(start_paused = true)]
async fn a_flight_is_forgotten_with_its_last_seat() {
    let flights = Arc::new(Flights::new());
    let seats = [flights.join(&key()), flights.queue(&key())];
    assert!(seats[0].is_awaited());
    drop(seats);
    assert!(flights.lock(&key()).is_empty());
}

/// 200 callers of something that takes a second, and is never stored.
#[tokio::test(start_paused = true)]
async fn what_comes_to_nothing_again_and_again_is_waited_for_by_fewer_and_fewer() {
    let flights = Arc::new(Flights::new());
    let begun = Instant::now();
    let first = flights.join(&key());
    first.compute(begun + LATE);
    let computed = |seat: Seat| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(seat);
    };
    let callers: Vec<_> = (0..200)
        .map(|_| {
            let (seat, flights) = (flights.queue(&key()), Arc::clone(&flights));
            tokio::spawn(async move {
                loop {
                    match seat.wait(begun + Duration::from_secs(60)).await {
                        Waited::Turn(turn) if flights.is_computing(&key()) => turn.put_off(),
                        // It wins the right, as it is the only one who asks.
                        Waited::Turn(turn) => {
                            let mine = flights.join(&key());
                            mine.compute(Instant::now() + LATE);
                            drop(turn);
                            computed(mine).await;
                            return false;
                        }
                        Waited::Over => return true,
                        Waited::News(_) => panic!("there is none"),
                    }
                }
            })
        })
        .collect();
    computed(first).await;
    let mut let_go = 0;
    for caller in callers {
        let_go += usize::from(caller.await.expect("no panic"));
    }
    // One after the other it would take 201 seconds.
    assert!(begun.elapsed() <= Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!((190..199).contains(&let_go), "{let_go}");
}

#[tokio::test(start_paused = true)]
async fn one_failure_is_followed_by_one_other() {
    let flights = Arc::new(Flights::new());
    let begun = Instant::now();
    let fails = flights.join(&key());
    fails.compute(begun + LATE);
    let [next, waits] = [flights.queue(&key()), flights.queue(&key())];
    drop(fails);
    let Waited::Turn(turn) = next.wait(begun + LATE).await else { panic!("it is its turn") };
    assert!(matches!(waits.wait(begun + Duration::from_secs(1)).await, Waited::Over));
    assert_eq!(begun.elapsed(), Duration::from_secs(1), "it was not let go before");
    drop(turn);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_where_nobody_waits() {
    let flights = Arc::new(Flights::new());
    let lost = flights.join(&key());
    lost.compute(Instant::now() + LATE);
    for _ in 0..12 {
        let fails = flights.join(&key());
        fails.compute(Instant::now() + LATE);
    }
    let waits = flights.queue(&key());
    lost.land(lost.now(), News::Value(value()));
    drop(waits);
    let state = lost.shared.state.borrow();
    assert!(state.landing.is_none() && state.passes == 0 && state.given_back == 0);
}
