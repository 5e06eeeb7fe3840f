//! The course of the soak: calm, fault, recovery, and again, in rounds that have every fault once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::call::World;
use crate::command::Options;
use crate::dice::Dice;
use crate::fault_proxy::Fault;
use crate::hush::Listener;
use crate::ledger::Ledger;
use crate::rig::{RECOVERY, Rig};
use crate::{own, value, vitals};

/// What a call may take: the time-out and a tenth.
const BOUND: Duration = Duration::from_millis(330);

/// How long the load runs before memory is measured for the first time: buffers have their size then.
const WARM_UP: Duration = Duration::from_secs(3);

/// By how much memory may have grown since: what allocators keep, and what the listener remembers. A leak of
/// one small reply in a hundred calls would be above it within minutes.
const GROWTH_BYTES_MAX: u64 = 64 << 20;

/// Lengths of a fault, in milliseconds: in the first round, and later.
const SHORT: (u64, u64) = (400, 900);
const LONG: (u64, u64) = (300, 4000);

/// And once in so many times, in later rounds, so long.
const VERY_LONG_ONE_IN: u64 = 12;
const VERY_LONG: (u64, u64) = (6000, 8000);

const CALM: (u64, u64) = (300, 700);

/// A fault of the proxy goes on for so much longer, at most, where nothing has been hit yet.
const PROLONGED: Duration = Duration::from_secs(4);

/// While nothing happens, it is looked so often whether something went wrong.
const LOOK: Duration = Duration::from_millis(20);

/// How many faults the report of a failure names.
const HISTORY: usize = 10;

/// What can go wrong besides what the proxy does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Trouble {
    Proxy(Fault),
    /// The server is killed (KILL), and another one starts on its port after a while, empty.
    Kill,
    /// The same, at once.
    Restart,
    /// The server is stopped (STOP) and goes on (CONT) where it was.
    Hang,
    /// A caller's runtime ends in the middle of everything.
    RuntimeEnd,
}

struct Course {
    rig: Rig,
    dice: Dice,
    troubles: BTreeMap<Trouble, u64>,
    recoveries: Vec<(Duration, Trouble)>,
    /// All troubles, and when they began.
    history: Vec<(Duration, Trouble)>,
}

/// Runs the soak; answers the report, or what went wrong and the report so far.
pub(crate) fn run(options: &Options, listener: Listener) -> Result<String, String> {
    if !value::can_tell() || !own::can_tell() {
        return Err("a wrong reply would not be noticed".to_owned());
    }
    let begun = Instant::now();
    let (ledger, stop) = (Ledger::default(), AtomicBool::new(false));
    let world = Arc::new(World { seed: options.seed, begun, ledger, listener, stop, bound: BOUND });
    let rig = Rig::new(Arc::clone(&world), options.servers);
    if !world.listener.can_hear() {
        return Err("a name in a log line would not be noticed".to_owned());
    }
    let mut course = Course {
        rig,
        dice: Dice::new(options.seed, u64::MAX),
        troubles: BTreeMap::new(),
        recoveries: Vec::new(),
        history: Vec::new(),
    };
    course.rig.world.ledger.calm(true);
    let mut memory = Vec::new();
    let ended = course.pass(WARM_UP).and_then(|()| {
        memory.push(vitals::resident_bytes());
        let mut round = 0;
        while round == 0 || begun.elapsed() < options.time {
            course.round(round)?;
            memory.push(vitals::resident_bytes());
            round += 1;
        }
        course.end(&mut memory)
    });
    let report = course.report(options, &memory);
    course.rig.world.stop.store(true, Relaxed);
    let last = course.history.iter().rev().take(HISTORY).rev();
    let last: String = last.map(|(at, trouble)| format!("\n  {at:>10.3?} {trouble:?}")).collect();
    course.rig.end();
    ended.map_err(|what| format!("{what}\nthe last faults:{last}\n\n{report}")).map(|()| report)
}

impl Course {
    /// Every trouble once, in an order of its own.
    fn round(&mut self, round: usize) -> Result<(), String> {
        let mut troubles: Vec<_> = Fault::ALL.into_iter().map(Trouble::Proxy).collect();
        troubles.extend([Trouble::Kill, Trouble::Restart, Trouble::Hang, Trouble::RuntimeEnd]);
        while !troubles.is_empty() {
            let next = troubles.swap_remove(self.dice.below(troubles.len()));
            let span = match round {
                0 => SHORT,
                _ if self.dice.one_in(VERY_LONG_ONE_IN) => VERY_LONG,
                _ => LONG,
            };
            let length = Duration::from_millis(self.dice.between(span.0, span.1));
            self.suffer(next, length)?;
            let calm = Duration::from_millis(self.dice.between(CALM.0, CALM.1));
            self.pass(calm)?;
        }
        Ok(())
    }

