//! How a service is called, ready for one worker: its `TrafficPolicy`.

use http::Request;

use super::balance::{Balancer, Zone};
use super::breaker::Breaker;
use super::mark::Mark;
use super::outlier::{Outlier, nanos};
use super::retry::Retry;
use crate::entry::caller::Caller;
use crate::snapshot::policies::Policy;

/// Without a policy that says otherwise, ejections are ignored when half of the endpoints are out.
const PANIC: u32 = 50;

pub struct Care {
    pub balancer: Balancer,
    pub outlier: Option<Outlier>,
    pub breaker: Option<Breaker>,
    pub retry: Option<Retry>,
    mark: Option<Mark>,
}

impl Care {
    #[must_use]
    pub fn of(policy: &Policy, workers: usize) -> Self {
        let balancer = &policy.balancer;
        let panic = policy
            .outlier
            .as_ref()
            .map_or(PANIC, |outlier| outlier.panic);
        Self {
            balancer: Balancer::new(balancer.kind, nanos(balancer.slow_start_ms), panic)
                .keeping_to(balancer.zone_percent.map(Zone::new)),
            outlier: policy.outlier.as_ref().map(Outlier::of),
            breaker: policy.breaker.map(|breaker| Breaker::of(breaker, workers)),
            retry: policy.retry.as_ref().map(|retry| Retry::of(retry, workers)),
            mark: balancer.hash_on.as_ref().and_then(Mark::hashed),
        }
    }

    /// The mark by which the caller of a request is told from others, if the balancer wants one.
    pub fn mark<B>(&self, request: &Request<B>, caller: &Caller) -> Option<u64> {
        self.mark.as_ref()?.of(request, caller)
    }
}
