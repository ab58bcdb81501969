//! Says whether a request may be sent again, and when.
//!
//! In: how an attempt ended. Out: yes or no, and a pause. Never: a request repeated that its callee may have acted on and
//! that is not safe to repeat (RFC 9110, 9.2.2), or more retries than the budget: they must not finish off what struggles.

use std::rc::Rc;
use std::time::Duration;

use http::{Method, StatusCode};

use super::budget::Budget;
use crate::reasons::Reason;
use crate::recording::clock::Nanos;
use crate::snapshot::policies::{self, RetryOn};
use crate::snapshot::routes::RouteRetry;
use crate::upstream::spare::is_safe;

pub struct Retry {
    policy: policies::Retry,
    /// What a pause is at least.
    least: Duration,
    budget: Rc<Budget>,
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
    #[must_use]
    pub fn of(policy: &policies::Retry, budget: Rc<Budget>) -> Self {
        Self {
            policy: policy.clone(),
            least: Duration::ZERO,
            budget,
        }
    }

    /// What a rule wants instead, within the same budget (Gateway API, `HTTPRouteRetry`). It names statuses only: what broke
    /// off without one goes again too.
    #[must_use]
    pub fn wanted_by(mut self, by: &RouteRetry) -> Self {
        let policy = &mut self.policy;
        if let Some(statuses) = &by.statuses {
            policy.statuses.clone_from(statuses);
            policy.on = vec![RetryOn::Connect, RetryOn::Reset, RetryOn::Timeout];
        }
        policy.attempts = by.attempts.unwrap_or(policy.attempts);
        if let Some(pause) = by.pause_ms {
            policy.backoff_ms = pause;
            policy.backoff_max_ms = policy.backoff_max_ms.max(pause);
            self.least = Duration::from_millis(pause);
        }
        self
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
    /// Backoff And Jitter", AWS Architecture Blog, 2015), on top of what a rule wants at least.
    #[must_use]
    pub fn pause(&self, next: u8, chance: f64) -> Duration {
        let doublings = u32::from(next.saturating_sub(2)).min(16);
        let most = (self.policy.backoff_ms << doublings).min(self.policy.backoff_max_ms);
        self.least + Duration::from_millis(most).mul_f64(chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Nanos = 1_000_000_000;

    fn retry(json: serde_json::Value) -> Retry {
        let policy = serde_json::from_value(json).unwrap();
        let budget = Rc::new(Budget::of(&policy, 1));
        Retry::of(&policy, budget)
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
    fn pauses_double_up_to_the_longest() {
        let retry = retry(serde_json::json!({"backoff_ms": 10, "backoff_max_ms": 35}));
        let most: Vec<_> = (2..6)
            .map(|next| retry.pause(next, 1.0).as_millis())
            .collect();
        assert_eq!(most, [10, 20, 35, 35]);
        assert_eq!(retry.pause(3, 0.5).as_millis(), 10);
    }

    #[test]
    fn a_rule_has_the_last_word() {
        let usual = || retry(serde_json::json!({"on": ["gateway"], "backoff_max_ms": 35}));
        let wanted = |json| usual().wanted_by(&serde_json::from_value(json).unwrap());
        let rule = wanted(serde_json::json!({"attempts": 4, "statuses": [429], "pause_ms": 50}));
        let may = |attempt, ended| rule.again(attempt, &Method::GET, ended, S);
        assert!(may(3, Ended::Answered(StatusCode::TOO_MANY_REQUESTS)));
        assert!(may(3, Ended::Unsent));
        assert!(may(3, Ended::Broken(Reason::UpstreamTimeout)));
        assert!(!may(4, Ended::Unsent));
        assert!(!may(1, Ended::Answered(StatusCode::BAD_GATEWAY)));
        assert_eq!(rule.pause(4, 0.0).as_millis(), 50);
        assert_eq!(rule.pause(4, 1.0).as_millis(), 100);
        let never = wanted(serde_json::json!({"attempts": 1}));
        assert!(!never.again(1, &Method::GET, Ended::Unsent, S));
        let more = wanted(serde_json::json!({"attempts": 3}));
        assert!(more.again(2, &Method::GET, Ended::Answered(StatusCode::BAD_GATEWAY), S));
        assert!(
            !more.again(2, &Method::GET, Ended::Unsent, S),
            "as the policy says"
        );
    }
}