    /// One trouble, and the recovery from it.
    fn suffer(&mut self, trouble: Trouble, length: Duration) -> Result<(), String> {
        self.rig.world.ledger.calm(false);
        self.history.push((self.rig.world.begun.elapsed(), trouble));
        let at = self.dice.below(self.rig.servers.len());
        let one_in = self.dice.pick(&[3, 30, 300]);
        let hits = self.hits(trouble);
        let (server, proxy) = &mut self.rig.servers[at];
        match trouble {
            Trouble::Proxy(fault) => proxy.inject(fault, one_in),
            Trouble::Kill => server.kill(),
            Trouble::Restart => {
                server.kill();
                server.restart();
            }
            Trouble::Hang => server.signal("STOP"),
            Trouble::RuntimeEnd => self.rig.replace_runtime(self.dice.below(8)),
        }
        if !matches!(trouble, Trouble::Restart | Trouble::RuntimeEnd) {
            let passed = self.pass(length).and_then(|()| self.pass_until_hit(trouble, hits));
            let (server, proxy) = &mut self.rig.servers[at];
            match trouble {
                Trouble::Kill => server.restart(),
                Trouble::Hang => server.signal("CONT"),
                _ => proxy.pass(),
            }
            passed?;
        }
        *self.troubles.entry(trouble).or_default() += 1;
        let took = self.rig.recover(Instant::now()).map_err(|what| format!("after {trouble:?}: {what}"))?;
        self.recoveries.push((took, trouble));
        self.rig.world.ledger.calm(true);
        Ok(())
    }

    /// How often a fault of the proxy has hit; nothing else can miss.
    fn hits(&self, trouble: Trouble) -> u64 {
        match trouble {
            Trouble::Proxy(fault) => self.rig.injected().get(&fault).copied().unwrap_or(0),
            Trouble::Kill | Trouble::Restart | Trouble::Hang | Trouble::RuntimeEnd => 0,
        }
    }

    fn pass_until_hit(&self, trouble: Trouble, hits: u64) -> Result<(), String> {
        let begun = Instant::now();
        while matches!(trouble, Trouble::Proxy(_))
            && self.hits(trouble) == hits
            && begun.elapsed() < PROLONGED
        {
            self.pass(LOOK)?;
        }
        Ok(())
    }

    /// Lets time pass, and looks whether anything went wrong.
    fn pass(&self, time: Duration) -> Result<(), String> {
        let world = &self.rig.world;
        let until = Instant::now() + time;
        loop {
            world.ledger.judge(&self.rig.machine);
            if let Some(wrong) = world.ledger.is_wrong() {
                return Err(wrong);
            }
            if let Some(said) = world.listener.said() {
                return Err(format!("a name in a log line or an error: {said}"));
            }
            if Instant::now() >= until {
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Everybody goes; what is left behind is a leak.
    fn end(&mut self, memory: &mut Vec<u64>) -> Result<(), String> {
        let goodbye = self.rig.say_goodbye();
        // The last calls are to be judged as well.
        self.pass(Duration::from_secs(1))?;
        memory.push(vitals::resident_bytes());
        goodbye?;
        let missing: Vec<_> =
            Fault::ALL.into_iter().filter(|fault| !self.rig.injected().contains_key(fault)).collect();
        if !missing.is_empty() {
            return Err(format!("these faults have hit nothing: {missing:?}"));
        }
        let (first, last) = (memory.first(), memory.last());
        if last > first.map(|first| first + GROWTH_BYTES_MAX).as_ref() {
            return Err(format!("memory has grown: {memory:?} bytes"));
        }
        Ok(())
    }

    fn report(&self, options: &Options, memory: &[u64]) -> String {
        let Rig { world, .. } = &self.rig;
        let mut text = format!(
            "soak: seed {}, {:.0?}, {} callers, {} server(s)\nfaults (periods, replies or requests hit):",
            options.seed,
            world.begun.elapsed(),
            Rig::concurrency(),
            options.servers
        );
        for (trouble, periods) in &self.troubles {
            text += &match trouble {
                Trouble::Proxy(fault) => {
                    format!("\n  {:22}{periods:>6}{:>12}", format!("{fault:?}"), self.hits(*trouble))
                }
                other => format!("\n  {:22}{periods:>6}", format!("{other:?}")),
            };
        }
        text += &format!("\n{}", world.ledger.report());
        let slowest = self.recoveries.iter().max().map_or_else(String::new, |(took, trouble)| {
            format!(", the slowest after {took:.2?} ({trouble:?}) of {RECOVERY:?}")
        });
        text += &format!("\nrecoveries: {}{slowest}", self.recoveries.len());
        let (accepted, open) = self.rig.connections();
        text += &format!("\nconnections to the proxies: {accepted} made, {open} open");
        text += &format!(
            "\nafter the last caller: {} tasks of the engine and callers, sockets {} (before: {})",
            self.rig.tasks(),
            vitals::sockets(),
            self.rig.sockets_before
        );
        let mib = |bytes: &u64| format!("{}", bytes >> 20);
        let memory: Vec<_> = memory.iter().map(mib).collect();
        text += &format!("\nresident MiB, warm, after each round and at the end: {}", memory.join(" "));
        let (lines, errors) = world.listener.heard();
        text += &format!("\nlog lines looked at: {lines}, error texts: {errors}; names in them: 0");
        if world.listener.said().is_some() {
            text = text.replace("names in them: 0", "names in them: some");
        }
        text
    }
}
