//! The summary of a year: what is computed once, and kept for everybody at the stack.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::date::Date;
use crate::ledger::{Ledger, Transaction};
use crate::money::{Currency, Money};
use crate::recurring::{self, Series};

/// How many of the largest counterparties are kept.
const LARGEST_MAX: usize = 10;

/// A year of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) year: u16,
    pub(crate) currency: Currency,
    /// How many transactions.
    pub(crate) count: u32,
    /// Before the year's first transaction.
    pub(crate) opening: Money,
    /// After the last one.
    pub(crate) closing: Money,
    /// The lowest balance after a transaction, the first time that it was reached.
    pub(crate) lowest: Balance,
    /// From January to December.
    pub(crate) months: Vec<Month>,
    /// Those that move the most, first.
    pub(crate) largest: Vec<Counterparty>,
    /// How many counterparties there are, of which the largest are kept.
    pub(crate) counterparties: u32,
    pub(crate) recurring: Vec<Series>,
}

/// What came in and what went out, which is negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flow {
    pub(crate) incoming: Money,
    pub(crate) outgoing: Money,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Month {
    pub(crate) flow: Flow,
    /// At its end.
    pub(crate) balance: Money,
    pub(crate) categories: BTreeMap<String, Flow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counterparty {
    pub(crate) name: String,
    pub(crate) count: u32,
    pub(crate) flow: Flow,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Balance {
    pub(crate) balance: Money,
    pub(crate) date: Date,
}

impl Flow {
    pub(crate) fn add(&mut self, amount: Money) {
        *if amount.is_incoming() { &mut self.incoming } else { &mut self.outgoing } += amount;
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.incoming += other.incoming;
        self.outgoing += other.outgoing;
    }

    pub(crate) fn net(self) -> Money {
        self.incoming + self.outgoing
    }

    /// How much it moved, both ways together.
    pub(crate) fn volume(self) -> u64 {
        self.incoming.size() + self.outgoing.size()
    }
}

impl Summary {
    pub(crate) fn of(ledger: &Ledger<'_>, year: u16) -> Result<Self, String> {
        let transactions = ledger.year(year)?;
        let (first, last) = (&transactions[0], &transactions[transactions.len() - 1]);
        let opening = first.balance - first.amount;
        let mut counterparties = counterparties(transactions);
        let known = counterparties.len() as u32;
        counterparties.truncate(LARGEST_MAX);
        Ok(Self {
            year,
            currency: ledger.currency,
            count: transactions.len() as u32,
            opening,
            closing: last.balance,
            lowest: lowest(transactions),
            months: months(transactions, opening),
            largest: counterparties,
            counterparties: known,
            recurring: recurring::find(transactions),
        })
    }

    /// The totals of the categories over the whole year.
    pub(crate) fn categories(&self) -> BTreeMap<&str, Flow> {
        let mut totals: BTreeMap<&str, Flow> = BTreeMap::new();
        for (name, flow) in self.months.iter().flat_map(|month| &month.categories) {
            totals.entry(name).or_default().merge(*flow);
        }
        totals
    }

    pub(crate) fn total(&self) -> Flow {
        let mut total = Flow::default();
        self.months.iter().for_each(|month| total.merge(month.flow));
        total
    }
}

fn months(transactions: &[Transaction<'_>], opening: Money) -> Vec<Month> {
    let mut months = vec![Month::default(); 12];
    for transaction in transactions {
        let month = &mut months[usize::from(transaction.date.month) - 1];
        month.flow.add(transaction.amount);
        if !month.categories.contains_key(&*transaction.category) {
            month.categories.insert(transaction.category.clone().into_owned(), Flow::default());
        }
        if let Some(flow) = month.categories.get_mut(&*transaction.category) {
            flow.add(transaction.amount);
        }
    }
    // A month without transactions ends as it began.
    let mut balance = opening;
    for month in &mut months {
        balance += month.flow.net();
        month.balance = balance;
    }
    months
}

/// All counterparties, those that moved the most first.
fn counterparties(transactions: &[Transaction<'_>]) -> Vec<Counterparty> {
    let mut totals: BTreeMap<&str, (u32, Flow)> = BTreeMap::new();
    for transaction in transactions {
        let (count, flow) = totals.entry(&transaction.counterparty).or_default();
        *count += 1;
        flow.add(transaction.amount);
    }
    let mut found: Vec<_> = totals
        .into_iter()
        .map(|(name, (count, flow))| Counterparty { name: name.to_owned(), count, flow })
        .collect();
    // Stable: those that moved as much stay in the order of their names.
    found.sort_by_key(|counterparty| std::cmp::Reverse(counterparty.flow.volume()));
    found
}

fn lowest(transactions: &[Transaction<'_>]) -> Balance {
    let first = &transactions[0];
    let start = Balance { balance: first.balance, date: first.date };
    transactions.iter().fold(
        start,
        |lowest, &Transaction { balance, date, .. }| {
            if balance < lowest.balance { Balance { balance, date } } else { lowest }
        },
    )
}
