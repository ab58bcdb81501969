//! The rate limits of a service: a request needs a token of each that is for it.

use std::rc::Rc;
use std::sync::Arc;

use http::Request;

use super::asked::AnyOf;
use super::buckets::Buckets;
use super::{LEVEL, REFUSED};
use crate::recording::clock::Nanos;
use crate::runtime::meters::Meter;
use crate::snapshot::gate::RateLimit;

/// One limit as a worker holds to it.
pub struct Limit {
    policy: RateLimit,
    /// `None`: for every request.
    matches: Option<AnyOf>,
    buckets: Buckets,
    pub meter: Arc<Meter>,
}

// === impl Limit ===

impl Limit {
    #[must_use]
    pub fn of(service: &str, policy: &RateLimit, workers: usize) -> Self {
        let values = &["refused", "keys"];
        Self {
            policy: policy.clone(),
            matches: (!policy.matches.is_empty()).then(|| AnyOf::of(&policy.matches)),
            buckets: Buckets::of(policy, workers),
            meter: Arc::new(Meter::new("rate_limit", service, &policy.name, values)),
        }
    }

    /// Whether this is what a policy says now.
    #[must_use]
    pub fn is(&self, policy: &RateLimit) -> bool {
        self.policy == *policy
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.policy.name
    }

    /// Requests in its time, as it is written.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.policy.rate.requests
    }

    fn is_for<B>(&self, request: &Request<B>) -> bool {
        self.matches
            .as_ref()
            .is_none_or(|any| any.holds(request.method(), request.uri(), request.headers()))
    }

    fn take<B>(&self, request: &Request<B>, source: &str, now: Nanos) -> Result<(), Nanos> {
        if !self.is_for(request) {
            return Ok(());
        }
        let taken = self.buckets.take(request.headers(), source, now);
        self.meter.set(LEVEL, self.buckets.keys());
        if taken.is_err() {
            self.meter.add(REFUSED);
        }
        taken
    }
}

/// Takes a token of each limit, or none and says which has none and for how long.
pub fn take_all<'a, B>(
    limits: &'a [Rc<Limit>],
    request: &Request<B>,
    source: &str,
    now: Nanos,
) -> Result<(), (&'a Limit, Nanos)> {
    for (place, limit) in limits.iter().enumerate() {
        if let Err(wait) = limit.take(request, source, now) {
            for taken in limits[..place].iter().filter(|one| one.is_for(request)) {
                taken.buckets.put_back(request.headers(), source);
            }
            return Err((limit, wait));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Nanos = 1_000_000_000;

    #[test]
    fn a_request_that_one_limit_refuses_costs_the_others_nothing() {
        let of = |json| Rc::new(Limit::of("cart", &serde_json::from_value(json).unwrap(), 1));
        let limits = [
            of(serde_json::json!({"name": "all", "rate": {"requests": 1, "burst": 3}})),
            of(serde_json::json!({
                "name": "search",
                "matches": [{"path": {"kind": "prefix", "value": "/search"}}],
                "rate": {"requests": 1, "burst": 1},
            })),
        ];
        let ask = |path: &str| {
            let request = Request::builder().uri(path).body(()).unwrap();
            take_all(&limits, &request, "", S).map_err(|(limit, _)| limit.name())
        };
        assert_eq!(ask("/search"), Ok(()));
        assert_eq!(ask("/search"), Err("search"));
        assert_eq!(ask("/search/more"), Err("search"));
        assert_eq!([ask("/"), ask("/")], [Ok(()), Ok(())]);
        assert_eq!(ask("/"), Err("all"));
        assert_eq!(limits[0].meter.get(REFUSED), 1);
        assert_eq!(limits[1].meter.get(REFUSED), 2);
    }
}
