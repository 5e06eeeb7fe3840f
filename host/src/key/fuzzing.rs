//! Places with hostile names, two at a time and made of the same text: whatever differs between them, nothing
//! that is derived of them is the same.

use std::collections::HashMap;

use super::{GENERATIONS, KeyDeriver, Place, frame, nodes, own_frame, refresh_lock};
use crate::input::Input;
use crate::limits::{IDENTIFIER_BYTES_MAX, KEY_BYTES_MAX, NAMESPACE_BYTES_MAX};
use crate::scope::{Namespace, Partition};
use crate::stored::StorageKey;

const LABELS: [&str; 4] =
    ["strongroom/v1/node", "strongroom/v1/own", "strongroom/v1/entry", "strongroom/v1/data"];

/// The names of a place, the generations that it is in, and a guest key.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Names {
    service: String,
    stack: Option<String>,
    session: Option<String>,
    issue: Option<String>,
    namespace: Option<String>,
    generations: [u64; GENERATIONS],
    key: String,
}

impl Names {
    /// Cuts a text into names at the places that the input says.
    fn cut(text: &str, input: &mut Input<'_>) -> Self {
        let mut rest = text;
        let mut next = || {
            let at = rest.floor_char_boundary(input.below(256));
            let (name, after) = rest.split_at(at);
            rest = after;
            name.to_owned()
        };
        let [service, stack, session, issue, namespace] = [(); 5].map(|()| next());
        let key = rest.to_owned();
        let absent = input.byte();
        let keep = |bit: u8, name: String| (absent & bit == 0).then_some(name);
        Self {
            service,
            stack: keep(1, stack),
            session: keep(2, session),
            issue: keep(16, issue),
            namespace: keep(4, namespace),
            generations: [(); GENERATIONS].map(|()| if absent & 8 == 0 { 0 } else { input.number() }),
            key,
        }
    }

    /// The place, unless one of the names can't be one.
    fn place(&self) -> Option<Place> {
        let partition = self.partition();
        let is_identifier = |name: &String| (1..=IDENTIFIER_BYTES_MAX).contains(&name.len());
        let are_names = is_identifier(&self.service)
            && [&self.stack, &self.session, &self.issue].into_iter().flatten().all(is_identifier)
            && !(self.session.is_some() && self.stack.is_none())
            && !(self.issue.is_some() && self.session.is_none());
        assert_eq!(partition.is_some(), are_names);
        let namespace = self.namespace.as_deref().map(Namespace::new).transpose();
        let is_namespace =
            self.namespace.as_ref().is_none_or(|name| (1..=NAMESPACE_BYTES_MAX).contains(&name.len()));
        assert_eq!(namespace.is_ok(), is_namespace);
        Some(Place { partition: partition?, namespace: namespace.ok()? })
    }

    fn partition(&self) -> Option<Partition> {
        let mut partition = Partition::service(&self.service).ok()?;
        if let Some(stack) = &self.stack {
            partition = partition.stack(stack).ok()?;
        }
        if let Some(session) = &self.session {
            partition = partition.session(session).ok()?;
        }
        if let Some(issue) = &self.issue {
            partition = partition.issued(issue).ok()?;
        }
        Some(partition)
    }

    /// Everything that a frame tells apart, as the frame of this label says it.
    fn parts(&self, label: &str) -> Vec<Option<Vec<u8>>> {
        // All issues of a session are one node.
        let issue = self.issue.as_deref().filter(|_| label != LABELS[0]);
        let scope = match (&self.stack, &self.session, issue) {
            (None, ..) => "service",
            (_, None, _) => "stack",
            (.., None) => "session",
            (.., Some(_)) => "issued session",
        };
        let text = |text: &str| Some(text.as_bytes().to_vec());
        let mut parts = vec![text(label), text(scope), text(&self.service)];
        parts.extend([&self.stack, &self.session].map(|name| name.as_deref().and_then(text)));
        parts.extend(issue.map(text));
        let namespace = self.namespace.as_deref().filter(|_| label != LABELS[0]);
        parts.push(namespace.and_then(text));
        if label == LABELS[2] {
            parts.extend(self.generations.map(|generation| Some(generation.to_be_bytes().to_vec())));
        }
        parts
    }
}

/// What was derived, and what of: two that are the same are of the same.
#[derive(Default)]
struct Derived {
    frames: HashMap<Vec<u8>, Vec<Option<Vec<u8>>>>,
    keys: HashMap<StorageKey, String>,
}

