//! Recurring payments: the same counterparty, a similar amount, at regular intervals.
//!
//! For each counterparty and each interval it looks for the longest chain of payments, each of which
//! follows the one before after that interval (and a few days) with about the same amount.
//!
//! Who is paid often is also paid regularly now and then, by chance. So a chain only counts if chance does
//! not make one as long: the same amounts are dealt out to days of the year at random, [`DRAWS`] times, and
//! hardly any of these may have a chain of that length. That is a permutation test. It takes most of the time
//! of a statement, and nearly all of that for the chains that hold.
//!
//! The time grows with the transactions, and with the square of how many a day one counterparty has. Whoever
//! runs the extension bounds it by a deadline.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::date::Date;
use crate::ledger::Transaction;
use crate::money::Money;
use crate::random::Random;

/// How often chance is tried.
const DRAWS: u32 = 999;

/// In how many of the draws chance may do as well: three in a thousand, the year itself counted in. Fewer
/// would miss quarterly payments, as four of them say little.
const CHANCES_MAX: usize = 2;

/// How far two amounts in a row may be apart, in percent of the larger.
const TOLERANCE_PERCENT: u64 = 10;

/// Any, but always the same, so that everybody computes the same summary.
const SEED: u64 = 2025;

/// How often a payment recurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Period {
    Weekly,
    Fortnightly,
    Monthly,
    Quarterly,
}

/// Payments of one counterparty that recur. All are incoming, or all outgoing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) counterparty: String,
    pub(crate) period: Period,
    pub(crate) count: u32,
    pub(crate) first: Date,
    pub(crate) last: Date,
    /// The median.
    pub(crate) amount: Money,
    pub(crate) total: Money,
}

impl Period {
    const ALL: [Self; 4] = [Self::Weekly, Self::Fortnightly, Self::Monthly, Self::Quarterly];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Weekly => "weekly",
            Self::Fortnightly => "fortnightly",
            Self::Monthly => "monthly",
            Self::Quarterly => "quarterly",
        }
    }

    /// The days from one payment to the next. Banks book on working days, hence up to three more or less
    /// than the months have.
    fn gap(self) -> RangeInclusive<i32> {
        match self {
            Self::Weekly => 6..=8,
            Self::Fortnightly => 12..=16,
            Self::Monthly => 25..=34,
            Self::Quarterly => 86..=95,
        }
    }

    /// The fewest payments that make a series: about two months, and two intervals.
    fn count_min(self) -> u32 {
        match self {
            Self::Weekly => 8,
            Self::Fortnightly => 5,
            Self::Monthly | Self::Quarterly => 3,
        }
    }
}

/// What of a transaction the search looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Payment {
    day: i32,
    amount: Money,
    /// Its place among the transactions.
    at: usize,
}

/// A chain that was found: the period, and the places of its payments in their group, the oldest first.
struct Chain {
    period: Period,
    places: Vec<usize>,
}

