//! REQUEST -> APPLICATION, or not: which of the requests that arrive the application gets, as its `TrafficPolicy` says.
//!
//! In: the head of a request, who sends it, how late the worker is. Out: a pass, or why there is none and when to ask again.
//! Never: a refusal that costs the application anything, or more memory for more callers.

mod buckets;
mod gradient;
mod lag;
mod latencies;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use crate::reasons::Reason;
use crate::recording::clock::Nanos;
use crate::runtime::meters::Meter;
use crate::snapshot::gate as policy;
use crate::upstream::answer::answer;
use crate::upstream::response_body::ResponseBody;
use buckets::Buckets;
use gradient::Gradient;
pub use lag::Lag;

pub struct Gate {
    policy: policy::Gate,
    limit: Option<(Rc<Buckets>, Arc<Meter>)>,
    concurrency: Option<Rc<Room>>,
    shedding: Option<(Shedding, Arc<Meter>)>,
}

/// What the application may be asked at once, as far as is known by now.
struct Room {
    gradient: RefCell<Gradient>,
    meter: Arc<Meter>,
}

struct Shedding {
    lag: Duration,
    spared: Option<(HeaderName, HeaderValue)>,
}

/// A request that was let in, until the answer to it begins.
pub struct Pass {
    room: Option<Rc<Room>>,
    since: Nanos,
}

/// A request that was not.
pub struct Refusal {
    pub reason: Reason,
    what: &'static str,
    wait: Duration,
}

const REFUSED: usize = 0;
const LEVEL: usize = 1;
const IN_FLIGHT: usize = 2;
const BASELINE: usize = 3;

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
        if *policy == policy::Gate::default() {
            return None;
        }
        if let Some(same) = before.filter(|before| before.policy == *policy) {
            return Some(Rc::clone(same));
        }
        let meter = |policy, values| Arc::new(Meter::new(policy, service, values));
        let kept = before.filter(|before| before.policy.rate_limit == policy.rate_limit);
        let kept = kept.and_then(|before| before.limit.clone());
        let limit = kept.or_else(|| {
            let limit = policy.rate_limit.as_ref()?;
            let meter = meter("rate_limit", &["refused", "keys"]);
            Some((Rc::new(Buckets::of(limit, workers)), meter))
        });
        let kept = before.filter(|before| before.policy.concurrency == policy.concurrency);
        let kept = kept.and_then(|before| before.concurrency.clone());
        let concurrency = kept.or_else(|| {
            let gradient = Gradient::of(&policy.concurrency?, workers);
            let values = &["refused", "limit", "in_flight", "baseline_us"];
            let meter = meter("concurrency", values);
            meter.set(LEVEL, gradient.limit());
            let gradient = RefCell::new(gradient);
            Some(Rc::new(Room { gradient, meter }))
        });
        let shedding = policy.shedding.as_ref().map(|shedding| {
            let meter = meter("shedding", &["refused", "lag_us"]);
            (Shedding::of(shedding), meter)
        });
        Some(Rc::new(Self {
            policy: policy.clone(),
            limit,
            concurrency,
            shedding,
        }))
    }

    /// Whether it wants to know how late the worker is.
    #[must_use]
    pub fn minds_lag(&self) -> bool {
        self.shedding.is_some()
    }

    pub fn meters(&self) -> impl Iterator<Item = &Arc<Meter>> {
        let limit = self.limit.iter().map(|(_, meter)| meter);
        let room = self.concurrency.iter().map(|room| &room.meter);
        let shedding = self.shedding.iter().map(|(_, meter)| meter);
        limit.chain(room).chain(shedding)
    }

    /// Lets a request in, or says why not.
    pub fn admit(
        &self,
        headers: &HeaderMap,
        source: &str,
        lag: Duration,
        now: Nanos,
    ) -> Result<Pass, Refusal> {
        if let Some((shedding, meter)) = &self.shedding {
            meter.set(LEVEL, micros(lag));
            if shedding.sheds(headers, lag) {
                return Err(refuse(meter, Reason::Overloaded, "shedding.lag", lag));
            }
        }
        if let Some((buckets, meter)) = &self.limit {
            let taken = buckets.take(headers, source, now);
            meter.set(LEVEL, buckets.keys());
            if let Err(wait) = taken {
                let wait = Duration::from_nanos(wait);
                return Err(refuse(meter, Reason::RateLimited, "rateLimit", wait));
            }
        }
        if let Some(room) = &self.concurrency
            && !room.enter(now)
        {
            let reason = Reason::ConcurrencyLimit;
            return Err(refuse(&room.meter, reason, "concurrency", Duration::ZERO));
        }
        Ok(Pass {
            room: self.concurrency.clone(),
            since: now,
        })
    }
}

fn refuse(meter: &Meter, reason: Reason, what: &'static str, wait: Duration) -> Refusal {
    meter.add(REFUSED);
    Refusal { reason, what, wait }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

// === impl Refusal ===

impl Refusal {
    /// The answer, with whole seconds after which it may be worth asking again (RFC 9110, 10.2.3).
    #[must_use]
    pub fn answer(&self) -> Response<ResponseBody> {
        let mut response = answer(self.reason, self.what);
        let seconds = self.wait.as_secs() + u64::from(self.wait.subsec_nanos() > 0);
        let seconds = HeaderValue::from(seconds.max(1));
        response.headers_mut().insert(RETRY_AFTER, seconds);
        response
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

// === impl Room ===

impl Room {
    fn enter(&self, now: Nanos) -> bool {
        let mut gradient = self.gradient.borrow_mut();
        let entered = gradient.enter(now);
        self.meter.set(IN_FLIGHT, gradient.in_flight().into());
        entered
    }

    fn leave(&self, now: Nanos, latency: Option<Nanos>) {
        let mut gradient = self.gradient.borrow_mut();
        if gradient.leave(now, latency) {
            self.meter.set(LEVEL, gradient.limit());
            self.meter.set(BASELINE, gradient.baseline() / 1_000);
        }
        self.meter.set(IN_FLIGHT, gradient.in_flight().into());
    }
}

// === impl Shedding ===

impl Shedding {
    fn of(policy: &policy::Shedding) -> Self {
        let spared = policy.spared.as_ref().and_then(|spared| {
            let name = HeaderName::try_from(&spared.name).ok()?;
            Some((name, HeaderValue::try_from(&spared.value).ok()?))
        });
        Self {
            lag: Duration::from_millis(policy.lag_ms),
            spared,
        }
    }

    fn sheds(&self, headers: &HeaderMap, lag: Duration) -> bool {
        let is_spared =
            |(name, value): &(HeaderName, HeaderValue)| headers.get(name) == Some(value);
        lag > self.lag && !self.spared.as_ref().is_some_and(is_spared)
    }
}
