//! Limits the rate of requests, of all together or of each caller: token buckets kept as the moment at which each is full
//! again ("virtual scheduling" of the generic cell rate algorithm, ITU-T I.371).
//!
//! In: who asks, and the time. Out: yes, or how long until there is a token. Never: more buckets than allowed: callers for
//! whom there is none share one.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use http::{HeaderMap, HeaderName};

use crate::recording::clock::Nanos;
use crate::snapshot::gate::{RateKeyKind, RateLimit};

/// How often buckets that are full are looked for, when there is none for a new caller.
const SWEEP: Nanos = 100_000_000;

pub struct Buckets {
    rate: Rate,
    by: Option<By>,
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

#[derive(Clone, Copy, Debug)]
struct Rate {
    /// Until one more token is there.
    token: Nanos,
    /// Until an empty bucket is full.
    whole: Nanos,
}

// === impl Buckets ===

impl Buckets {
    /// One worker's share of a limit.
    #[must_use]
    pub fn of(limit: &RateLimit, workers: usize) -> Self {
        let workers = workers as u64;
        let period = limit.per_ms.saturating_mul(1_000_000 * workers);
        let token = (period / limit.requests).max(1);
        let burst = limit.burst.div_ceil(workers);
        let by = limit.by.as_ref().and_then(|by| match (by.kind, &by.name) {
            (RateKeyKind::Source, _) => Some(By::Source),
            (RateKeyKind::Header, name) => Some(By::Header(name.as_deref()?.try_into().ok()?)),
        });
        Self {
            rate: Rate {
                token,
                whole: token.saturating_mul(burst),
            },
            by,
            most: limit.keys,
            hasher: RandomState::new(),
            full_at: RefCell::default(),
            swept: Cell::new(0),
            rest: Cell::new(0),
        }
    }

    /// Takes a token, or says how long until there is one.
    pub fn take(&self, headers: &HeaderMap, source: &str, now: Nanos) -> Result<(), Nanos> {
        let key = match &self.by {
            None => return self.take_shared(now),
            Some(By::Source) => source.as_bytes(),
            Some(By::Header(name)) => headers.get(name).map_or(&[][..], |value| value.as_bytes()),
        };
        self.take_own(self.hasher.hash_one(key), now)
    }

    /// Callers that have a bucket of their own.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.full_at.borrow().len() as u64
    }

    fn take_own(&self, key: u64, now: Nanos) -> Result<(), Nanos> {
        let mut full_at = self.full_at.borrow_mut();
        if let Some(at) = full_at.get_mut(&key) {
            *at = self.rate.take(*at, now)?;
            return Ok(());
        }
        if full_at.len() >= self.most && now.saturating_sub(self.swept.get()) >= SWEEP {
            // A full bucket says no more than none.
            full_at.retain(|_, at| *at > now);
            self.swept.set(now);
        }
        if full_at.len() >= self.most {
            return self.take_shared(now);
        }
        full_at.insert(key, self.rate.take(0, now)?);
        Ok(())
    }

    fn take_shared(&self, now: Nanos) -> Result<(), Nanos> {
        self.rest.set(self.rate.take(self.rest.get(), now)?);
        Ok(())
    }
}

// === impl Rate ===

impl Rate {
    /// When a bucket is full again after one more token is taken from it, or how long until one can be.
    fn take(self, full_at: Nanos, now: Nanos) -> Result<Nanos, Nanos> {
        let after = full_at.max(now).saturating_add(self.token);
        let over = (after - now).saturating_sub(self.whole);
        if over == 0 { Ok(after) } else { Err(over) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Nanos = 1_000_000_000;

    fn buckets(json: serde_json::Value, workers: usize) -> Buckets {
        Buckets::of(&serde_json::from_value(json).unwrap(), workers)
    }

    fn taken(buckets: &Buckets, source: &str, now: Nanos) -> usize {
        let take = || buckets.take(&HeaderMap::new(), source, now);
        (0..1_000).take_while(|_| take().is_ok()).count()
    }

    #[test]
    fn a_burst_and_then_the_rate_to_the_token() {
        let one = buckets(serde_json::json!({"requests": 10, "burst": 25}), 1);
        assert_eq!(taken(&one, "", S), 25);
        assert_eq!(one.take(&HeaderMap::new(), "", S), Err(S / 10));
        assert_eq!(taken(&one, "", S + S / 10 - 1), 0);
        assert_eq!(taken(&one, "", S + S / 10), 1);
        assert_eq!(taken(&one, "", 2 * S), 9);
        assert_eq!(taken(&one, "", 100 * S), 25, "no more is saved up");
    }

    #[test]
    fn workers_share_a_limit() {
        let half = buckets(serde_json::json!({"requests": 10, "burst": 5}), 2);
        assert_eq!(taken(&half, "", S), 3);
        assert_eq!(taken(&half, "", S + S / 5), 1);
    }

    #[test]
    fn each_caller_has_its_own_and_too_many_share_one() {
        let json =
            serde_json::json!({"requests": 1, "burst": 2, "by": {"kind": "source"}, "keys": 3});
        let keyed = buckets(json, 1);
        for source in ["a", "b", "c"] {
            assert_eq!(taken(&keyed, source, S), 2, "{source}");
        }
        assert_eq!(taken(&keyed, "d", S), 2, "the shared one");
        assert_eq!(taken(&keyed, "e", S), 0);
        assert_eq!(keyed.keys(), 3);
        assert_eq!(taken(&keyed, "a", 2 * S), 1, "known callers keep theirs");
        assert_eq!(taken(&keyed, "e", 3 * S), 2, "idle ones make room");
        assert!(keyed.keys() <= 3);
    }

    #[test]
    fn a_header_tells_callers_apart() {
        let json = serde_json::json!(
            {"requests": 1, "burst": 1, "by": {"kind": "header", "name": "x-user"}});
        let keyed = buckets(json, 1);
        let ask = |user: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-user", user.parse().unwrap());
            keyed.take(&headers, "", S).is_ok()
        };
        assert_eq!([ask("1"), ask("2"), ask("1")], [true, true, false]);
        assert_eq!(taken(&keyed, "", S), 1, "without the header: one for all");
    }
}
