//! Limits the rate of requests, of all together or of each caller.
//!
//! In: who asks, and the time. Out: yes, or how long until there is a token. Never: more buckets than allowed: callers for
//! whom there is none share one.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use http::{HeaderMap, HeaderName};

use super::rate::Rate;
use crate::recording::clock::Nanos;
use crate::snapshot::gate::{RateKeyKind, RateLimit};

/// How often buckets that are full are looked for, when there is none for a new caller.
const SWEEP: Nanos = 100_000_000;

pub struct Buckets {
    rate: Rate,
    by: Option<By>,
    /// Rates of callers that are not that of the others.
    own: HashMap<Box<[u8]>, Rate>,
    most: usize,
    hasher: RandomState,
    full_at: RefCell<HashMap<u64, Nanos>>,
    swept: Cell<Nanos>,
    /// Of those without a bucket of their own.
    rest: Cell<Nanos>,
}

enum By {
    Source,
    Header(HeaderName),
}

// === impl Buckets ===

impl Buckets {
    /// One worker's share of a limit.
    #[must_use]
    pub fn of(limit: &RateLimit, workers: usize) -> Self {
        let by = limit.by.as_ref().and_then(|by| match (by.kind, &by.name) {
            (RateKeyKind::Source, _) => Some(By::Source),
            (RateKeyKind::Header, name) => Some(By::Header(name.as_deref()?.try_into().ok()?)),
        });
        let own = limit
            .own
            .iter()
            .map(|own| (own.key.as_bytes().into(), Rate::of(&own.rate, workers)));
        Self {
            rate: Rate::of(&limit.rate, workers),
            by,
            own: own.collect(),
            most: limit.keys,
            hasher: RandomState::new(),
            full_at: RefCell::default(),
            swept: Cell::new(0),
            rest: Cell::new(0),
        }
    }

    /// Takes a token, or says how long until there is one.
    pub fn take(&self, headers: &HeaderMap, source: &str, now: Nanos) -> Result<(), Nanos> {
        match self.key(headers, source) {
            None => self.take_shared(now),
            Some(key) => self.take_own(key, now),
        }
    }

    /// Puts back the token that the same caller took just now.
    pub fn put_back(&self, headers: &HeaderMap, source: &str) {
        if let Some(key) = self.key(headers, source)
            && let Some(at) = self
                .full_at
                .borrow_mut()
                .get_mut(&self.hasher.hash_one(key))
        {
            *at = self.own(key).unwrap_or(self.rate).put_back(*at);
            return;
        }
        self.rest.set(self.rate.put_back(self.rest.get()));
    }

