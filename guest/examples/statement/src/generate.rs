//! `statement generate`: a year of a café's account that was made up, the same for the same seed.
//!
//! Real account data can't be given away. What is made here has the shape of it: payments that recur, on the
//! working days that banks book them on, among others that don't.

use std::ops::RangeInclusive;

use crate::csv;
use crate::date::Date;
use crate::ledger::HEAD;
use crate::money::{Currency, Money};
use crate::payees::{CARDS, IRREGULAR, REGULAR, Regular, SURNAMES};
use crate::random::Random;
use crate::recurring::Period;

/// What to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) year: u16,
    pub(crate) lines: u32,
    pub(crate) seed: u64,
}

/// From what the regular payments and the card sales need to what a file may hold.
pub(crate) const LINES: RangeInclusive<u32> = 1000..=400_000;

/// A larger file is that of several cafés with one account, one for so many lines.
const LINES_PER_CAFE: u32 = 3500;

/// How many counterparties a café has that pay or are paid now and then.
const IRREGULAR_COUNT: usize = 60;

/// Of a hundred irregular payments, how many are extra ones with somebody regular, of another amount.
const EXTRA_PERCENT: u32 = 4;

/// Of the year before.
const OPENING: Money = Money::minor(2_500_000);

struct Booking {
    date: Date,
    counterparty: String,
    category: &'static str,
    reference: String,
    amount: Money,
}

/// A payment that was planted to be found again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Planted {
    pub(crate) counterparty: String,
    pub(crate) period: Period,
    pub(crate) count: u32,
    pub(crate) total: Money,
}

/// The file, and what recurs in it.
pub(crate) fn generate(order: Order) -> (String, Vec<Planted>) {
    let mut random = Random::new(order.seed);
    let mut bookings = Vec::with_capacity(order.lines as usize);
    let mut planted = Vec::new();
    let cafes = order.lines.div_ceil(LINES_PER_CAFE).max(1);
    for cafe in 1..=cafes {
        // As evenly as whole lines allow.
        let end = u64::from(order.lines) * u64::from(cafe) / u64::from(cafes);
        let suffix = if cafe > 1 { format!(" {cafe}") } else { String::new() };
        let mut usuals = Vec::new();
        for payee in &REGULAR {
            let usual = random.within(&payee.usual);
            usuals.push(usual);
            planted.push(plant(payee, usual, &suffix, order.year, &mut random, &mut bookings));
        }
        sell(&suffix, order.year, &mut random, &mut bookings);
        top_up(&suffix, &usuals, order.year, end as usize, &mut random, &mut bookings);
    }
    bookings.sort_by_key(|booking| booking.date);
    (written(&bookings), planted)
}

/// All payments of somebody regular.
fn plant(
    payee: &Regular,
    usual: u32,
    suffix: &str,
    year: u16,
    random: &mut Random,
    bookings: &mut Vec<Booking>,
) -> Planted {
    let counterparty = format!("{}{suffix}", payee.name);
    let dates = due(payee.period, year, random);
    let mut total = Money::default();
    for date in &dates {
        let wobble = usual * payee.wobble / 100;
        let amount = signed(random.within(&(usual - wobble..=usual + wobble)), payee.is_incoming);
        total += amount;
        let reference = format!("{} {date}", payee.category);
        bookings.push(Booking {
            date: *date,
            counterparty: counterparty.clone(),
            category: payee.category,
            reference,
            amount,
        });
    }
    Planted { counterparty, period: payee.period, count: dates.len() as u32, total }
}

/// The days of the year on which something regular is booked.
fn due(period: Period, year: u16, random: &mut Random) -> Vec<Date> {
    let weeks = match period {
        Period::Weekly => 1,
        Period::Fortnightly => 2,
        Period::Monthly | Period::Quarterly => {
            let day = 1 + random.below(25) as u8;
            let step = if period == Period::Monthly { 1 } else { 3 };
            let nominal = (1..=12).step_by(step).filter_map(|month| Date::new(year, month, day));
            return nominal.map(next_working_day).collect();
        }
    };
    let first = working_days(year).nth(random.below(5) as usize).map_or(0, Date::number);
    let is_due = |date: &Date| date.number() >= first && (date.number() - first) % (7 * weeks) == 0;
    let nominal: Vec<_> = days(year).filter(is_due).collect();
    // Now and then a delivery is a day late, but none comes on a weekend.
    let mut booked = |date: Date| {
        let (next, is_late) = (date.next(), random.below(8) == 0);
        if is_late && !next.is_weekend() && next.year == year { next } else { date }
    };
    nominal.into_iter().map(&mut booked).collect()
}

