//! Recurring payments: those that were planted are found, and chance finds none.

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::generate::{Order, generate};
use crate::ledger::Ledger;

/// Payments of one counterparty in minor units, on days of 2025 counted from zero, in any order.
fn paid(payments: &[(i32, i64)]) -> Vec<Transaction<'static>> {
    let first = Date { year: 2025, month: 1, day: 1 };
    let days: Vec<_> = std::iter::successors(Some(first), |date| Some(date.next())).take(365).collect();
    let mut sorted = payments.to_vec();
    sorted.sort_unstable();
    let transaction = |(day, minor): (i32, i64)| Transaction {
        date: days[day.unsigned_abs() as usize],
        counterparty: Cow::Borrowed("Berger"),
        category: Cow::Borrowed("Rent"),
        amount: Money::minor(minor),
        balance: Money::default(),
    };
    sorted.into_iter().map(transaction).collect()
}

fn found(payments: &[(i32, i64)]) -> Vec<(Period, u32)> {
    find(&paid(payments)).into_iter().map(|series| (series.period, series.count)).collect()
}

#[test]
fn each_period_is_found() {
    let every = |days: usize| (0..365).step_by(days).map(|day| (day, -100)).collect::<Vec<_>>();
    assert_eq!(found(&every(7)), [(Period::Weekly, 53)]);
    assert_eq!(found(&every(14)), [(Period::Fortnightly, 27)]);
    assert_eq!(found(&every(30)), [(Period::Monthly, 13)]);
    assert_eq!(found(&every(91)), [(Period::Quarterly, 5)]);
    assert_eq!(found(&every(50)), [], "nobody pays so");
    assert_eq!(found(&[(3, -100), (33, -100)]), [], "two are no series");
}

#[test]
fn amounts_may_differ_a_little_and_no_more() {
    let monthly = |amounts: [i64; 6]| (0..).step_by(30).zip(amounts).collect::<Vec<_>>();
    assert_eq!(found(&monthly([-100, -109, -100, -110, -119, -130])), [(Period::Monthly, 6)]);
    assert_eq!(found(&monthly([-100, -150, -100, -150, -100, -150])), []);
    assert_eq!(found(&monthly([-100, 100, -100, 100, -100, 100])), [], "refunds are no payments");
}

#[test]
fn one_counterparty_may_have_several_series() {
    let rent = (0..12).map(|month| (month * 30, -90_000));
    let parking = (0..12).map(|month| (month * 30 + 5, -6_000));
    let both: Vec<_> = rent.chain(parking).collect();
    assert_eq!(found(&both), [(Period::Monthly, 12), (Period::Monthly, 12)]);
    let totals: Vec<_> = find(&paid(&both)).into_iter().map(|series| series.total).collect();
    assert_eq!(totals, [Money::minor(-1_080_000), Money::minor(-72_000)], "those that move the most first");
}

#[test]
fn who_is_paid_on_random_days_is_seldom_found() {
    let mut random = Random::new(7);
    let mut count = 0;
    for _ in 0..300 {
        let often = random.within(&(5..=150));
        let payments: Vec<_> = (0..often).map(|_| (random.below(365) as i32, -100)).collect();
        count += find(&paid(&payments)).len();
    }
    // Four periods of three hundred, at three in a thousand each, are 3.6 to be expected.
    assert!(count <= 8, "{count} series in what is no more than chance");
}

/// What was planted and is not found, from a generated file.
fn missed(order: Order) -> Vec<String> {
    let (text, planted) = generate(order);
    let ledger = Ledger::parse(&text).expect("it is generated");
    let found = find(ledger.year(order.year).expect("it is generated"));
    let is_found = |planted: &&crate::generate::Planted| {
        found.iter().any(|series| {
            series.counterparty == planted.counterparty
                && series.period == planted.period
                && series.count >= planted.count
        })
    };
    planted.iter().filter(|planted| !is_found(planted)).map(|planted| format!("{planted:?}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_was_planted_is_found(year in 1990_u16..2100, lines in 1000_u32..6000, seed: u64) {
        let missed = missed(Order { year, lines, seed });
        prop_assert!(missed.is_empty(), "{missed:?}");
    }
}
