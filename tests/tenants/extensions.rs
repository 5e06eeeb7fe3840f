//! A part of the traffic through real guests: a program in WebAssembly that does as it is told, for one owner
//! after the other.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use strongroom_host::{Cache, Scope, Value};

use crate::dice::Dice;
use crate::harness::{Host, Invocation};
use crate::population::{GUESTS_KEY, Spot};
use crate::scene::{Scene, Stage, Visit};
use crate::value::{self, Origin};

const GUEST: &str = "scope_writes_and_reads_what_it_is_told";

/// Between two invocations, in milliseconds.
const BETWEEN: (u64, u64) = (5, 60);

/// What guests print where they are answered an error that may be.
const ERRORS: [&str; 3] = ["Unavailable", "TimedOut", "Decode {"];

/// Compiles the guest, which takes longer than a round may on a busy machine.
pub(crate) async fn compile() {
    let invocation = Invocation { arguments: vec!["stack", "get"], ..Invocation::default() };
    let ended = Host::with(Cache::in_memory()).run(GUEST, invocation).await;
    assert!(ended.output == "miss\n", "the guest runs: {:?}", ended.failure);
}

/// Runs guests until the round is over.
pub(crate) async fn run(scene: Arc<Scene>, mut dice: Dice, writer: u64) {
    let mut focus = (0, Vec::new());
    let is_sayable = |place: &usize| {
        let place = &scene.population.places[*place];
        // The guest has no word for the service, and its arguments end at a NUL.
        let is_word = |namespace: &String| !namespace.contains('\0');
        place.scope != Scope::Service && place.namespace.as_ref().is_none_or(is_word)
    };
    while !scene.world.stop.load(Relaxed) {
        tokio::time::sleep(Duration::from_millis(dice.between(BETWEEN.0, BETWEEN.1))).await;
        scene.focus(&mut focus);
        let places: Vec<_> = focus.1.iter().copied().filter(is_sayable).collect();
        if places.is_empty() {
            continue;
        }
        let spot = Spot { place: dice.pick(&places), key: GUESTS_KEY };
        let visit = scene.visit(dice.below(scene.stages.len()), spot.place, &mut dice);
        let told = match dice.below(40) {
            0 => clear(&scene, &visit).await,
            1..10 => set(&scene, &visit, spot, writer, &mut dice).await,
            _ => get(&scene, &visit, spot).await,
        };
        if let Err(what) = told {
            scene.world.ledger.wrong(format!("a guest was told {what}"));
        }
    }
}

/// Runs the guest; answers what it printed, or `None` for an error that may be.
async fn tell(scene: &Scene, visit: &Visit, words: &[&str]) -> Result<Option<String>, String> {
    let place = &scene.population.places[visit.place];
    let namespace = place.namespace.as_ref().map_or_else(String::new, |namespace| format!("/{namespace}"));
    let scope = format!("{}{namespace}", place.scope);
    let arguments = [&[scope.as_str()], words].concat();
    let invocation = Invocation {
        service: &place.service,
        stack: place.stack.as_deref(),
        session: place.session.as_deref(),
        issue: place.issue.as_deref(),
        arguments,
        ..Invocation::default()
    };
    let ended = Host::with(visit.host.cache.clone()).run(GUEST, invocation).await;
    scene.tally.add("attempts", "invocations of a guest", 1);
    if let Some(failure) = ended.failure {
        return Err(format!("to {words:?} and failed: {failure}"));
    }
    let said = ended.output.strip_suffix('\n').unwrap_or(&ended.output);
    let is_error = ERRORS.iter().any(|error| said.starts_with(error));
    Ok((!is_error).then(|| said.to_owned()))
}

async fn get(scene: &Scene, visit: &Visit, spot: Spot) -> Result<(), String> {
    let asked = Instant::now();
    let Some(said) = tell(scene, visit, &["get"]).await? else { return Ok(()) };
    let is_found = said != "miss";
    scene.tally.add("reads", if is_found { "hits" } else { "misses" }, 1);
    if is_found { scene.judge(visit, spot, asked, &Value::Text(said)) } else { Ok(()) }
}

async fn set(scene: &Scene, visit: &Visit, spot: Spot, writer: u64, dice: &mut Dice) -> Result<(), String> {
    let ticket = scene.stages[visit.stage].truth.ticket(spot);
    let encrypted_with = visit.host.ring.current;
    let origin = Origin { number: ticket.number, writer, encrypted_with };
    let text = value::make_text(&scene.owner(visit.stage, spot), origin, dice);
    match tell(scene, visit, &["set", &text]).await?.as_deref() {
        None | Some("stored") => Ok(()),
        Some(other) => Err(format!("to store a value, and said {other:?}")),
    }
}

async fn clear(scene: &Scene, visit: &Visit) -> Result<(), String> {
    let Stage { truth, deployment } = &scene.stages[visit.stage];
    let floor = truth.written_until_now();
    let _deed = truth.deed_on_place(visit.place);
    match tell(scene, visit, &["clear"]).await?.as_deref() {
        None => Ok(()),
        Some("cleared") => {
            let from = Instant::now() + deployment.plan.generation_ttl();
            truth.cleared_place(visit.place, from, floor);
            scene.tally.add("clears", "a guest's own, in WebAssembly", 1);
            Ok(())
        }
        Some(other) => Err(format!("to clear, and said {other:?}")),
    }
}
