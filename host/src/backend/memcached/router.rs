//! Which server a key lives on: weighted rendezvous hashing over the servers' names. No IO, no clock.
//!
//! ```text
//! hash  = XXH3-64(storage key, seed = XXH3-64(server name))
//! u     = ((hash >> 11) + 0.5) / 2^53                       in (0, 1), exactly representable
//! score = -weight / ln(u)                                   the highest wins; among equals, the first name
//! ```
//!
//! Every server draws a score for a key, whatever other servers there are. So a server that goes takes only
//! its own keys along, one that comes takes only what becomes its own, and its share is in proportion to its
//! weight. Where all weights are equal, the hashes are in the same order as the scores, and are compared
//! instead.
//!
//! All hosts of a deployment must agree, so neither the hash nor the formula may change: a golden test pins
//! the choice for a set of names, weights and keys.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::server::Server;
use crate::stored::StorageKey;

/// The names and weights of a set of servers, by their places in the list that it was made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Router {
    places: Vec<Place>,
    is_even: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    name: String,
    seed: u64,
    weight: u32,
}

/// How much a server wants a key.
#[derive(Clone, Copy)]
enum Score {
    /// Of 53 bits.
    Hash(u64),
    Weighted(f64),
}

impl Router {
    /// For servers with names of their own.
    pub(super) fn new(servers: &[Server]) -> Self {
        let place = |server: &Server| Place {
            name: server.name.clone(),
            seed: xxh3_64(server.name.as_bytes()),
            weight: server.weight,
        };
        let places: Vec<_> = servers.iter().map(place).collect();
        let is_even = places.windows(2).all(|pair| pair[0].weight == pair[1].weight);
        Self { places, is_even }
    }

    /// The server that a key lives on; `None` where there is no server.
    pub(super) fn home(&self, key: &StorageKey) -> Option<usize> {
        if self.places.len() <= 1 {
            return (!self.places.is_empty()).then_some(0);
        }
        let scored = self.places.iter().enumerate().map(|(index, place)| (index, self.score(place, key)));
        scored.reduce(|best, other| if self.compare(best, other).is_lt() { other } else { best }).map(first)
    }

    /// The servers that want a key most, the highest score first: so many, or all if there are fewer.
    pub(super) fn ranked(&self, key: &StorageKey, count: usize) -> Vec<usize> {
        let mut scored: Vec<_> =
            self.places.iter().enumerate().map(|(index, place)| (index, self.score(place, key))).collect();
        scored.sort_unstable_by(|one, other| self.compare(*other, *one));
        scored.truncate(count);
        scored.into_iter().map(first).collect()
    }

    /// Whether the server of this name is among the first `count` for a key.
    pub(super) fn is_among(&self, name: &str, key: &StorageKey, count: usize) -> bool {
        let Some(own) = self.places.iter().position(|place| place.name == name) else {
            return false;
        };
        let own = (own, self.score(&self.places[own], key));
        let better = self.places.iter().enumerate().filter(|(index, place)| {
            *index != own.0 && self.compare((*index, self.score(place, key)), own).is_gt()
        });
        better.take(count).count() < count
    }

    /// Whether the server of this name is the only one.
    pub(super) fn is_only(&self, name: &str) -> bool {
        matches!(&self.places[..], [place] if place.name == name)
    }

    fn score(&self, place: &Place, key: &StorageKey) -> Score {
        let hash = xxh3_64_with_seed(key.as_bytes(), place.seed) >> 11;
        if self.is_even {
            return Score::Hash(hash);
        }
        let unit = (hash as f64 + 0.5) / (1_u64 << 53) as f64;
        Score::Weighted(-f64::from(place.weight) / unit.ln())
    }

    fn compare(&self, one: (usize, Score), other: (usize, Score)) -> Ordering {
        let by_score = match (one.1, other.1) {
            (Score::Hash(one), Score::Hash(other)) => one.cmp(&other),
            (Score::Weighted(one), Score::Weighted(other)) => one.total_cmp(&other),
            // One router makes scores of one kind.
            (Score::Hash(_), Score::Weighted(_)) | (Score::Weighted(_), Score::Hash(_)) => Ordering::Equal,
        };
        by_score.then_with(|| self.places[other.0].name.cmp(&self.places[one.0].name))
    }
}

fn first((index, _): (usize, Score)) -> usize {
    index
}
