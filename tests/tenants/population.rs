//! Who there is: services, stacks, sessions and namespaces of hostile names, the keys that all of them use,
//! and who could be taken for whom.

use std::collections::{HashMap, HashSet};

use strongroom_host::{Cache, CacheCtx, Grants, Partition, Scope, ScopedCache};

use crate::dice::Dice;
use crate::names::{self, FOLDINGS, KEY_BYTES_MAX, NAME_BYTES_MAX, Names, SEPARATORS};

const SERVICES: usize = 4;
const STACKS: usize = 7;
/// Of which each stack has two.
const SESSIONS: usize = 4;
/// Logins of each session, besides the one that no issue names.
const ISSUES: usize = 4;
const NAMESPACES: usize = 3;

/// Keys of each place, by what they are used for.
const VALUE_KEYS: usize = 14;
const FILL_KEYS: usize = 5;
const COUNTER_KEYS: usize = 4;
pub(crate) const KEYS: usize = VALUE_KEYS + FILL_KEYS + COUNTER_KEYS;

/// The key of a value that guests in WebAssembly use, which know no other.
pub(crate) const GUESTS_KEY: usize = 0;

/// How many keys look like `a`.
const LIKE_A: usize = 8;

/// Places that everybody turns to at one time.
const FOCUS: usize = 12;

/// What a key is used for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Value,
    Fill,
    Counter,
}

pub(crate) fn role(key: usize) -> Role {
    match key {
        0..VALUE_KEYS => Role::Value,
        _ if key < VALUE_KEYS + FILL_KEYS => Role::Fill,
        _ => Role::Counter,
    }
}

/// One cache: a partition and a namespace.
pub(crate) struct Place {
    pub(crate) scope: Scope,
    pub(crate) service: String,
    pub(crate) stack: Option<String>,
    pub(crate) session: Option<String>,
    /// Which login it is of those under the session's identifier, where the embedder says.
    pub(crate) issue: Option<String>,
    pub(crate) namespace: Option<String>,
    /// Of its service, its stack and its session, as far as it has them: see [`Population::nodes`].
    pub(crate) nodes: Vec<usize>,
}

/// A key of a place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Spot {
    pub(crate) place: usize,
    pub(crate) key: usize,
}

impl Spot {
    /// A number of its own.
    pub(crate) fn index(self) -> usize {
        self.place * KEYS + self.key
    }
}

pub(crate) struct Population {
    pub(crate) places: Vec<Place>,
    pub(crate) keys: Vec<String>,
    /// Everything that an operator can clear.
    pub(crate) nodes: Vec<Partition>,
    /// For each folding the groups of those whom it makes one.
    twins: Vec<Vec<Vec<Spot>>>,
    /// All names, each once.
    pub(crate) names: HashSet<String>,
}

