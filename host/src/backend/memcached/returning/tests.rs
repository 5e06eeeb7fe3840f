//! What a server owes and its floors, against a server that is a closure.

use std::cell::RefCell;
use std::future::ready;

use super::super::protocol::{Found, Lease};
use super::super::server::Server;
use super::*;

fn key(number: usize) -> StorageKey {
    StorageKey::new("bank", format!("{number:032}").as_bytes().try_into().expect("32 digits"))
}

fn router(list: &[&str]) -> Arc<Router> {
    let servers: Vec<_> = list.iter().map(|text| Server::parse(text).expect("of the right form")).collect();
    Arc::new(Router::new(&servers))
}

/// A server that numbers its writes, and knows of its items nothing but their numbers.
#[derive(Default)]
struct Peer {
    items: RefCell<HashMap<StorageKey, u64>>,
    number: RefCell<u64>,
    bursts: RefCell<Vec<usize>>,
    is_down: RefCell<bool>,
}

impl Peer {
    fn answer(&self, requests: Vec<Request>) -> Outcome {
        if *self.is_down.borrow() {
            return Err(Failure::Unanswered { reason: "down".to_owned() });
        }
        self.bursts.borrow_mut().push(requests.len());
        let mut items = self.items.borrow_mut();
        let answer = |request: &Request| match request {
            Request::Store { key, .. } => {
                *self.number.borrow_mut() += 1;
                items.insert(*key, *self.number.borrow());
                Reply::Done
            }
            Request::Delete { key, .. } => items.remove(key).map_or(Reply::Missing, |_| Reply::Done),
            Request::Look(key) => items.get(key).map_or(Reply::Missing, |version| {
                Reply::Found(Found {
                    flags: Flags::entry(Kind::Bytes, 0),
                    remaining: None,
                    version: *version,
                    lease: Lease::None,
                    length: 0,
                    data: None,
                })
            }),
            other => panic!("{other:?}"),
        };
        Ok(requests.iter().map(answer).collect())
    }

    fn put(&self, key: StorageKey) -> u64 {
        self.answer(mark(key)).expect("up");
        *self.number.borrow()
    }

    fn restart(&self) {
        self.items.borrow_mut().clear();
        *self.number.borrow_mut() = 0;
    }

    async fn settle(&self, past: &Past, connection: u64) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_secs(5);
        past.settle(connection, &key(0), deadline, |requests| ready(self.answer(requests))).await
    }
}

#[tokio::test]
async fn owed_keys_are_deleted_in_bursts_before_anything_else() {
    let (past, peer) = (Past::new("a"), Peer::default());
    peer.settle(&past, 1).await.expect("nothing to do");
    assert!(peer.bursts.borrow().is_empty());
    (0..1200).for_each(|number| assert_ne!(peer.put(key(number)), 0));
    let keys: Vec<_> = (0..1100).map(key).collect();
    past.owe(&keys);
    past.owe(&keys);
    assert_eq!(past.owed(), 1100);
    *peer.is_down.borrow_mut() = true;
    assert!(
        matches!(peer.settle(&past, 1).await, Err(Failure::NotSent { .. })),
        "the waiting call was not sent"
    );
    assert_eq!(past.owed(), 1100, "what fails stays owed");
    *peer.is_down.borrow_mut() = false;
    peer.bursts.borrow_mut().clear();
    peer.settle(&past, 2).await.expect("up");
    assert_eq!(*peer.bursts.borrow(), [500, 500, 100]);
    assert_eq!((past.owed(), peer.items.borrow().len()), (0, 100));
    assert_eq!(past.floor(&key(1), 1), 0, "the other entries count as before");
}

#[tokio::test]
async fn a_log_that_overflows_raises_the_floor_over_everything() {
    let (past, peer) = (Past::new("a"), Peer::default());
    let old = peer.put(key(1));
    past.owe(&(0..OWED_KEYS_MAX).map(key).collect::<Vec<_>>());
    assert_eq!(past.owed(), OWED_KEYS_MAX);
    past.owe(&[key(OWED_KEYS_MAX)]);
    assert_eq!(past.owed(), 0);
    assert_eq!(past.floor(&key(1), 1), u64::MAX, "until there is a floor, nothing counts");
    peer.settle(&past, 1).await.expect("up");
    let new = peer.put(key(2));
    assert!(old < past.floor(&key(1), 1) && past.floor(&key(2), 1) < new);
}

