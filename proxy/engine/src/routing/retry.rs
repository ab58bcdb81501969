//! Says whether a request may be sent again, and when.
//!
//! In: how an attempt ended. Out: yes or no, and a pause. Never: a request repeated that its callee may have acted on and
//! that is not safe to repeat (RFC 9110, 9.2.2), or more retries than the budget: they must not finish off what struggles.

use std::cell::Cell;
use std::time::Duration;

use http::{Method, StatusCode};

use crate::reasons::Reason;
use crate::recording::clock::Nanos;
use crate::snapshot::policies::{self, RetryOn};
use crate::upstream::spare::is_safe;

/// The budget may save up so many seconds' worth of its steady part.
const SAVED_S: f64 = 10.0;
/// And so many retries at most from requests.
const SAVED: f64 = 100.0;

pub struct Retry {
    policy: policies::Retry,
    budget: Budget,
}

/// Retries that may still be made: each request earns a part of one, each second a few.
#[derive(Debug)]
pub struct Budget {
    part: f64,
    per_s: f64,
    left: Cell<f64>,
    at: Cell<Nanos>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub enum Ended {
    /// Nothing of the request was sent.
    Unsent,
    Broken(Reason),
    Answered(StatusCode),
}

// === impl Retry ===

impl Retry {
    /// The policy for one of `workers`, each of which has its share of the steady budget.
    #[must_use]
    pub fn of(policy: &policies::Retry, workers: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a handful of threads")]
        let per_s = f64::from(policy.budget_per_s) / workers as f64;
        Self {
            budget: Budget::new(f64::from(policy.budget_percent) / 100.0, per_s),
            policy: policy.clone(),
        }
    }

    /// Bytes of a body that are kept to send them again.
    #[must_use]
    pub fn keeps(&self, method: &Method) -> Option<usize> {
        is_safe(method).then_some(self.policy.body_bytes)
    }

    /// A request begins.
    pub fn earn(&self) {
        self.budget.earn();
    }

    /// Whether attempt number `attempt` may be followed by another one, which is then counted.
    pub fn again(&self, attempt: u8, method: &Method, ended: Ended, now: Nanos) -> bool {
        attempt < self.policy.attempts && self.covers(method, ended) && self.budget.spend(now)
    }

    fn covers(&self, method: &Method, ended: Ended) -> bool {
        let on = |what| self.policy.on.contains(&what);
        match ended {
            Ended::Unsent => on(RetryOn::Connect),
            _ if !is_safe(method) => false,
            Ended::Broken(Reason::UpstreamTimeout) => on(RetryOn::Timeout),
            Ended::Broken(Reason::UpstreamReset) => on(RetryOn::Reset),
            Ended::Broken(_) => false,
            Ended::Answered(status) => {
                let code = status.as_u16();
                self.policy.statuses.contains(&code)
                    || (matches!(code, 502..=504) && on(RetryOn::Gateway))
                    || (status.is_server_error() && on(RetryOn::ServerError))
            }
        }
    }

    /// The pause before attempt number `next`: a random part of a time that doubles (full jitter; Brooker, "Exponential
    /// Backoff And Jitter", AWS Architecture Blog, 2015).
    #[must_use]
    pub fn pause(&self, next: u8, chance: f64) -> Duration {
        let doublings = u32::from(next.saturating_sub(2)).min(16);
        let most = (self.policy.backoff_ms << doublings).min(self.policy.backoff_max_ms);
        Duration::from_millis(most).mul_f64(chance)
    }
}

// === impl Budget ===

impl Budget {
    fn new(part: f64, per_s: f64) -> Self {
        Self {
            part,
            per_s,
            left: Cell::new(per_s * SAVED_S),
            at: Cell::new(0),
        }
    }

    fn earn(&self) {
        let most = SAVED.max(self.per_s * SAVED_S);
        self.left.set((self.left.get() + self.part).min(most));
    }

    fn spend(&self, now: Nanos) -> bool {
        let passed = Duration::from_nanos(now.saturating_sub(self.at.replace(now)));
        // Time alone saves up its own seconds' worth and no more.
        let steady = self.left.get() + passed.as_secs_f64() * self.per_s;
        let left = steady.min(self.per_s * SAVED_S).max(self.left.get());
        self.left.set(left);
        if left < 1.0 {
            return false;
        }
        self.left.set(left - 1.0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Nanos = 1_000_000_000;

    fn retry(json: serde_json::Value) -> Retry {
        Retry::of(&serde_json::from_value(json).unwrap(), 1)
    }

    #[test]
    fn only_what_is_safe_is_repeated() {
        let all = retry(
            serde_json::json!({"on": ["connect", "reset", "timeout", "5xx"], "statuses": [429]}),
        );
        let may = |method: &Method, ended| all.again(1, method, ended, S);
        assert!(may(&Method::POST, Ended::Unsent));
        assert!(!may(&Method::POST, Ended::Broken(Reason::UpstreamReset)));
        assert!(!may(
            &Method::PATCH,
            Ended::Answered(StatusCode::BAD_GATEWAY)
        ));
        assert!(may(&Method::PUT, Ended::Broken(Reason::UpstreamReset)));
        assert!(may(&Method::GET, Ended::Broken(Reason::UpstreamTimeout)));
        assert!(may(
            &Method::GET,
            Ended::Answered(StatusCode::NOT_IMPLEMENTED)
        ));
        assert!(may(
            &Method::GET,
            Ended::Answered(StatusCode::TOO_MANY_REQUESTS)
        ));
        assert!(!may(&Method::GET, Ended::Answered(StatusCode::NOT_FOUND)));
        assert!(!may(&Method::GET, Ended::Broken(Reason::ClientCancelled)));
        assert!(
            !all.again(2, &Method::GET, Ended::Unsent, S),
            "two attempts in all"
        );
    }

    #[test]
    fn only_what_is_asked_for_is_repeated() {
        let gateway = retry(serde_json::json!({"on": ["gateway"]}));
        let may = |ended| gateway.again(1, &Method::GET, ended, S);
        assert!(may(Ended::Answered(StatusCode::SERVICE_UNAVAILABLE)));
        assert!(!may(Ended::Answered(StatusCode::INTERNAL_SERVER_ERROR)));
        assert!(!may(Ended::Unsent));
        assert!(!may(Ended::Broken(Reason::UpstreamReset)));
    }

    #[test]
    fn the_budget_bounds_retries_to_a_part_of_requests() {
        let budget = Budget::new(0.2, 0.0);
        let mut made = 0;
        for _ in 0..1_000 {
            budget.earn();
            made += u32::from(budget.spend(S));
        }
        assert!((195..=200).contains(&made), "{made}");
    }

    #[test]
    fn a_few_a_second_are_always_allowed() {
        let budget = Budget::new(0.0, 2.0);
        let spent = |from: u64| (0..100).filter(|_| budget.spend(from * S)).count();
        assert_eq!(spent(0), 20, "ten seconds' worth");
        assert_eq!(spent(3), 6);
        assert_eq!(spent(1_000), 20, "no more is saved up");
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let retry = retry(serde_json::json!({"backoff_ms": 10, "backoff_max_ms": 35}));
        let most: Vec<_> = (2..6)
            .map(|next| retry.pause(next, 1.0).as_millis())
            .collect();
        assert_eq!(most, [10, 20, 35, 35]);
        assert_eq!(retry.pause(3, 0.5).as_millis(), 10);
    }
}