impl Population {
    /// Of a seed; `storage_keys` are some of the deployments' own, which are names as well.
    pub(crate) fn new(dice: &mut Dice, storage_keys: &[String]) -> Self {
        let separator = dice.pick(&SEPARATORS);
        let mut pool = names::pool(separator, storage_keys);
        let core = names::core(separator);
        let is_other = |name: &String| !core.contains(name);
        let mut likes: Vec<_> = names::likes_of_a().into_iter().filter(is_other).collect();
        // Each name once: two nodes of one name would be one.
        pool.retain(|name| is_other(name) && !likes.contains(name));
        let all_likes = likes.clone();
        // Of the core those that are named, one that looks like `a`, and others.
        let mut some = |of_core: &[usize], count: usize, dice: &mut Dice| {
            let mut names: Vec<_> = of_core.iter().map(|at| core[*at].clone()).collect();
            names.extend(names::sample(&mut likes, 1, NAME_BYTES_MAX, dice));
            let others = names::sample(&mut pool, count - names.len(), NAME_BYTES_MAX, dice);
            names.extend(others);
            names
        };
        // For each separator a pair of which one begins where the other ends: `a`, `b:a` and `a:b`, `a`.
        let services = some(&[0, 2, 4], SERVICES, dice);
        let stacks = some(&[0, 1, 3, 5, 6], STACKS, dice);
        let sessions = some(&[0, 4, 6], SESSIONS, dice);
        let namespaces = some(&[0, 7], NAMESPACES, dice);
        let issues = some(&[0, 5, 7], ISSUES, dice);
        let mut this = Self {
            places: Vec::new(),
            keys: keys(&core, all_likes, pool, dice),
            nodes: Vec::new(),
            twins: Vec::new(),
            names: HashSet::new(),
        };
        for service in &services {
            let of_service = Partition::service(service).expect("of the right length");
            let service_node = this.add_node(of_service.clone());
            this.add_places([Some(service), None, None, None], &namespaces, &[service_node]);
            for (at, stack) in stacks.iter().enumerate() {
                let of_stack = of_service.stack(stack).expect("of the right length");
                let stack_node = this.add_node(of_stack.clone());
                let nodes = [service_node, stack_node];
                this.add_places([Some(service), Some(stack), None, None], &namespaces, &nodes);
                // Over all stacks each two of them are together in one.
                let other = at + 1 + at / sessions.len();
                for session in [at, other].map(|at| &sessions[at % sessions.len()]) {
                    let node = this.add_node(of_stack.session(session).expect("of the right length"));
                    let nodes = [service_node, stack_node, node];
                    for issue in std::iter::once(None).chain(issues.iter().map(Some)) {
                        let names = [Some(service), Some(stack), Some(session), issue];
                        this.add_places(names, &namespaces, &nodes);
                    }
                }
            }
        }
        let (nodes, keys): (HashSet<_>, HashSet<_>) =
            (this.nodes.iter().collect(), this.keys.iter().collect());
        assert!(nodes.len() == this.nodes.len() && keys.len() == KEYS, "each owner is there once");
        let all = services.into_iter().chain(stacks).chain(sessions).chain(namespaces).chain(issues);
        this.names = all.chain(this.keys.iter().cloned()).collect();
        this.find_twins();
        this
    }

    fn add_node(&mut self, partition: Partition) -> usize {
        self.nodes.push(partition);
        self.nodes.len() - 1
    }

    fn add_places(&mut self, names: [Option<&String>; 4], namespaces: &[String], nodes: &[usize]) {
        let [service, stack, session, issue] = names.map(|name| name.cloned());
        let service = service.expect("every place has a service");
        for namespace in std::iter::once(None).chain(namespaces.iter().cloned().map(Some)) {
            self.places.push(Place {
                scope: Scope::ALL[nodes.len() - 1],
                service: service.clone(),
                stack: stack.clone(),
                session: session.clone(),
                issue: issue.clone(),
                namespace,
                nodes: nodes.to_vec(),
            });
        }
    }

    fn find_twins(&mut self) {
        for folding in FOLDINGS {
            let mut groups: HashMap<String, Vec<Spot>> = HashMap::new();
            for place in 0..self.places.len() {
                for key in 0..KEYS {
                    let spot = Spot { place, key };
                    groups.entry(folding(&self.names_of(spot))).or_default().push(spot);
                }
            }
            let mut groups: Vec<_> = groups.into_values().filter(|group| group.len() > 1).collect();
            // A map has no order, and a seed should decide.
            groups.sort_by_key(|group| group[0].index());
            self.twins.push(groups);
        }
        self.twins.retain(|groups| !groups.is_empty());
    }

