//! Finds the first of many rules that is for a request without trying each: exact paths and prefixes are looked up.
//!
//! In: rules in the order in which they count, and the head of a request. Out: what the first that matches leads to. Never: an
//! allocation, or work that grows with the length of a path times its depth: only lengths that a prefix has are looked up.

use std::collections::HashMap;

use http::{HeaderMap, Method, Uri};

use super::matching::Match;
use crate::snapshot::routes::{PathKind, PathMatch};

/// To try so few is faster than to look up.
const FEW: usize = 8;

pub struct Table<T> {
    rules: Vec<(Match, T)>,
    exact: Places,
    prefixes: Places,
    /// That prefixes have, the longest first.
    lengths: Vec<usize>,
    /// Rules of any path or of an expression.
    others: Vec<usize>,
}

/// Places of rules, in order, by path.
type Places = HashMap<Box<str>, Vec<usize>>;

impl<T> Table<T> {
    /// Of rules with the paths they are for.
    pub fn of<'a>(from: impl Iterator<Item = (Option<&'a PathMatch>, Match, T)>) -> Self {
        let (paths, rules): (Vec<_>, Vec<_>) = from
            .map(|(path, matching, to)| (path, (matching, to)))
            .unzip();
        let mut table = Self {
            exact: HashMap::new(),
            prefixes: HashMap::new(),
            lengths: Vec::new(),
            others: Vec::new(),
            rules,
        };
        for (place, path) in paths.iter().enumerate() {
            let places = match path.filter(|_| paths.len() > FEW) {
                Some(path) if path.kind == PathKind::Exact => table.exact.entry(key(path)),
                Some(path) if path.kind == PathKind::Prefix => table.prefixes.entry(key(path)),
                _ => {
                    table.others.push(place);
                    continue;
                }
            };
            places.or_default().push(place);
        }
        table.lengths = table.prefixes.keys().map(|prefix| prefix.len()).collect();
        table.lengths.sort_unstable_by(|a, b| b.cmp(a));
        table.lengths.dedup();
        table
    }

    /// What the first rule for such a request leads to.
    pub fn find(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<&T> {
        let mut first = self.rules.len();
        for places in self.candidates(uri.path()) {
            let earlier = places.iter().take_while(|place| **place < first);
            let holds = |place: &&usize| self.rules[**place].0.holds(method, uri, headers);
            first = earlier.into_iter().find(holds).copied().unwrap_or(first);
        }
        self.rules.get(first).map(|(_, to)| to)
    }

    /// Places of rules that may be for a path.
    fn candidates<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a [usize]> {
        let ends_segment = |length: &&usize| {
            let next = path.as_bytes().get(**length);
            next.is_some_and(|byte| *byte == b'/') || **length == path.len()
        };
        let prefixes = self.lengths.iter().filter(ends_segment);
        let prefixes = prefixes.filter_map(|length| self.prefixes.get(path.get(..*length)?));
        let looked_up = self.exact.get(path).into_iter().chain(prefixes);
        looked_up.chain([&self.others]).map(Vec::as_slice)
    }
}

fn key(path: &PathMatch) -> Box<str> {
    path.value.as_str().into()
}

#[cfg(test)]
mod tests;
