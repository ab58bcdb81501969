//! REQUEST -> APPLICATION, or not: which of the requests that arrive the application gets, as its `TrafficPolicy` says.
//!
//! In: the head of a request, who sends it, how late the worker is. Out: a pass, or why there is none and when to ask again.
//! Never: a refusal that costs the application anything, or more memory for more callers.

mod asked;
mod buckets;
mod gradient;
mod lag;
mod latencies;
mod limit;
mod priority;
mod rate;
mod refusal;
mod room;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::Request;

use crate::recording::clock::Nanos;
use crate::runtime::meters::Meter;
use crate::snapshot::gate as policy;
pub use lag::Lag;
use limit::{Limit, take_all};
use priority::{Class, Priority};
pub use refusal::Refusal;
use room::Room;

/// Places in every meter of a gate; what the second shows differs.
const REFUSED: usize = 0;
const LEVEL: usize = 1;

pub struct Gate {
    policy: policy::Gate,
    priority: Priority,
    limits: Vec<Rc<Limit>>,
    room: Option<Rc<Room>>,
    shedding: Option<(Duration, Arc<Meter>)>,
}

/// A request that was let in, until the answer to it begins.
pub struct Pass {
    room: Option<Rc<Room>>,
    since: Nanos,
}

// === impl Gate ===

impl Gate {
    /// For one of `workers`, each of which has its share of the limits; what an unchanged part has learned is kept.
    /// `None` when everything is let in.
    #[must_use]
    pub fn of(
        service: &str,
        policy: &policy::Gate,
        workers: usize,
        before: Option<&Rc<Self>>,
    ) -> Option<Rc<Self>> {
        if policy.is_open() {
            return None;
        }
        if let Some(same) = before.filter(|before| before.policy == *policy) {
            return Some(Rc::clone(same));
        }
        let limit = |limit| {
            let known = before.and_then(|before| before.limits.iter().find(|one| one.is(limit)));
            known.map_or_else(|| Rc::new(Limit::of(service, limit, workers)), Rc::clone)
        };
        let kept = before.filter(|before| before.policy.concurrency == policy.concurrency);
        let room = kept.and_then(|before| before.room.clone()).or_else(|| {
            let concurrency = policy.concurrency.as_ref()?;
            Some(Rc::new(Room::of(service, concurrency, workers)))
        });
        let shedding = policy.shedding.map(|shedding| {
            let meter = Meter::new("shedding", service, "", &["refused", "lag_us"]);
            (Duration::from_millis(shedding.lag_ms), Arc::new(meter))
        });
        Some(Rc::new(Self {
            policy: policy.clone(),
            priority: Priority::of(&policy.priority),
            limits: policy.rate_limits.iter().map(limit).collect(),
            room,
            shedding,
        }))
    }

    /// Whether it wants to know how late the worker is.
    #[must_use]
    pub fn minds_lag(&self) -> bool {
        self.shedding.is_some()
    }

    pub fn meters(&self) -> impl Iterator<Item = &Arc<Meter>> {
        let limits = self.limits.iter().map(|limit| &limit.meter);
        let room = self.room.iter().map(|room| &room.meter);
        let shedding = self.shedding.iter().map(|(_, meter)| meter);
        limits.chain(room).chain(shedding)
    }

    /// Lets a request in, or says why not.
    pub fn admit<B>(
        &self,
        request: &Request<B>,
        source: &str,
        lag: Duration,
        now: Nanos,
    ) -> Result<Pass, Refusal> {
        let class = self.priority.class(request);
        let mut pass = Pass {
            room: None,
            since: now,
        };
        if class == Class::Spared {
            return Ok(pass);
        }
        let expendable = class == Class::Expendable;
        self.shed(expendable, lag)?;
        take_all(&self.limits, request, source, now).map_err(|(limit, wait)| {
            Refusal::of_rate(limit.name(), limit.requests(), Duration::from_nanos(wait))
        })?;
        if let Some(room) = &self.room {
            room.enter(expendable, now)
                .map_err(Refusal::of_concurrency)?;
            pass.room = Some(Rc::clone(room));
        }
        Ok(pass)
    }

    /// A worker that is late lets in nothing new, and half as late nothing that is expendable.
    fn shed(&self, expendable: bool, lag: Duration) -> Result<(), Refusal> {
        let Some((most, meter)) = &self.shedding else {
            return Ok(());
        };
        let micros = u64::try_from(lag.as_micros()).unwrap_or(u64::MAX);
        meter.set(LEVEL, micros);
        if lag <= if expendable { *most / 2 } else { *most } {
            return Ok(());
        }
        meter.add(REFUSED);
        Err(Refusal::of_lag(lag, micros))
    }
}

// === impl Pass ===

impl Pass {
    /// The application has answered, and how well it did tells how much it can take.
    pub fn answered(mut self, now: Nanos) {
        if let Some(room) = self.room.take() {
            room.leave(now, Some(now.saturating_sub(self.since)));
        }
    }
}

impl Drop for Pass {
    /// No answer, or one that says nothing of what the application can take.
    fn drop(&mut self) {
        if let Some(room) = self.room.take() {
            room.leave(self.since, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(json: serde_json::Value) -> policy::Gate {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn without_a_limit_there_is_no_gate_to_ask() {
        let spared = serde_json::json!([{"path": {"kind": "exact", "value": "/healthz"}}]);
        for open in [
            serde_json::json!({}),
            serde_json::json!({"priority": {"spared": spared}}),
        ] {
            assert!(Gate::of("cart", &policy(open), 1, None).is_none());
        }
    }

    #[test]
    fn what_does_not_change_is_kept_and_what_does_is_new() {
        let limit = |requests| serde_json::json!({"name": "all", "rate": {"requests": requests, "burst": 1}});
        let of = |requests, before: Option<&Rc<Gate>>| {
            let json = serde_json::json!({"rate_limits": [limit(requests)], "concurrency": {}});
            Gate::of("cart", &policy(json), 1, before).unwrap()
        };
        let first = of(1, None);
        assert!(Rc::ptr_eq(&first, &of(1, Some(&first))));
        let second = of(2, Some(&first));
        assert!(!Rc::ptr_eq(&first.limits[0], &second.limits[0]));
        let rooms = [&first, &second].map(|gate| Rc::clone(gate.room.as_ref().unwrap()));
        assert!(Rc::ptr_eq(&rooms[0], &rooms[1]), "it goes on learning");
    }
}
