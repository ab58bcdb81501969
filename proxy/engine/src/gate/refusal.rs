//! REFUSAL -> ANSWER: tells a caller that was not let in why, and when it may be worth asking again.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderValue, Response};

use crate::reasons::Reason;
use crate::recording::flight::Flight;
use crate::recording::otlp::Attributes;
use crate::upstream::answer::answer;
use crate::upstream::response_body::ResponseBody;

/// A request that was not let in.
pub struct Refusal {
    reason: Reason,
    /// The part of the `TrafficPolicy`.
    what: String,
    /// What it stood at: requests, or microseconds.
    at: u64,
    wait: Duration,
}

impl Refusal {
    /// There is no token of a limit for so many requests.
    #[must_use]
    pub fn of_rate(name: &str, requests: u64, wait: Duration) -> Self {
        Self {
            reason: Reason::RateLimited,
            what: format!("rateLimits {name}"),
            at: requests,
            wait,
        }
    }

    /// So many requests are being served.
    #[must_use]
    pub fn of_concurrency(limit: u64) -> Self {
        Self {
            reason: Reason::ConcurrencyLimit,
            what: "concurrency".to_owned(),
            at: limit,
            wait: Duration::ZERO,
        }
    }

    /// The worker is as late as this.
    #[must_use]
    pub fn of_lag(lag: Duration, micros: u64) -> Self {
        Self {
            reason: Reason::Overloaded,
            what: "shedding".to_owned(),
            at: micros,
            wait: lag,
        }
    }

    /// Ends the request: an answer with whole seconds after which to ask again (RFC 9110, 10.2.3), and a span that says
    /// which limit it was and where it stood.
    #[must_use]
    pub fn end(&self, mut flight: Flight) -> Response<ResponseBody> {
        let mut told = Attributes::default();
        told.text("mesh.limit", &self.what);
        told.number("mesh.limit.at", self.at);
        flight.note(&told);
        flight.refuse(self.reason);
        let mut response = answer(self.reason, &self.what);
        let seconds = self.wait.as_secs() + u64::from(self.wait.subsec_nanos() > 0);
        let seconds = HeaderValue::from(seconds.max(1));
        response.headers_mut().insert(RETRY_AFTER, seconds);
        response
    }
}
