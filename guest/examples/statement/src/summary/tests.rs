//! A summary adds up, whatever the transactions are.

use proptest::prelude::*;

use super::*;
use crate::date::Date;
use crate::ledger::HEAD;

/// A file of these payments: on a day of 2025 (counted from zero), with somebody, in a category, in cents.
fn file(opening: i64, payments: &[(usize, u8, u8, i64)]) -> String {
    let first = Date { year: 2025, month: 1, day: 1 };
    let days: Vec<_> = std::iter::successors(Some(first), |date| Some(date.next())).take(365).collect();
    let mut sorted = payments.to_vec();
    sorted.sort_by_key(|(day, ..)| *day);
    let mut balance = Money::minor(opening);
    let mut text = HEAD.to_owned();
    for (day, name, category, minor) in sorted {
        let amount = Money::minor(minor);
        balance += amount;
        let [amount, balance] = [amount, balance].map(|money| Currency::EURO.plain(money));
        text += &format!("\n{},N{name},C{category},x,{amount},{balance},EUR", days[day]);
    }
    text
}

fn summary(text: &str) -> Summary {
    Summary::of(&Ledger::parse(text).expect("the test wrote a file"), 2025).expect("the year is there")
}

#[test]
fn the_lowest_balance_has_the_day_that_it_was_reached_first() {
    let summary = summary(&file(1000, &[(3, 0, 0, -400), (5, 0, 0, 100), (9, 0, 0, -100), (20, 0, 0, 1)]));
    assert_eq!(summary.lowest.balance, Money::minor(600));
    assert_eq!(summary.lowest.date.to_string(), "2025-01-04");
}

#[test]
fn other_years_count_for_the_opening_balance_only() {
    let text = file(0, &[(0, 0, 0, 500)]).replace("\n2025", "\n2024") + "\n2025-06-01,A,B,x,2.00,7.00,EUR";
    let summary = summary(&text);
    assert_eq!((summary.count, summary.opening), (1, Money::minor(500)));
    assert_eq!(summary.months[4].balance, Money::minor(500), "before its first transaction");
    assert_eq!(summary.total().net(), Money::minor(200));
}

#[test]
fn the_largest_counterparties_come_first_and_are_few() {
    let payments: Vec<_> =
        (0..30_u8).map(|name| (usize::from(name), name, 0, i64::from(name) * -100)).collect();
    let summary = summary(&file(0, &payments));
    let names: Vec<_> = summary.largest.iter().map(|counterparty| counterparty.name.as_str()).collect();
    assert_eq!(names, ["N29", "N28", "N27", "N26", "N25", "N24", "N23", "N22", "N21", "N20"]);
    assert_eq!(summary.counterparties, 30);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn months_and_categories_add_up_to_the_year(
        opening in -1_000_000_i64..1_000_000,
        payments in proptest::collection::vec((0_usize..365, 0_u8..8, 0_u8..5, -50_000_i64..50_000), 1..80),
    ) {
        let summary = summary(&file(opening, &payments));
        let all: Money = payments.iter().map(|(.., minor)| Money::minor(*minor)).sum();
        prop_assert_eq!(summary.count as usize, payments.len());
        prop_assert_eq!(summary.opening, Money::minor(opening));
        prop_assert_eq!(summary.closing, Money::minor(opening) + all);
        prop_assert_eq!(summary.total().net(), all);
        prop_assert_eq!(summary.months[11].balance, summary.closing);
        let mut categories = Flow::default();
        summary.categories().values().for_each(|flow| categories.merge(*flow));
        prop_assert_eq!(categories, summary.total());
        let mut largest = Flow::default();
        // Eight names at most, so that all are kept.
        summary.largest.iter().for_each(|counterparty| largest.merge(counterparty.flow));
        prop_assert_eq!(largest, summary.total());
        prop_assert!(summary.lowest.balance <= summary.closing);
        prop_assert!(summary.largest.is_sorted_by_key(|c| std::cmp::Reverse(c.flow.volume())));
    }
}
