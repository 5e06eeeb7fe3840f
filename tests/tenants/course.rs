//! The course of the run: rounds of other names each, in which one trouble follows the other.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::adversary::MOVES;
use crate::call::{HANGS, World};
use crate::command::Options;
use crate::deployment::PLANS;
use crate::dice::Dice;
use crate::fault_proxy::Fault;
use crate::hush::Listener;
use crate::ledger::Ledger;
use crate::rig::{CALLERS, Rig, SERVERS};
use crate::scene::Tally;
use crate::{value, vitals};

/// A round begins with other names, empty servers and new hosts.
const ROUND: Duration = Duration::from_secs(60);

/// Lengths of a trouble, in milliseconds: where each is to come once in little time, and otherwise.
const SHORT: (u64, u64) = (300, 600);
const LONG: (u64, u64) = (300, 2500);

const CALM: (u64, u64) = (200, 700);

/// While nothing happens, it is looked so often whether something went wrong.
const LOOK: Duration = Duration::from_millis(20);

/// How much longer the shortest run may take, on a machine that is busy with something else.
const PROLONGED: Duration = Duration::from_secs(60);

/// How many troubles the report of a failure names.
const HISTORY: usize = 10;

/// By how much memory may grow after the first round, which has had everything once. What lived in the
/// process is gone by then, and an allocator may keep some of it.
const GROWTH_BYTES_MAX: u64 = 192 << 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    Proxy(Fault),
    /// A server is killed (KILL), and another one starts on its port after a while, empty.
    Kill,
    /// The same, at once.
    Restart,
    /// A server is stopped (STOP) and goes on (CONT) where it was.
    Hang,
    /// A caller's runtime ends in the middle of everything.
    RuntimeEnd,
}

struct Course {
    world: Arc<World>,
    tally: Arc<Tally>,
    dice: Dice,
    /// The last troubles, and when they began.
    history: Vec<(Duration, Trouble)>,
    /// After each round: what is made once is made within the first one, which by itself tells nothing.
    memory: Vec<u64>,
}

/// Runs; answers the report, or what went wrong and the report so far.
pub(crate) fn run(options: &Options, listener: Listener) -> Result<String, String> {
    if !value::can_tell() {
        return Err("a foreign value would not be noticed".to_owned());
    }
    let (begun, ledger, stop) = (Instant::now(), Ledger::default(), AtomicBool::new(false));
    // How long calls take is the other soak's concern: here they only must not hang.
    let world = Arc::new(World { seed: options.seed, begun, ledger, listener, stop, bound: HANGS });
    let mut course = Course {
        world,
        tally: Arc::default(),
        dice: Dice::new(options.seed, u64::MAX),
        history: Vec::new(),
        memory: Vec::new(),
    };
    let mut ended = Ok(());
    let mut round = 0;
    while ended.is_ok() && (round == 0 || begun.elapsed() < options.time) {
        ended = course.round(round, options.time.saturating_sub(begun.elapsed()).min(ROUND));
        course.memory.push(vitals::resident_bytes());
        round += 1;
    }
    let ended = ended.and_then(|()| course.has_seen_everything());
    let report = course.report(options, round);
    let last = course.history.iter().rev().take(HISTORY).rev();
    let last: String = last.map(|(at, trouble)| format!("\n  {at:>10.3?} {trouble:?}")).collect();
    ended.map_err(|what| format!("{what}\nthe last troubles:{last}\n\n{report}")).map(|()| report)
}

impl Course {
    fn round(&mut self, round: u64, time: Duration) -> Result<(), String> {
        let held_back = Duration::from_millis(LONG.1);
        let mut rig = Rig::new(Arc::clone(&self.world), Arc::clone(&self.tally), round, held_back)?;
        let ended = match self.world.listener.can_hear() {
            true => self.troubles(&mut rig, time),
            false => Err("a name in a log line would not be noticed".to_owned()),
        };
        self.take_in(&rig);
        rig.end();
        ended.and_then(|()| self.look())
    }

