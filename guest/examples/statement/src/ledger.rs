//! The account's file: a head, and a line for each transaction, from the oldest to the newest.
//!
//! Every line is read and checked, also those of other years: what the file says of the balance has to be
//! what its amounts make.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Read;

use crate::csv;
use crate::date::Date;
use crate::money::{Currency, Money};

/// What the first line says.
pub(crate) const HEAD: &str = "date,counterparty,category,reference,amount,balance,currency";

/// Largest file: some 400,000 lines. With what is made of it, it fits into the 256 MiB that `strongroom run`
/// gives a guest.
pub(crate) const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// One line. The reference is for people, and is not kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Transaction<'a> {
    pub(crate) date: Date,
    pub(crate) counterparty: Cow<'a, str>,
    pub(crate) category: Cow<'a, str>,
    pub(crate) amount: Money,
    /// After this transaction.
    pub(crate) balance: Money,
}

/// The whole file: one account, in one currency.
#[derive(Debug)]
pub(crate) struct Ledger<'a> {
    pub(crate) currency: Currency,
    /// Not empty.
    transactions: Vec<Transaction<'a>>,
}

/// The text of the file.
pub(crate) fn read(path: &str) -> Result<String, String> {
    let complaint = |error: std::io::Error| format!("can't read {path}: {error}{}", advice(&error));
    let file = std::fs::File::open(path).map_err(complaint)?;
    let mut text = String::new();
    // One byte more than allowed shows that it is too large.
    let size = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(complaint)?;
    if size as u64 > FILE_BYTES_MAX {
        return Err(format!("{path} is larger than the {} MiB that are read", FILE_BYTES_MAX >> 20));
    }
    Ok(text)
}

fn advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::InvalidData => "; the file has to be UTF-8",
        // A guest sees no directory but those that it was given, and a missing one is an error of several
        // kinds.
        _ => {
            "; give the guest its directory, as `strongroom run --dir ./data::/data:ro ...`, and name the file in it"
        }
    }
}

impl<'a> Ledger<'a> {
    /// Reads all lines. A complaint names the first that is wrong, and says what is expected of it.
    pub(crate) fn parse(text: &'a str) -> Result<Self, String> {
        // Spreadsheets put the mark before UTF-8.
        let mut lines = (1_u32..).zip(text.strip_prefix('\u{feff}').unwrap_or(text).lines());
        match lines.next() {
            Some((_, HEAD)) => {}
            found => {
                let found = found.map_or("", |(_, line)| line);
                return Err(format!("line 1: `{}` is not the head, which is `{HEAD}`", shortened(found)));
            }
        }
        let mut currency = None;
        let mut transactions: Vec<Transaction<'_>> = Vec::new();
        for (number, line) in lines {
            let at_line = |complaint: String| format!("line {number}: {complaint}");
            let (its, transaction) = parse_line(line).map_err(at_line)?;
            let expected = *currency.get_or_insert(its);
            if let Some(before) = transactions.last() {
                follow(&transaction, before, its, expected).map_err(at_line)?;
            }
            transactions.push(transaction);
        }
        let currency =
            currency.ok_or("line 2: there is none, and a transaction is expected after the head")?;
        Ok(Self { currency, transactions })
    }

    /// The transactions of the year, of which there is at least one.
    pub(crate) fn year(&self, year: u16) -> Result<&[Transaction<'a>], String> {
        let start = self.transactions.partition_point(|transaction| transaction.date.year < year);
        let end = self.transactions.partition_point(|transaction| transaction.date.year <= year);
        if start == end {
            let years: BTreeSet<_> = self.transactions.iter().map(|t| t.date.year.to_string()).collect();
            let years: Vec<_> = years.into_iter().collect();
            return Err(format!(
                "there are no transactions of {year}; there are those of {}",
                years.join(", ")
            ));
        }
        Ok(&self.transactions[start..end])
    }
}

