//! The part of a summary that a user looks at, and how it is printed.

use std::fmt::{self, Write};
use std::str::FromStr;

use crate::date::MONTHS;
use crate::money::Money;
use crate::summary::{Flow, Summary};

/// How wide a name is printed; longer ones push the columns to the right.
const NAME_COLUMNS: usize = 30;

/// What of a summary to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    All,
    Months,
    Categories,
    Counterparties,
    Recurring,
    Balance,
    /// The categories of one month, 1 to 12.
    Month(u8),
}

impl View {
    const NAMED: [(&str, Self); 6] = [
        ("all", Self::All),
        ("months", Self::Months),
        ("categories", Self::Categories),
        ("counterparties", Self::Counterparties),
        ("recurring", Self::Recurring),
        ("balance", Self::Balance),
    ];

    /// What it shows of a summary.
    pub(crate) fn of(self, summary: &Summary) -> String {
        let mut text = balance(summary);
        let sections: &[fn(&Summary) -> String] = match self {
            Self::All => &[months, categories, counterparties, recurring],
            Self::Months => &[months],
            Self::Categories => &[categories],
            Self::Counterparties => &[counterparties],
            Self::Recurring => &[recurring],
            Self::Balance => &[],
            Self::Month(month) => return text + "\n" + &of_month(summary, month),
        };
        for section in sections {
            text += "\n";
            text += &section(summary);
        }
        text
    }
}

impl FromStr for View {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        let months = || (1..).zip(MONTHS).find(|(_, name)| name.eq_ignore_ascii_case(text));
        named.map(|(_, view)| *view).or_else(|| months().map(|(month, _)| Self::Month(month))).ok_or_else(
            || {
                let names: Vec<_> = Self::NAMED.iter().map(|(name, _)| *name).collect();
                format!("`{text}` is no view: there are {}, and the months, as march", names.join(", "))
            },
        )
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Month(month) = self {
            return f.write_str(&MONTHS[usize::from(*month) - 1].to_lowercase());
        }
        let named = Self::NAMED.iter().find(|(_, view)| view == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

/// A table whose first column is a name, and whose others stand to the right.
struct Table<'a> {
    text: String,
    summary: &'a Summary,
}

impl<'a> Table<'a> {
    fn new(summary: &'a Summary, title: &str, columns: &[&str]) -> Self {
        let mut table = Self { text: String::new(), summary };
        table.line(title, columns);
        table
    }

    fn line<T: fmt::Display>(&mut self, name: &str, columns: &[T]) {
        let mut line = format!("{name:<NAME_COLUMNS$}");
        for column in columns {
            // Writing to a string can't fail.
            let _ = write!(line, " {column:>14}");
        }
        self.text += line.trim_end();
        self.text.push('\n');
    }

    fn money(&mut self, name: &str, amounts: &[Money]) {
        let shown: Vec<_> = amounts.iter().map(|amount| self.summary.currency.show(*amount)).collect();
        self.line(name, &shown);
    }

    fn flow(&mut self, name: &str, flow: Flow) {
        self.money(name, &[flow.incoming, flow.outgoing, flow.net()]);
    }
}

fn balance(summary: &Summary) -> String {
    let Summary { year, currency, count, opening, closing, lowest, .. } = summary;
    let (opening, closing) = (currency.show(*opening), currency.show(*closing));
    let (low, date) = (currency.show(lowest.balance), lowest.date);
    format!(
        "{year} in {currency}: {count} transactions, from {opening} to {closing}.\n\
         The lowest balance was {low}, on {}, {date}.\n",
        date.weekday()
    )
}

fn months(summary: &Summary) -> String {
    let mut table = Table::new(summary, "Month", &["in", "out", "net", "balance"]);
    for (name, month) in MONTHS.iter().zip(&summary.months) {
        let flow = month.flow;
        table.money(name, &[flow.incoming, flow.outgoing, flow.net(), month.balance]);
    }
    table.flow("Year", summary.total());
    table.text
}

fn categories(summary: &Summary) -> String {
    let mut table = Table::new(summary, "Category", &["in", "out", "net"]);
    for (name, flow) in summary.categories() {
        table.flow(name, flow);
    }
    table.text
}

fn of_month(summary: &Summary, month: u8) -> String {
    let at = usize::from(month) - 1;
    let mut table = Table::new(summary, MONTHS[at], &["in", "out", "net"]);
    for (name, flow) in &summary.months[at].categories {
        table.flow(name, *flow);
    }
    table.flow("Month", summary.months[at].flow);
    table.text
}

fn counterparties(summary: &Summary) -> String {
    let title = format!("Largest of {} counterparties", summary.counterparties);
    let mut table = Table::new(summary, &title, &["in", "out", "net", "transactions"]);
    for counterparty in &summary.largest {
        let flow = counterparty.flow;
        let [incoming, outgoing, net] =
            [flow.incoming, flow.outgoing, flow.net()].map(|money| summary.currency.show(money));
        table.line(&counterparty.name, &[incoming, outgoing, net, counterparty.count.to_string()]);
    }
    table.text
}

fn recurring(summary: &Summary) -> String {
    let title = format!("{} recurring payments", summary.recurring.len());
    let mut table = Table::new(summary, &title, &["how often", "usually", "times", "in all", "last"]);
    for series in &summary.recurring {
        let [usually, total] = [series.amount, series.total].map(|money| summary.currency.show(money));
        let (period, count) = (series.period.name().to_owned(), series.count.to_string());
        table.line(&series.counterparty, &[period, usually, count, total, series.last.to_string()]);
    }
    table.text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;

    fn shown(view: View) -> String {
        let lines = [
            "date,counterparty,category,reference,amount,balance,currency",
            "2025-01-02,Berger,Rent,January,-1000.00,900.00,EUR",
            "2025-03-04,Klee,Sales,Invoice 7,2500.50,3400.50,EUR",
        ];
        let text = lines.join("\n");
        let ledger = Ledger::parse(&text).expect("the file is whole");
        view.of(&Summary::of(&ledger, 2025).expect("the year is there"))
    }

    #[test]
    fn views_read_back_by_their_names() {
        let months = (1..=12).map(View::Month);
        for view in View::NAMED.iter().map(|(_, view)| *view).chain(months) {
            assert_eq!(view.to_string().parse(), Ok(view));
        }
        assert!("".parse::<View>().is_err_and(|complaint| complaint.contains("months")));
    }

    #[test]
    fn every_view_begins_with_the_balance() {
        let balance = "2025 in EUR: 2 transactions, from 1,900.00 to 3,400.50.\n\
                       The lowest balance was 900.00, on Thursday, 2025-01-02.\n";
        assert_eq!(shown(View::Balance), balance);
        for (_, view) in View::NAMED {
            assert!(shown(view).starts_with(balance), "{view}");
        }
    }

    #[test]
    fn columns_stand_below_each_other() {
        let text = shown(View::Months);
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).expect("it is there");
        assert!(line("January").ends_with("0.00      -1,000.00      -1,000.00         900.00"), "{text}");
        assert!(line("February").ends_with("          0.00           0.00         900.00"), "{text}");
        assert!(line("Year").ends_with("      2,500.50      -1,000.00       1,500.50"), "{text}");
        let march = shown(View::Month(3));
        assert!(march.contains("\nSales ") && !march.contains("\nRent "), "{march}");
    }
}
