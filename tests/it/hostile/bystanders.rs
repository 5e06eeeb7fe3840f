//! Other tenants of an attacked host: whoever is nearest to the attacker, and what belongs to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use strongroom_host::{Cache, Fetched, Partition, ScopedCache, Value};
use tokio::task::JoinHandle;

/// The attacker of most attacks, as [`Invocation`](crate::harness::Invocation) has it.
const ATTACKER: [&str; 3] = ["tests", "acme", "9f2"];

/// Its neighbours: each has a part of its name, or has more of one.
const NEIGHBOURS: [&[&str]; 7] = [
    &["tests"],
    &["tests", "globex"],
    &["tests", "globex", "9f2"],
    &["tests", "acme", "other"],
    &["other", "acme"],
    &["other", "acme", "9f2"],
    &["tests", "acme\0", "9f2"],
];

/// How long after it was given a fill must be good: less than the shortest lease that a test sets.
const PROMPT: Duration = Duration::from_secs(1);

/// Their caches, and what lies there under names that attackers use as well.
#[derive(Clone)]
pub(super) struct Bystanders(Arc<Vec<ScopedCache>>);

/// Bystanders who are at work while something else happens.
pub(super) struct Watched {
    is_over: Arc<AtomicBool>,
    at_work: JoinHandle<()>,
}

/// The partition of a service, a stack and a session, as far as they are named.
pub(super) fn partition(names: &[&str]) -> Partition {
    let (service, below) = names.split_first().expect("a service");
    let mut partition = Partition::service(service).expect("valid");
    if let Some((stack, below)) = below.split_first() {
        partition = partition.stack(stack).expect("valid");
        for session in below {
            partition = partition.session(session).expect("valid");
        }
    }
    partition
}

/// What the bystander of a number keeps under the keys that it never changes.
fn kept(number: usize) -> [(&'static str, Value); 4] {
    [
        ("key", Value::Text(format!("of bystander {number}"))),
        ("k", Value::Json(format!("[{number}]"))),
        ("count", Value::Integer(1_000_000 + number as i64)),
        ("large", vec![number as u8; 100_000].into()),
    ]
}

impl Bystanders {
    /// Opens their caches, each with and without a namespace, and stores what they keep.
    pub(super) async fn settle(cache: &Cache) -> Self {
        let mut caches = Vec::new();
        for names in NEIGHBOURS {
            assert_ne!(names, ATTACKER);
            for namespace in [None, Some("named")] {
                let open = cache.open(&partition(names), namespace).expect("a valid namespace");
                for (key, value) in kept(caches.len()) {
                    open.set(key, value, None).await.expect("reachable");
                }
                caches.push(open);
            }
        }
        let settled = Self(Arc::new(caches));
        settled.work(0).await;
        settled
    }

    /// One of them, to measure.
    pub(super) fn one(&self) -> &ScopedCache {
        &self.0[2]
    }

    /// Has them work until the answer's end. They have begun when this answers.
    pub(super) async fn watch(&self) -> Watched {
        let bystanders = self.clone();
        let is_over = Arc::new(AtomicBool::new(false));
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let is_over_there = Arc::clone(&is_over);
        let at_work = tokio::spawn(async move {
            bystanders.work(1).await;
            begun.send(()).expect("somebody waits for it");
            for round in 2.. {
                bystanders.work(round).await;
                if is_over_there.load(Ordering::Relaxed) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        has_begun.await.expect("the bystanders work");
        Watched { is_over, at_work }
    }

    /// All that they keep is there, and what they do has its usual outcome.
    pub(super) async fn check(&self) {
        self.work(0).await;
    }

    async fn work(&self, round: i64) {
        for (number, cache) in self.0.iter().enumerate() {
            let (keys, values): (Vec<_>, Vec<_>) = kept(number).into_iter().unzip();
            let found = cache.get_many(&keys).await.expect("reachable");
            assert!(
                found.into_iter().eq(values.into_iter().map(Some)),
                "bystander {number} has lost something"
            );

            cache.set("written", round.into(), None).await.expect("reachable");
            assert_eq!(cache.get("written").await.expect("reachable"), Some(round.into()), "{number}");
            assert!(cache.delete("written").await.expect("reachable"), "{number}");
            let fetched = cache.fetch("filled", 0, Duration::ZERO).await.expect("reachable");
            let Fetched::Vacant(mut fill) = fetched else { panic!("bystander {number}: {fetched:?}") };
            let begun = Instant::now();
            let is_stored = fill.complete(round.into(), None).await.expect("reachable");
            assert!(is_stored || begun.elapsed() > PROMPT, "bystander {number} has lost its fill");
            cache.delete("filled").await.expect("reachable");
        }
    }
}

impl Watched {
    /// Ends their work, and fails where something was wrong with it.
    pub(super) async fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Err(error) = self.at_work.await {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