impl Derived {
    fn frame(&mut self, frame: Vec<u8>, parts: Vec<Option<Vec<u8>>>) {
        assert_eq!(read(&frame), parts, "a frame is read in one way only");
        let known = self.frames.entry(frame).or_insert_with(|| parts.clone());
        assert_eq!(*known, parts, "two places have the same frame");
    }

    fn key(&mut self, key: StorageKey, prefix: &str, of: String) {
        let text = key.as_str();
        assert_eq!(StorageKey::parse(text), Some(key), "a storage key of another form");
        assert_eq!(text.len(), prefix.len() + 33);
        assert!(text.starts_with(prefix) && text.is_ascii());
        let known = self.keys.entry(key).or_insert_with(|| of.clone());
        assert_eq!(*known, of, "two things have the same storage key");
    }
}

/// Reads a frame, which is nothing but parts.
fn read(mut frame: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut parts = Vec::new();
    while let Some((is_there, rest)) = frame.split_first() {
        frame = rest;
        let part = (*is_there == 1).then(|| {
            let (len, rest) = frame.split_first_chunk::<4>().expect("a part has a length");
            let (part, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
            frame = rest;
            part.to_vec()
        });
        parts.push(part);
    }
    parts
}

/// Derives all there is of two places.
pub(crate) fn derive(mut input: Input<'_>) {
    let secret = input.flag().then(|| [input.byte(); 32]);
    let prefix = input.one_of(&[
        "",
        "bank",
        "a/b.c_d-",
        "0123456789012345678901234567890123456789012345678901234567890123",
    ]);
    let deriver = KeyDeriver::new(secret.as_ref(), prefix);
    let text_bytes = usize::from(input.u16() % 1500);
    let text = String::from_utf8_lossy(input.take(text_bytes)).into_owned();
    let both = [Names::cut(&text, &mut input), Names::cut(&text, &mut input)];
    let versions = [input.number(), input.number()];

    let mut derived = Derived::default();
    derived.frame(own_frame("strongroom/v1/recent"), vec![Some(b"strongroom/v1/recent".to_vec())]);
    for names in &both {
        let Some(place) = names.place() else { continue };
        derive_frames(names, &place, &mut derived);
        if (1..=KEY_BYTES_MAX).contains(&names.key.len()) {
            derive_keys(names, &place, (&deriver, prefix), versions, &mut derived);
        }
    }
}

fn derive_frames(names: &Names, place: &Place, derived: &mut Derived) {
    let (partition, namespace) = (&place.partition, place.namespace.as_ref());
    derived.frame(frame(LABELS[0], &partition.node(), None, &[]), names.parts(LABELS[0]));
    derived.frame(frame(LABELS[1], partition, namespace, &[]), names.parts(LABELS[1]));
    derived.frame(frame(LABELS[2], partition, namespace, &names.generations), names.parts(LABELS[2]));
    derived.frame(place.identity(), names.parts(LABELS[3]));
    let above: Vec<_> = nodes(partition).collect();
    assert_eq!(above.last(), Some(partition), "the narrowest node is the place's own");
    assert_eq!(above.len(), 1 + usize::from(names.stack.is_some()) + usize::from(names.session.is_some()));
}

fn derive_keys(
    names: &Names,
    place: &Place,
    (deriver, prefix): (&KeyDeriver, &str),
    versions: [u64; 2],
    derived: &mut Derived,
) {
    let of = |what: &str| format!("{what} of {:?} in {:?}", names.key, names.parts(LABELS[2]));
    derived.key(deriver.node(&place.partition), prefix, format!("{:?}", names.parts(LABELS[0])));
    derived.key(deriver.own(place), prefix, format!("{:?}", names.parts(LABELS[1])));
    let keys = deriver.partition(place, &names.generations);
    let entry = keys.storage_key(&names.key);
    derived.key(entry, prefix, of("the entry"));
    for version in versions {
        derived.key(refresh_lock(&entry, version), prefix, of(&format!("the lock of {version}")));
        assert_eq!(keys.unmask(keys.mask(version)), version, "a masked version is another one");
        assert_eq!(keys.mask(keys.unmask(version)), version, "a masked version is another one");
    }
    assert_eq!(keys.mask(versions[0]) == keys.mask(versions[1]), versions[0] == versions[1]);
}