/// A settlement of the cards on each working day.
fn sell(suffix: &str, year: u16, random: &mut Random, bookings: &mut Vec<Booking>) {
    for date in working_days(year) {
        bookings.push(Booking {
            date,
            counterparty: format!("{}{suffix}", CARDS.trade),
            category: CARDS.category,
            reference: format!("Settlement {:06}", random.below(1_000_000)),
            amount: signed(random.within(&CARDS.amounts), true),
        });
    }
}

/// Irregular payments until there are so many bookings.
fn top_up(
    suffix: &str,
    usuals: &[u32],
    year: u16,
    until: usize,
    random: &mut Random,
    bookings: &mut Vec<Booking>,
) {
    let days: Vec<_> = working_days(year).collect();
    let payees: Vec<_> = (0..IRREGULAR_COUNT)
        .map(|number| {
            let kind = &IRREGULAR[number % IRREGULAR.len()];
            let surname = random.pick(&SURNAMES);
            // Some with a comma, as names have them.
            let partner = SURNAMES.get(random.below(96) as usize);
            let partner = partner.map(|partner| format!(", {partner} & Co")).unwrap_or_default();
            (format!("{surname} {}{partner}{suffix}", kind.trade), kind)
        })
        .collect();
    while bookings.len() < until {
        let date = *random.pick(&days);
        let reference = format!("Invoice {}", 1000 + random.below(9000));
        let (counterparty, category, amount) = if random.below(100) < EXTRA_PERCENT {
            let at = random.below(REGULAR.len() as u32) as usize;
            let payee = &REGULAR[at];
            // A third or so of what is usual, so that it is no part of the series.
            let amount = random.within(&(usuals[at] / 5..=usuals[at] / 2));
            (format!("{}{suffix}", payee.name), payee.category, signed(amount, payee.is_incoming))
        } else {
            // The smaller of two, so that some are common and some are rare.
            let count = payees.len() as u32;
            let at = random.below(count).min(random.below(count));
            let (name, kind) = &payees[at as usize];
            (name.clone(), kind.category, signed(random.within(&kind.amounts), kind.is_incoming))
        };
        bookings.push(Booking { date, counterparty, category, reference, amount });
    }
}

fn signed(minor: u32, is_incoming: bool) -> Money {
    let money = Money::minor(minor.into());
    if is_incoming { money } else { -money }
}

fn days(year: u16) -> impl Iterator<Item = Date> {
    let first = Date { year, month: 1, day: 1 };
    std::iter::successors(Some(first), |date| Some(date.next())).take_while(move |date| date.year == year)
}

fn working_days(year: u16) -> impl Iterator<Item = Date> {
    days(year).filter(|date| !date.is_weekend())
}

fn next_working_day(date: Date) -> Date {
    if date.is_weekend() { next_working_day(date.next()) } else { date }
}

fn written(bookings: &[Booking]) -> String {
    const CURRENCY: Currency = Currency::EURO;
    let mut text = format!("{HEAD}\n");
    let mut balance = OPENING;
    for Booking { date, counterparty, category, reference, amount } in bookings {
        balance += *amount;
        let (counterparty, amount) = (csv::field(counterparty), CURRENCY.plain(*amount));
        let balance = CURRENCY.plain(balance);
        text += &format!("{date},{counterparty},{category},{reference},{amount},{balance},{CURRENCY}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;
    use proptest::prelude::*;

    #[test]
    fn the_committed_file_is_what_the_generator_makes() {
        let (made, _) = generate(Order { year: 2025, lines: 3500, seed: 1 });
        assert!(made == include_str!("../data/account.csv"), "data/README.md has the command that makes it");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_made_is_a_file_of_so_many_lines(
            year in 1900_u16..2200,
            lines in 1000_u32..9000,
            seed: u64,
        ) {
            let (made, planted) = generate(Order { year, lines, seed });
            prop_assert_eq!(made.lines().count(), lines as usize + 1);
            let ledger = Ledger::parse(&made);
            prop_assert!(ledger.is_ok(), "{:?}", ledger.err());
            let of_year = ledger.as_ref().map(|ledger| ledger.year(year).map(<[_]>::len));
            prop_assert_eq!(of_year, Ok(Ok(lines as usize)));
            prop_assert_eq!(planted.len(), REGULAR.len() * lines.div_ceil(LINES_PER_CAFE) as usize);
            prop_assert_eq!(generate(Order { year, lines, seed }).0, made);
        }
    }
}
