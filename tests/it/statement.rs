//! The example `statement`: what one session computes, all of its stack read.

use std::collections::BTreeSet;
use std::process::Stdio;

use crate::cli::{Desk, guest, text};
use crate::memcached::Memcached;

/// Processes of one stack at the same time, each for a session of its own.
const SESSIONS: usize = 6;

/// A file that takes a while: several times the one that comes with the example.
const LINES: &str = "20000";

/// What `strongroom run` needs to run the example on the file `account.csv` of the desk.
struct Statement {
    desk: Desk,
    component: String,
}

impl Statement {
    /// With a generated file. That first run also compiles the component, which the others find compiled.
    fn new(server: &Memcached) -> Self {
        let (desk, component) = (Desk::at(server), guest("statement"));
        let generate = ["run", &component, "--", "generate", "--year", "2025", "--lines", LINES];
        desk.file("account.csv", &text(&desk.run(&generate)));
        Self { desk, component }
    }

    fn arguments<'a>(&'a self, stack: &'a str, session: &'a str, asked: &[&'a str]) -> Vec<&'a str> {
        let run = ["run", &self.component, "--stack", stack, "--session", session, "--dir", ".::/data:ro"];
        [&run[..], &["--", "/data/account.csv", "--year"], asked].concat()
    }

    fn run(&self, stack: &str, session: &str, asked: &[&str]) -> Report {
        Report::of(&text(&self.desk.run(&self.arguments(stack, session, asked))))
    }
}

/// What the example prints: a line for each of its two steps, and the summary.
struct Report {
    is_computed: bool,
    view_step: String,
    summary: String,
}

impl Report {
    fn of(said: &str) -> Self {
        let (steps, summary) = said.split_once("\n\n").expect("an empty line follows the steps");
        let (summary_step, view_step) = steps.split_once('\n').expect("there are two steps");
        let is_computed = summary_step.contains(" computed ");
        assert!(is_computed || summary_step.contains(" cached "), "{said}");
        Self { is_computed, view_step: view_step.to_owned(), summary: summary.to_owned() }
    }
}

#[test]
fn many_sessions_at_once_compute_a_statement_once_for_each_stack() {
    let server = Memcached::start();
    let statement = Statement::new(&server);
    let sessions: Vec<_> = (0..SESSIONS).map(|number| format!("session-{number}")).collect();
    let stacks = ["acme", "globex"];
    let started: Vec<_> = sessions
        .iter()
        .flat_map(|session| stacks.map(|stack| (stack, session)))
        .map(|(stack, session)| {
            let arguments = statement.arguments(stack, session, &["2025", "--view", "all"]);
            let mut run = statement.desk.command(&arguments);
            let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
            (stack, run)
        })
        .collect();
    let reports: Vec<_> = started
        .into_iter()
        .map(|(stack, run)| (stack, Report::of(&text(&run.wait_with_output().expect("it ends")))))
        .collect();

    for stack in stacks {
        let of_stack = reports.iter().filter(|(its, _)| *its == stack);
        let computed = of_stack.filter(|(_, report)| report.is_computed).count();
        assert_eq!(computed, 1, "how often it was computed for {stack}");
    }
    let summaries: BTreeSet<_> = reports.iter().map(|(_, report)| report.summary.as_str()).collect();
    assert_eq!(summaries.len(), 1, "the same file has several summaries: {summaries:#?}");
    assert!(summaries.iter().all(|summary| summary.contains(&format!("{LINES} transactions"))));

    assert!(!statement.run("acme", "somebody later", &["2025"]).is_computed);
    assert!(statement.run("initech", "session-0", &["2025"]).is_computed, "another stack has its own");
}

#[test]
fn a_session_is_shown_the_view_that_it_saw_last() {
    let server = Memcached::start();
    let statement = Statement::new(&server);
    let seen = |session: &str, asked: &[&str]| statement.run("acme", session, asked).view_step;
    let first = seen("anna", &["2025", "--view", "recurring"]);
    assert!(first.starts_with("view recurring") && first.contains(" time 1 "), "{first}");
    let second = seen("anna", &["2025"]);
    assert!(second.starts_with("view recurring") && second.contains(" time 2 "), "{second}");
    let other = seen("ben", &["2025"]);
    assert!(other.starts_with("view all") && other.contains(" time 1 "), "{other}");
}

#[test]
fn what_can_not_be_summarised_is_one_clear_line_and_a_failure() {
    let server = Memcached::start();
    let statement = Statement::new(&server);
    let fails = |asked: &[&str]| statement.desk.fails(&statement.arguments("acme", "anna", asked));
    let (code, said) = fails(&["2019"]);
    assert!(code == 1 && said.contains("no transactions of 2019; there are those of 2025"), "{said}");
    let (code, said) = fails(&["2025", "--view", "everything"]);
    assert!(code == 1 && said.contains("`everything` is no view"), "{said}");
    let head = "date,counterparty,category,reference,amount,balance,currency\n";
    statement.desk.file("account.csv", &format!("{head}2025-01-02,Berger,Rent,January,-1000,0.00,EUR\n"));
    let (code, said) = fails(&["2025"]);
    assert!(code == 1 && said.contains("/data/account.csv: line 2: its amount: `-1000`"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    // Nothing was cached of it: with the file in order, it is computed.
    statement.desk.file("account.csv", &format!("{head}2025-01-02,Berger,Rent,January,-1000.00,0.00,EUR\n"));
    assert!(statement.run("acme", "anna", &["2025"]).is_computed);

    let without = ["run", &statement.component, "--stack", "acme", "--session", "anna", "--"];
    let asked = ["/data/account.csv", "--year", "2024"];
    let (code, said) = statement.desk.fails(&[&without[..], &asked].concat());
    assert!(code == 1 && said.contains("can't read /data/account.csv") && said.contains("--dir"), "{said}");
}