    /// Every trouble once, in an order of its own, and again for as long as there is time.
    fn troubles(&mut self, rig: &mut Rig, time: Duration) -> Result<(), String> {
        let begun = Instant::now();
        let lengths = if time.is_zero() { SHORT } else { LONG };
        loop {
            let mut troubles: Vec<_> = Fault::ALL.into_iter().map(Trouble::Proxy).collect();
            troubles.extend([Trouble::Kill, Trouble::Restart, Trouble::Hang, Trouble::RuntimeEnd]);
            while !troubles.is_empty() {
                let calm = Duration::from_millis(self.dice.between(CALM.0, CALM.1));
                self.pass(rig, calm)?;
                let next = troubles.swap_remove(self.dice.below(troubles.len()));
                let length = Duration::from_millis(self.dice.between(lengths.0, lengths.1));
                self.suffer(rig, next, length)?;
                if !time.is_zero() && begun.elapsed() > time {
                    return Ok(());
                }
            }
            if begun.elapsed() >= time {
                return self.wait_for_the_rest(rig);
            }
        }
    }

    /// A machine that is busy with something else may need longer until everything was there once.
    fn wait_for_the_rest(&self, rig: &Rig) -> Result<(), String> {
        let begun = Instant::now();
        while !self.unseen().is_empty() && begun.elapsed() < PROLONGED {
            self.pass(rig, LOOK)?;
        }
        Ok(())
    }

    fn suffer(&mut self, rig: &mut Rig, trouble: Trouble, length: Duration) -> Result<(), String> {
        self.history.push((self.world.begun.elapsed(), trouble));
        if self.history.len() > HISTORY {
            self.history.remove(0);
        }
        // One of the servers, or all.
        let at = self.dice.below(SERVERS + 1);
        let hit: Vec<_> = (0..SERVERS).filter(|server| at == *server || at == SERVERS).collect();
        let one_in = self.dice.pick(&[3, 30, 300]);
        match trouble {
            Trouble::Proxy(fault) => {
                rig.meta.iter().for_each(|proxy| proxy.inject(fault, one_in));
                if can_classic_tell(fault) {
                    rig.classic.iter().for_each(|proxy| proxy.inject(fault, one_in));
                }
            }
            Trouble::Kill => hit.iter().for_each(|server| rig.servers[*server].kill()),
            Trouble::Restart => hit.iter().for_each(|server| {
                rig.servers[*server].kill();
                rig.servers[*server].restart();
            }),
            Trouble::Hang => hit.iter().for_each(|server| rig.servers[*server].signal("STOP")),
            Trouble::RuntimeEnd => rig.replace_runtime(),
        }
        let passed = match trouble {
            Trouble::Restart | Trouble::RuntimeEnd => Ok(()),
            _ => self.pass(rig, length),
        };
        match trouble {
            Trouble::Kill => hit.iter().for_each(|server| rig.servers[*server].restart()),
            Trouble::Hang => hit.iter().for_each(|server| rig.servers[*server].signal("CONT")),
            _ => rig.meta.iter().chain(&rig.classic).for_each(crate::fault_proxy::FaultProxy::pass),
        }
        let what = match trouble {
            Trouble::Proxy(fault) => format!("{fault:?}"),
            other => format!("{other:?}"),
        };
        self.tally.add("troubles", &what, 1);
        passed
    }