fn parse_line(line: &str) -> Result<(Currency, Transaction<'_>), String> {
    let fields = csv::split(line)?;
    let count = fields.len();
    let Ok([date, counterparty, category, _reference, amount, balance, currency]) =
        <[Cow<'_, str>; 7]>::try_from(fields)
    else {
        let fields = if count == 1 { "field" } else { "fields" };
        return Err(format!("it has {count} {fields}, and 7 are expected: {HEAD}"));
    };
    for (name, field) in [("counterparty", &counterparty), ("category", &category)] {
        if field.trim().is_empty() {
            return Err(format!("its {name} is empty, and a name is expected"));
        }
    }
    let currency: Currency = currency.parse()?;
    let money =
        |name: &str, text: &str| currency.parse(text).map_err(|complaint| format!("its {name}: {complaint}"));
    let (amount, balance) = (money("amount", &amount)?, money("balance", &balance)?);
    Ok((currency, Transaction { date: date.parse()?, counterparty, category, amount, balance }))
}

/// Whether a transaction can come after the one before.
fn follow(
    this: &Transaction<'_>,
    before: &Transaction<'_>,
    currency: Currency,
    expected: Currency,
) -> Result<(), String> {
    if currency != expected {
        return Err(format!("it is in {currency}, and the lines before are in {expected}"));
    }
    if this.date < before.date {
        let (date, before) = (this.date, before.date);
        return Err(format!("{date} comes after {before}: the oldest line is expected first"));
    }
    let balance = before.balance + this.amount;
    if this.balance != balance {
        let [said, before, amount, balance] =
            [this.balance, before.balance, this.amount, balance].map(|money| currency.plain(money));
        return Err(format!(
            "its balance is {said}, and {balance} is expected: {before} before it, and its amount of {amount}"
        ));
    }
    Ok(())
}

/// What somebody else wrote, short enough for a complaint.
fn shortened(text: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    let mut short: String = text.chars().take(CHARACTERS_MAX).collect();
    if short.len() < text.len() {
        short += "...";
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 3] = [
        "2024-12-30,Berger,Rent,December,-100.00,900.00,EUR",
        "2025-01-02,\"Hofmann, Klee & Co\",Sales,Invoice 7,250.50,1150.50,EUR",
        "2025-01-02,Berger,Rent,January,-100.00,1050.50,EUR",
    ];

    fn file(lines: &[&str]) -> String {
        [&[HEAD], lines].concat().join("\n")
    }

    /// The complaint about a file whose third line, of 2025-01-02, is another one.
    fn complaint(line: &str) -> String {
        Ledger::parse(&file(&[LINES[0], line, LINES[2]])).expect_err("the line is wrong")
    }

    #[test]
    fn a_file_reads_as_its_transactions() {
        for text in [file(&LINES), file(&LINES) + "\n", file(&LINES).replace('\n', "\r\n")] {
            let ledger = Ledger::parse(&text).expect("the file is whole");
            assert_eq!(ledger.currency, Currency::EURO);
            let year = ledger.year(2025).expect("the year is there");
            assert_eq!(year.len(), 2);
            assert_eq!(year[0].counterparty, "Hofmann, Klee & Co");
            assert_eq!(year[0].amount, Money::minor(25_050));
            assert_eq!(year[1].balance, Money::minor(105_050));
        }
    }

    #[test]
    fn an_unknown_year_is_told_which_there_are() {
        let text = file(&LINES);
        let ledger = Ledger::parse(&text).expect("the file is whole");
        let complaint = ledger.year(2023).expect_err("it is not there");
        assert_eq!(complaint, "there are no transactions of 2023; there are those of 2024, 2025");
    }

    #[test]
    fn a_wrong_line_is_named_with_what_is_expected() {
        let cases = [
            ("", "it has 1 field, and 7 are expected: date,"),
            ("2025-01-02,Klee,Sales,Invoice 7,250.50,1150.50", "it has 6 fields"),
            ("2025-02-30,Klee,Sales,x,250.50,1150.50,EUR", "`2025-02-30` is no date: write it as"),
            ("2025-01-02,,Sales,x,250.50,1150.50,EUR", "its counterparty is empty"),
            ("2025-01-02,Klee, ,x,250.50,1150.50,EUR", "its category is empty"),
            ("2025-01-02,Klee,Sales,x,250.5,1150.50,EUR", "its amount: `250.5` is no amount in EUR"),
            ("2025-01-02,Klee,Sales,x,250.50,much,EUR", "its balance: `much` is no amount"),
            ("2025-01-02,Klee,Sales,x,250.50,1150.50,euro", "`euro` is no currency"),
            ("2025-01-02,Klee,Sales,x,250.50,1150.50,USD", "it is in USD, and the lines before are in EUR"),
            ("2024-12-29,Klee,Sales,x,250.50,1150.50,EUR", "2024-12-29 comes after 2024-12-30"),
            ("2025-01-02,Klee,Sales,x,250.50,1150.51,EUR", "its balance is 1150.51, and 1150.50 is expected"),
            ("2025-01-02,\"Klee,Sales,x,250.50,1150.50,EUR", "no closing quote"),
        ];
        for (line, expected) in cases {
            let said = complaint(line);
            assert!(said.starts_with("line 3: ") && said.contains(expected), "{line}: {said}");
        }
    }

    #[test]
    fn a_file_of_another_kind_is_told_what_the_head_is() {
        for text in ["", "\n", "hello,world\n1,2\n"] {
            let said = Ledger::parse(text).expect_err("it has no head");
            assert!(said.starts_with("line 1: ") && said.contains(HEAD), "{said}");
        }
        assert!(Ledger::parse(HEAD).is_err_and(|said| said.starts_with("line 2: ")));
    }

    #[test]
    fn a_file_that_is_not_there_is_told_how_to_give_it() {
        let said = read("/no/such/file.csv").expect_err("it is not there");
        assert!(said.contains("/no/such/file.csv") && said.contains("--dir"), "{said}");
    }
}
