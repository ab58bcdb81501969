//! Refuses requests to a service with which too much goes on already, so that a slow callee does not fill its callers.

use std::rc::Rc;

use crate::snapshot::policies;
use crate::upstream::endpoint::Endpoint;

#[derive(Clone, Copy, Debug)]
pub struct Breaker {
    requests: usize,
    pending: usize,
    connections: usize,
}

impl Breaker {
    /// One worker's part of the limits.
    #[must_use]
    pub fn of(policy: policies::Breaker, workers: usize) -> Self {
        let part = |limit: Option<u32>| {
            limit.map_or(usize::MAX, |limit| (limit as usize).div_ceil(workers))
        };
        Self {
            requests: part(policy.requests),
            pending: part(policy.pending),
            connections: part(policy.connections),
        }
    }

    /// The limit that one more request would exceed; `reuses` says that it needs no new connection.
    #[must_use]
    pub fn exceeded(&self, endpoints: &[Rc<Endpoint>], reuses: bool) -> Option<&'static str> {
        let sum = |of: fn(&Endpoint) -> u32| -> usize {
            endpoints.iter().map(|endpoint| of(endpoint) as usize).sum()
        };
        if sum(Endpoint::requests) >= self.requests {
            return Some("breaker.requests");
        }
        if reuses {
            return None;
        }
        let pending = sum(Endpoint::pending);
        if pending >= self.pending {
            return Some("breaker.pending");
        }
        let connections = pending + sum(Endpoint::connections);
        (connections >= self.connections).then_some("breaker.connections")
    }
}