    /// Lets time pass, and looks whether anything went wrong.
    fn pass(&self, rig: &Rig, time: Duration) -> Result<(), String> {
        let until = Instant::now() + time;
        loop {
            self.world.ledger.judge(&rig.machine);
            self.look()?;
            if Instant::now() >= until {
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
    }

    fn look(&self) -> Result<(), String> {
        let World { ledger, listener, .. } = &*self.world;
        match (ledger.is_wrong(), listener.said()) {
            (Some(wrong), _) => Err(wrong),
            (None, Some(said)) => Err(format!("a name in a log line or an error: {said}")),
            (None, None) => Ok(()),
        }
    }

    /// Adds what a round has counted by itself.
    fn take_in(&self, rig: &Rig) {
        for ((protocol, fault), count) in rig.injected() {
            self.tally.add("hits", &format!("{fault:?} ({protocol})"), count);
        }
        let population = &rig.scene.population;
        for (what, count) in population.counts() {
            let count = if what.starts_with("caches") { count * PLANS.len() as u64 } else { count };
            self.tally.add("owners", what, count);
        }
        self.tally.add("owners", "hostile names and keys", population.names.len() as u64);
        for stage in &rig.scene.stages {
            let plan = stage.deployment.plan;
            self.tally.add("values", plan.name, stage.truth.written_until_now() - 1);
        }
    }

    /// What a run has to have seen, and has not: so it has not checked it.
    fn unseen(&self) -> Vec<(&'static str, String)> {
        let wanted = [
            ("reads", "hits"),
            ("reads", "misses"),
            ("clears", "a guest's own"),
            ("clears", "an operator's, of a service"),
            ("clears", "an operator's, of a stack"),
            ("clears", "an operator's, of a session"),
            ("clears", "the end of a session"),
            ("hosts", "restarts"),
            ("hosts", "rotations of an encryption key"),
            ("attempts", "swaps with another owner's version"),
            ("attempts", "owners asked for after a twin's write"),
            ("attempts", "other logins of a session asked for then"),
            ("attempts", "fetches while no owner's fill could be open"),
            ("attempts", "scopes that were asked for and refused"),
            ("attempts", "invocations of a guest"),
            ("attempts", "entries that stayed, whatever a twin did"),
        ];
        let wanted = wanted.into_iter().map(|(table, what)| (table, what.to_owned()));
        let wanted = wanted.chain(MOVES.map(|kind| ("moves", kind.name())));
        wanted.filter(|(table, what)| self.tally.of(table, what) == 0).collect()
    }

    fn has_seen_everything(&self) -> Result<(), String> {
        let unseen = self.unseen();
        if !unseen.is_empty() {
            return Err(format!("this was never seen: {unseen:?}"));
        }
        let (first, last) = (self.memory.first(), self.memory.last());
        if last > first.map(|first| first + GROWTH_BYTES_MAX).as_ref() {
            return Err(format!("memory has grown: {:?} bytes", self.memory));
        }
        Ok(())
    }

    fn report(&self, options: &Options, rounds: u64) -> String {
        let World { ledger, listener, begun, .. } = &*self.world;
        let tally = &self.tally;
        let mut text = format!(
            "tenants: seed {}, {:.1} minutes, {rounds} round(s) of other names each, {} callers, {} \
             deployments",
            options.seed,
            begun.elapsed().as_secs_f64() / 60.0,
            CALLERS.0 + CALLERS.1,
            PLANS.len()
        );
        let tables = [
            ("owners", "owners, over all rounds"),
            ("values", "values written, by deployment"),
            ("clears", "clears that were acknowledged"),
            ("hosts", "hosts"),
            ("troubles", "troubles, in periods"),
            ("hits", "replies or requests hit by a fault"),
            ("moves", "moves of the adversary at the storage"),
            ("attacked", "what was attacked, looked at afterwards"),
            ("unopened", "entries that were found and not opened"),
            ("attempts", "attempts on others"),
        ];
        for (table, title) in tables {
            text += &format!("\n{title}:{}", tally.lines(table));
        }
        text += &format!("\n{}", ledger.report());
        let memory: Vec<_> = self.memory.iter().map(|bytes| (bytes >> 20).to_string()).collect();
        text += &format!("\nresident MiB after each round: {}", memory.join(" "));
        let (lines, errors) = listener.heard();
        let names = if listener.said().is_some() { "some" } else { "0" };
        text += &format!("\nlog lines looked at: {lines}, error texts: {errors}; names in them: {names}");
        let of = |what| tally.of("reads", what);
        text += &format!("\nlook-ups: {} hits, {} misses", of("hits"), of("misses"));
        text += &format!("\nreads checked: {}, foreign values: {}", of("checked"), of("foreign"));
        text
    }
}

/// Whether the classic protocol can tell that a fault has hit. Its replies carry no number: one that is lost,
/// comes twice or in another order is what only a lying server makes of them, and TCP does not.
fn can_classic_tell(fault: Fault) -> bool {
    match fault {
        Fault::Delay
        | Fault::Stall
        | Fault::Silence
        | Fault::CutReply
        | Fault::ResetReply
        | Fault::CutRequest
        | Fault::ResetRequest
        | Fault::Drip
        | Fault::TooManyConnections => true,
        Fault::Lose
        | Fault::Truncate
        | Fault::Duplicate
        | Fault::Reorder
        | Fault::Garbage
        | Fault::WrongOpaque
        | Fault::HugeLength => false,
    }
}