    /// Callers that have a bucket of their own.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.full_at.borrow().len() as u64
    }

    fn key<'a>(&self, headers: &'a HeaderMap, source: &'a str) -> Option<&'a [u8]> {
        Some(match self.by.as_ref()? {
            By::Source => source.as_bytes(),
            By::Header(name) => headers.get(name).map_or(&[][..], |value| value.as_bytes()),
        })
    }

    fn own(&self, key: &[u8]) -> Option<Rate> {
        if self.own.is_empty() {
            return None;
        }
        self.own.get(key).copied()
    }

    fn take_own(&self, key: &[u8], now: Nanos) -> Result<(), Nanos> {
        let own = self.own(key);
        let rate = own.unwrap_or(self.rate);
        let key = self.hasher.hash_one(key);
        let mut full_at = self.full_at.borrow_mut();
        if let Some(at) = full_at.get_mut(&key) {
            *at = rate.take(*at, now)?;
            return Ok(());
        }
        if full_at.len() >= self.most && now.saturating_sub(self.swept.get()) >= SWEEP {
            // A full bucket says no more than none.
            full_at.retain(|_, at| *at > now);
            self.swept.set(now);
        }
        if full_at.len() >= self.most && own.is_none() {
            return self.take_shared(now);
        }
        full_at.insert(key, rate.take(0, now)?);
        Ok(())
    }

    fn take_shared(&self, now: Nanos) -> Result<(), Nanos> {
        self.rest.set(self.rate.take(self.rest.get(), now)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Nanos = 1_000_000_000;

    fn buckets(requests: u64, burst: u64, more: &serde_json::Value, workers: usize) -> Buckets {
        let mut json = serde_json::json!(
            {"name": "0", "rate": {"requests": requests, "burst": burst}});
        for (field, value) in more.as_object().into_iter().flatten() {
            json[field] = value.clone();
        }
        Buckets::of(&serde_json::from_value(json).unwrap(), workers)
    }

    fn taken(buckets: &Buckets, source: &str, now: Nanos) -> usize {
        let take = || buckets.take(&HeaderMap::new(), source, now);
        (0..1_000).take_while(|_| take().is_ok()).count()
    }

    #[test]
    fn a_burst_and_then_the_rate_to_the_token() {
        let one = buckets(10, 25, &serde_json::json!({}), 1);
        assert_eq!(taken(&one, "", S), 25);
        assert_eq!(one.take(&HeaderMap::new(), "", S), Err(S / 10));
        assert_eq!(taken(&one, "", S + S / 10 - 1), 0);
        assert_eq!(taken(&one, "", S + S / 10), 1);
        assert_eq!(taken(&one, "", 2 * S), 9);
        assert_eq!(taken(&one, "", 100 * S), 25, "no more is saved up");
        one.put_back(&HeaderMap::new(), "");
        assert_eq!(taken(&one, "", 100 * S), 1, "what was put back");
    }

    #[test]
    fn workers_share_a_limit() {
        let half = buckets(10, 5, &serde_json::json!({}), 2);
        assert_eq!(taken(&half, "", S), 3);
        assert_eq!(taken(&half, "", S + S / 5), 1);
    }

    #[test]
    fn each_caller_has_its_own_and_too_many_share_one() {
        let by = serde_json::json!({"by": {"kind": "source"}, "keys": 3});
        let keyed = buckets(1, 2, &by, 1);
        for source in ["a", "b", "c"] {
            assert_eq!(taken(&keyed, source, S), 2, "{source}");
        }
        assert_eq!(taken(&keyed, "d", S), 2, "the shared one");
        assert_eq!(taken(&keyed, "e", S), 0);
        assert_eq!(keyed.keys(), 3);
        keyed.put_back(&HeaderMap::new(), "a");
        assert_eq!([taken(&keyed, "a", S), taken(&keyed, "b", S)], [1, 0]);
        assert_eq!(taken(&keyed, "a", 2 * S), 1, "known callers keep theirs");
        assert_eq!(taken(&keyed, "e", 3 * S), 2, "idle ones make room");
        assert!(keyed.keys() <= 3);
    }

    #[test]
    fn a_caller_can_have_another_rate_and_always_a_bucket() {
        let own = serde_json::json!([{"key": "batch", "rate": {"requests": 1, "burst": 5}}]);
        let by = serde_json::json!({"by": {"kind": "source"}, "keys": 1, "own": own});
        let keyed = buckets(10, 2, &by, 1);
        assert_eq!([taken(&keyed, "a", S), taken(&keyed, "b", S)], [2, 2]);
        assert_eq!([taken(&keyed, "c", S), taken(&keyed, "batch", S)], [0, 5]);
        assert_eq!(taken(&keyed, "batch", S + S / 2), 0);
        assert_eq!(taken(&keyed, "batch", 2 * S), 1);
    }

    #[test]
    fn a_header_tells_callers_apart() {
        let by = serde_json::json!({"by": {"kind": "header", "name": "x-user"}});
        let keyed = buckets(1, 1, &by, 1);
        let ask = |user: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-user", user.parse().unwrap());
            keyed.take(&headers, "", S).is_ok()
        };
        assert_eq!([ask("1"), ask("2"), ask("1")], [true, true, false]);
        assert_eq!(taken(&keyed, "", S), 1, "without the header: one for all");
    }
}
