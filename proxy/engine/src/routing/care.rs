//! How a service is called, ready for one worker: its `TrafficPolicy`.

use std::rc::Rc;
use std::time::Duration;

use http::Request;

use super::balance::{Balancer, Zone};
use super::breaker::Breaker;
use super::budget::Budget;
use super::mark::Mark;
use super::outlier::{Outlier, nanos};
use super::retry::Retry;
use crate::entry::caller::Caller;
use crate::snapshot::policies::{self, Policy};
use crate::snapshot::routes::RouteRetry;

/// Without a policy that says otherwise, ejections are ignored when half of the endpoints are out.
const PANIC: u32 = 50;

pub struct Care {
    pub balancer: Balancer,
    pub outlier: Option<Outlier>,
    pub breaker: Option<Breaker>,
    pub retry: Option<Rc<Retry>>,
    /// When a second copy of a request goes to another instance.
    pub hedge: Option<Duration>,
    /// Of retries and second copies together.
    pub budget: Rc<Budget>,
    /// How requests are sent again when a rule asks for that.
    usual: policies::Retry,
    mark: Option<Mark>,
}

impl Care {
    /// The policy for one of `workers`, and what is left of the one before it.
    #[must_use]
    pub fn of(policy: &Policy, workers: usize, before: Option<&Self>) -> Self {
        let usual = policy.retry.clone().unwrap_or_default();
        let budget = Budget::of(&usual, workers);
        let budget = Rc::new(match before {
            Some(before) => budget.following(&before.budget),
            None => budget,
        });
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
            retry: policy
                .retry
                .as_ref()
                .map(|retry| Rc::new(Retry::of(retry, Rc::clone(&budget)))),
            hedge: policy
                .hedge
                .map(|hedge| Duration::from_millis(hedge.after_ms)),
            budget,
            usual,
            mark: balancer.hash_on.as_ref().and_then(Mark::hashed),
        }
    }

    /// How a rule wants requests to be sent again.
    #[must_use]
    pub fn retry_as(&self, wanted: &RouteRetry) -> Rc<Retry> {
        Rc::new(Retry::of(&self.usual, Rc::clone(&self.budget)).wanted_by(wanted))
    }

    /// Bytes of a body that are kept to send them again.
    #[must_use]
    pub fn keeps(&self) -> usize {
        self.usual.body_bytes
    }

    /// The mark by which the caller of a request is told from others, if the balancer wants one.
    pub fn mark<B>(&self, request: &Request<B>, caller: &Caller) -> Option<u64> {
        self.mark.as_ref()?.of(request, caller)
    }
}