    pub(crate) fn names_of(&self, spot: Spot) -> Names<'_> {
        let place = &self.places[spot.place];
        [
            Some(&place.service),
            place.stack.as_deref(),
            place.session.as_deref(),
            place.issue.as_deref(),
            place.namespace.as_deref(),
            Some(&self.keys[spot.key]),
        ]
    }

    /// Some who could be taken for one another, in any order.
    pub(crate) fn twins(&self, dice: &mut Dice, count: usize) -> Vec<Spot> {
        let groups = &self.twins[dice.below(self.twins.len())];
        let mut group = groups[dice.below(groups.len())].clone();
        let mut twins = Vec::with_capacity(count);
        while twins.len() < count && !group.is_empty() {
            twins.push(group.swap_remove(dice.below(group.len())));
        }
        twins
    }

    /// The places that everybody turns to for a while: neighbours, so that they are mistaken for each other
    /// if any are, and some others.
    pub(crate) fn focus(&self, mut dice: Dice) -> Vec<usize> {
        let base = &self.places[dice.below(self.places.len())];
        let near = |with_stack: bool| {
            let is_near =
                |place: &Place| place.service == base.service && (!with_stack || place.stack == base.stack);
            let near: Vec<_> = (0..self.places.len()).filter(|&at| is_near(&self.places[at])).collect();
            near
        };
        let (family, service) = (near(true), near(false));
        let pick = |at: usize| match at % 3 {
            0 => dice.pick(&family),
            1 => dice.pick(&service),
            _ => dice.below(self.places.len()),
        };
        (0..FOCUS).map(pick).collect()
    }

    /// Whether two places are of one session, and of other logins under its identifier.
    pub(crate) fn are_other_logins(&self, first: usize, second: usize) -> bool {
        let [first, second] = [first, second].map(|place| &self.places[place]);
        first.scope == Scope::Session && first.nodes == second.nodes && first.issue != second.issue
    }

    pub(crate) fn any_spot(&self, dice: &mut Dice) -> Spot {
        Spot { place: dice.below(self.places.len()), key: dice.below(KEYS) }
    }

    /// Opens a place as an invocation does that may: there are several that may.
    pub(crate) fn open(&self, cache: &Cache, place: usize, dice: &mut Dice) -> ScopedCache {
        let place = &self.places[place];
        let namespace = place.namespace.as_deref();
        let mut invocation = CacheCtx::builder(cache).service(&place.service);
        let mut grants = Grants::default();
        if place.scope == Scope::Service {
            grants = grants.with(Scope::Service);
        }
        let stranger = &self.places[dice.below(self.places.len())];
        let stack = place.stack.as_ref().or(stranger.stack.as_ref().filter(|_| dice.one_in(2)));
        if let Some(stack) = stack {
            invocation = invocation.stack(stack);
            let stranger = Some(stranger).filter(|_| place.session.is_none() && dice.one_in(2));
            let login = stranger.unwrap_or(place);
            if let Some(session) = &login.session {
                invocation = invocation.session(session);
            }
            if let Some(issue) = &login.issue {
                invocation = invocation.session_issue(issue);
            }
        }
        let context = invocation.grants(grants).build().expect("names of the right length");
        let is_default = place.scope == Scope::Stack || stack.is_none();
        let opened = match is_default && dice.one_in(3) {
            true => context.open_default(namespace),
            false => context.open(place.scope, namespace),
        };
        opened.expect("it is granted, and of the right length")
    }

    /// Services, stacks, sessions, logins and places.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 5] {
        let issued = self.places.iter().filter(|place| place.issue.is_some());
        let logins: HashSet<_> = issued.map(|place| (&place.nodes, &place.issue)).collect();
        let nodes = |scope| self.nodes.iter().filter(|node| node.scope() == scope).count() as u64;
        [
            ("services", nodes(Scope::Service)),
            ("stacks", nodes(Scope::Stack)),
            ("sessions", nodes(Scope::Session)),
            ("logins that an issue tells apart", logins.len() as u64),
            ("caches (with namespaces)", self.places.len() as u64),
        ]
    }
}

/// The keys: the core, some that look like `a`, and others; of each kind some for each role.
fn keys(core: &[String], mut likes: Vec<String>, mut pool: Vec<String>, dice: &mut Dice) -> Vec<String> {
    pool.extend(names::long_keys());
    let mut keys = core.to_vec();
    keys.extend(names::sample(&mut likes, LIKE_A, KEY_BYTES_MAX, dice));
    keys.extend(names::sample(&mut pool, KEYS - 1 - keys.len(), KEY_BYTES_MAX, dice));
    for at in (1..keys.len()).rev() {
        keys.swap(at, dice.below(at + 1));
    }
    keys.insert(GUESTS_KEY, "key".to_owned());
    keys
}
