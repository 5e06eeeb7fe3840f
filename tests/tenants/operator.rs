//! Operators: they clear services, stacks and sessions, restart hosts, and rotate encryption keys, while
//! everybody calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_host::Scope;

use crate::call::{Answer, Calls};
use crate::deployment::{HOSTS, Ring};
use crate::scene::{Scene, Stage};

/// Between two clears of one deployment, in milliseconds.
const BETWEEN_CLEARS: (u64, u64) = (100, 900);

/// Of so many clears one takes a whole service.
const SERVICE_ONE_IN: u64 = 12;

/// Between two replacements of a host of one deployment, in milliseconds.
const BETWEEN_HOSTS: (u64, u64) = (100, 700);

/// How a partition is ended. Every way of ending one goes through [`end`], which notes what must not be read
/// afterwards.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// `Cache::clear`, by an operator.
    Clear,
    /// `Cache::end_session`.
    EndSession,
}

/// Clears partitions of a deployment until the round is over.
pub(crate) async fn clear(scene: Arc<Scene>, stage: usize, mut calls: Calls) {
    while !calls.is_over() {
        pause(&mut calls, BETWEEN_CLEARS).await;
        let scope = match calls.dice.one_in(SERVICE_ONE_IN) {
            true => Scope::Service,
            false => calls.dice.pick(&[Scope::Stack, Scope::Session]),
        };
        let nodes = &scene.population.nodes;
        let of_scope: Vec<_> = (0..nodes.len()).filter(|node| nodes[*node].scope() == scope).collect();
        let node = calls.dice.pick(&of_scope);
        let ending = match scope {
            Scope::Session => calls.dice.pick(&[Ending::Clear, Ending::EndSession]),
            Scope::Service | Scope::Stack => Ending::Clear,
        };
        end(&scene, stage, node, ending, &mut calls).await;
    }
}

/// Ends a partition; once that is acknowledged, and every host has heard of it, what was there before is
/// gone.
pub(crate) async fn end(scene: &Scene, stage: usize, node: usize, ending: Ending, calls: &mut Calls) {
    let Stage { truth, deployment } = &scene.stages[stage];
    let cache = deployment.host(calls.dice.below(HOSTS)).cache;
    let partition = &scene.population.nodes[node];
    let floor = truth.written_until_now();
    let _deed = truth.deed_on_node(node);
    let ended = match ending {
        Ending::Clear => calls.call("clear (an operator's)", cache.clear(partition)).await,
        Ending::EndSession => calls.call("end_session", cache.end_session(partition)).await,
    };
    if let Answer::Done(()) = ended {
        truth.cleared_node(node, Instant::now() + deployment.plan.generation_ttl(), floor);
        let what = match ending {
            Ending::Clear => format!("an operator's, of a {}", partition.scope()),
            Ending::EndSession => "the end of a session".to_owned(),
        };
        scene.tally.add("clears", &what, 1);
    }
}

/// Replaces hosts of a deployment until the round is over: where it encrypts, in the steps of a rotation
/// of its key; otherwise each by one that is the same.
pub(crate) async fn replace_hosts(scene: Arc<Scene>, stage: usize, mut calls: Calls) {
    let deployment = &scene.stages[stage].deployment;
    let is_sealed = deployment.plan.is_sealed();
    let mut key = u64::from(is_sealed);
    while !calls.is_over() {
        let same = Ring { current: key, previous: Vec::new() };
        let steps = if is_sealed { Ring::rotation(key).to_vec() } else { vec![same] };
        for ring in steps {
            // Sometimes another one restarts in the middle of it.
            for host in 0..HOSTS {
                pause(&mut calls, BETWEEN_HOSTS).await;
                if calls.is_over() {
                    return;
                }
                if calls.dice.one_in(3) {
                    let restarted = calls.dice.below(HOSTS);
                    let ring = deployment.host(restarted).ring;
                    replace_host(&scene, stage, restarted, (*ring).clone(), "restarts").await;
                }
                let what = if is_sealed { "restarts with another keyring" } else { "restarts" };
                replace_host(&scene, stage, host, ring.clone(), what).await;
            }
        }
        if is_sealed {
            key += 1;
            scene.tally.add("hosts", "rotations of an encryption key", 1);
        }
    }
}

async fn replace_host(scene: &Scene, stage: usize, host: usize, ring: Ring, what: &str) {
    let Stage { deployment, .. } = &scene.stages[stage];
    let former = deployment.replace_host(host, ring).await;
    scene.tally.add("hosts", what, 1);
    for (reason, count) in former.cache.stats().unopened {
        scene.tally.add("unopened", &format!("{reason} ({})", deployment.plan.name), count);
    }
}

async fn pause(calls: &mut Calls, (low, high): (u64, u64)) {
    tokio::time::sleep(Duration::from_millis(calls.dice.between(low, high))).await;
}