/// All recurring payments of a year, those that move the most first.
pub(crate) fn find(transactions: &[Transaction<'_>]) -> Vec<Series> {
    let days: Vec<i32> = transactions.iter().map(|transaction| transaction.date.number()).collect();
    let mut groups: BTreeMap<(&str, bool), Vec<Payment>> = BTreeMap::new();
    for (at, transaction) in transactions.iter().enumerate() {
        let amount = transaction.amount;
        let group = groups.entry((&transaction.counterparty, amount.is_incoming())).or_default();
        group.push(Payment { day: days[at], amount, at });
    }
    let bookable = bookable_days(&days);
    let mut found = Vec::new();
    for (_, mut payments) in groups {
        let mut random = Random::new(SEED);
        // A counterparty may have several, such as a loan and its insurance.
        while let Some(chain) = longest_chain(&payments, &bookable, &mut random) {
            found.push(series(&chain, &payments, transactions));
            let mut place = 0..;
            payments.retain(|_| place.next().is_none_or(|place| chain.places.binary_search(&place).is_err()));
        }
    }
    found.sort_by(|a: &Series, b| {
        b.total.size().cmp(&a.total.size()).then_with(|| a.counterparty.cmp(&b.counterparty))
    });
    found
}

/// The days that something could have been booked on: all from the first to the last that fall on weekdays on
/// which something was.
fn bookable_days(days: &[i32]) -> Vec<i32> {
    let weekdays: BTreeSet<i32> = days.iter().map(|day| day.rem_euclid(7)).collect();
    let (Some(first), Some(last)) = (days.iter().min(), days.iter().max()) else {
        return Vec::new();
    };
    (*first..=*last).filter(|day| weekdays.contains(&day.rem_euclid(7))).collect()
}

/// The longest chain of any period that is long enough, and that is no chance.
fn longest_chain(payments: &[Payment], days: &[i32], random: &mut Random) -> Option<Chain> {
    let mut lengths = Vec::with_capacity(payments.len());
    let mut candidates: Vec<_> = Period::ALL
        .into_iter()
        .map(|period| (measure(payments, period, &mut lengths), period))
        .filter(|(length, period)| *length >= period.count_min())
        .collect();
    // A weekly series has fortnightly ones in it, and a monthly one has quarterly ones.
    candidates.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
    let (_, period) = candidates
        .into_iter()
        .find(|(length, period)| !happens_by_chance(*length, payments, *period, days, random))?;
    measure(payments, period, &mut lengths);
    Some(Chain { period, places: trace(payments, period, &lengths) })
}

/// For each payment the length of the longest chain that ends with it; answers the longest of all.
fn measure(payments: &[Payment], period: Period, lengths: &mut Vec<u32>) -> u32 {
    lengths.clear();
    let gap = period.gap();
    let mut start = 0;
    let mut longest = 0;
    for (place, payment) in payments.iter().enumerate() {
        while payment.day - payments[start].day > *gap.end() {
            start += 1;
        }
        let before = payments[start..place].iter().zip(&lengths[start..]);
        let before = before
            .take_while(|(before, _)| payment.day - before.day >= *gap.start())
            .filter(|(before, _)| are_similar(before.amount, payment.amount));
        let length = before.map(|(_, length)| *length).max().unwrap_or(0) + 1;
        lengths.push(length);
        longest = longest.max(length);
    }
    longest
}

/// The places of the first of the longest chains. Of several payments that could come before another one,
/// it takes that with the closest amount.
fn trace(payments: &[Payment], period: Period, lengths: &[u32]) -> Vec<usize> {
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let mut place = lengths.iter().position(|length| *length == longest);
    let mut places = Vec::with_capacity(longest as usize);
    while let Some(this) = place {
        places.push(this);
        let Payment { day, amount, .. } = payments[this];
        let may_come_before = |before: &usize| {
            lengths[*before] + 1 == lengths[this]
                && period.gap().contains(&(day - payments[*before].day))
                && are_similar(payments[*before].amount, amount)
        };
        place =
            (0..this).filter(may_come_before).min_by_key(|before| (payments[*before].amount - amount).size());
    }
    places.reverse();
    places
}

/// Whether the same amounts on random days make a chain as long, in more than [`CHANCES_MAX`] of [`DRAWS`]
/// draws. What chance makes easily is known after a few of them.
fn happens_by_chance(
    length: u32,
    payments: &[Payment],
    period: Period,
    days: &[i32],
    random: &mut Random,
) -> bool {
    let mut dealt = payments.to_vec();
    let mut lengths = Vec::with_capacity(payments.len());
    let mut is_as_long = || {
        for payment in &mut dealt {
            payment.day = *random.pick(days);
        }
        dealt.sort_unstable_by_key(|payment| payment.day);
        measure(&dealt, period, &mut lengths) >= length
    };
    (0..DRAWS).filter(|_| is_as_long()).nth(CHANCES_MAX).is_some()
}

fn are_similar(one: Money, other: Money) -> bool {
    (one - other).size() * 100 <= one.size().max(other.size()) * TOLERANCE_PERCENT
}

fn series(chain: &Chain, payments: &[Payment], transactions: &[Transaction<'_>]) -> Series {
    let of_chain: Vec<_> = chain.places.iter().map(|place| &transactions[payments[*place].at]).collect();
    let mut amounts: Vec<Money> = of_chain.iter().map(|transaction| transaction.amount).collect();
    amounts.sort_unstable();
    let (first, last) = (of_chain[0], of_chain[of_chain.len() - 1]);
    Series {
        counterparty: first.counterparty.clone().into_owned(),
        period: chain.period,
        count: amounts.len() as u32,
        first: first.date,
        last: last.date,
        amount: amounts[amounts.len() / 2],
        total: amounts.iter().copied().sum(),
    }
}