#[tokio::test]
async fn a_server_that_restarts_gets_a_floor_of_its_new_numbers() {
    let (past, peer) = (Past::new("a"), Peer::default());
    (0..100).for_each(|number| assert_ne!(peer.put(key(number)), 0));
    past.distrust_all();
    peer.settle(&past, 1).await.expect("up");
    let floor = past.floor(&key(1), 1);
    peer.settle(&past, 2).await.expect("a new connection to the same process");
    assert_eq!(past.floor(&key(1), 1), floor);
    peer.restart();
    let early = peer.put(key(1));
    peer.settle(&past, 3).await.expect("up");
    let floor = past.floor(&key(1), 1);
    assert!(early < floor && floor < 100, "lower than before, and above what is there");
    assert!(peer.put(key(1)) > floor);
}

#[tokio::test]
async fn a_marker_that_was_evicted_takes_no_floor_with_it() {
    let (past, peer) = (Past::new("a"), Peer::default());
    past.distrust_all();
    peer.settle(&past, 1).await.expect("up");
    let floor = past.floor(&key(1), 1);
    let written = peer.put(key(1));
    peer.items.borrow_mut().retain(|kept, _| *kept == key(1));
    peer.settle(&past, 2).await.expect("up");
    assert_eq!(past.floor(&key(1), 1), floor, "its numbers went on");
    assert!(written > floor);
    peer.bursts.borrow_mut().clear();
    peer.settle(&past, 3).await.expect("up");
    assert_eq!(*peer.bursts.borrow(), [1], "there is a marker again");
}

#[tokio::test]
async fn a_former_set_counts_for_the_keys_that_lived_elsewhere_in_it() {
    let (past, peer) = (Past::new("a"), Peer::default());
    let former = router(&["a=h:1", "b=h:2"]);
    past.remember(&router(&["a=h:1"]));
    assert_eq!(past.floor(&key(1), 1), 0, "everything lived here");
    past.remember(&former);
    peer.settle(&past, 1).await.expect("up");
    for number in 0..100 {
        let lived_here = former.home(&key(number)) == Some(0);
        assert_eq!(past.floor(&key(number), 1) == 0, lived_here);
        assert_eq!(past.floor(&key(number), 2), 0, "what is kept on both was here");
    }
}

#[tokio::test]
async fn the_oldest_of_too_many_former_sets_counts_for_all_keys() {
    let (past, peer) = (Past::new("a"), Peer::default());
    let weighed = |weight: usize| router(&["a=h:1*1000", &format!("b=h:2*{weight}")]);
    for _ in 0..100 {
        past.remember(&weighed(1));
    }
    assert_eq!(past.lock().floors.len(), 1, "the same set is remembered once");
    for weight in 1..=FORMER_SETS_MAX {
        past.remember(&weighed(weight));
        peer.settle(&past, 1).await.expect("up");
    }
    let here = (0..).map(key).find(|key| past.floor(key, 1) == 0).expect("most keys lived here all the time");
    let oldest = past.lock().floors[0].number;
    past.remember(&weighed(999));
    assert_eq!(past.lock().floors.len(), FORMER_SETS_MAX + 1);
    peer.settle(&past, 1).await.expect("up");
    assert!(past.floor(&here, 1) >= oldest.expect("settled"));
}

#[tokio::test(start_paused = true)]
async fn a_write_is_owed_if_it_fails_or_its_caller_has_waited_long() {
    let past = Past::new("a");
    let delete = |number| [Request::Delete { key: key(number), version: None }, Request::Look(key(9))];
    let later = || Instant::now() + Duration::from_secs(1);
    Pledge::new(&past, &delete(1), later()).kept();
    drop(Pledge::new(&past, &delete(2), later()));
    drop(Pledge::new(&past, &[Request::Look(key(3))], Instant::now()));
    assert_eq!(past.owed(), 0);
    Pledge::new(&past, &delete(4), later()).broken();
    assert_eq!(past.owed(), 1);
    let pledge = Pledge::new(&past, &delete(5), later());
    tokio::time::advance(Duration::from_secs(2)).await;
    drop(pledge);
    assert_eq!(past.owed(), 2);
}
