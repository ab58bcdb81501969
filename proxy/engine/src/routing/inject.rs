//! REQUEST -> FAULT: makes the faults that people ask for in the calls to a service, to see what its callers do then.
//!
//! In: the head of a request and chance. Out: a wait, an answer in the callee's place, a connection that ends, each told on
//! the span. Never: a fault that could be taken for the callee's.

use std::future::Future;
use std::time::Duration;

use http::{Request, Response, StatusCode};

use super::matching::Match;
use crate::entry::cut::cut;
use crate::grpc::Code;
use crate::reasons::Reason;
use crate::recording::flight::Flight;
use crate::recording::otlp::Attributes;
use crate::runtime::worker::Worker;
use crate::snapshot::faults::{self, Fault};
use crate::upstream::answer::{answer, answer_as, answer_call};
use crate::upstream::response_body::ResponseBody;

const A_MILLION: u64 = 1_000_000;

/// One rule of a `FaultInjection`.
pub struct Injection {
    pub name: String,
    matching: Match,
    per_million: u64,
    delay: Duration,
    jitter: Duration,
    abort: Option<Abort>,
}

/// What a caller gets in the place of an answer.
pub enum Abort {
    Status(StatusCode),
    Grpc(u16),
    Reset,
}

/// The rule for a request: the first that matches, and of its requests those that chance picks.
pub fn drawn<'a, B>(
    faults: &'a [Injection],
    request: &Request<B>,
    worker: &Worker,
) -> Option<&'a Injection> {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let fault = faults
        .iter()
        .find(|fault| fault.matching.holds(method, uri, headers))?;
    (worker.random() % A_MILLION < fault.per_million).then_some(fault)
}

// === impl Injection ===

impl Injection {
    /// A checked rule.
    #[must_use]
    pub fn of(from: &Fault) -> Option<Self> {
        let (path, method) = (from.path.as_ref(), from.method.as_deref());
        Some(Self {
            name: from.name.clone(),
            matching: Match::new(path, method, &from.headers, &from.query)?,
            per_million: from.per_million.into(),
            delay: Duration::from_millis(from.delay_ms),
            jitter: Duration::from_millis(from.delay_jitter_ms),
            abort: from.abort.as_ref().and_then(Abort::of),
        })
    }

    /// Tells the span what is done to its request, and how long to wait before anything else.
    pub fn delay(&self, worker: &Worker, flight: &mut Flight) -> impl Future<Output = ()> + use<> {
        let chance = worker.with_rng(fastrand::Rng::f64);
        let delay = self.delay + self.jitter.mul_f64(chance);
        let mut told = Attributes::default();
        told.text("mesh.fault", &self.name);
        if !delay.is_zero() {
            told.number("mesh.time.fault_us", micros(delay));
            flight.presume(Reason::FaultDelay);
        }
        flight.note(&told);
        async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
        }
    }

    /// What its requests get if they are not to reach their callee.
    #[must_use]
    pub fn abort(&self) -> Option<&Abort> {
        self.abort.as_ref()
    }
}

impl Abort {
    /// Ends a request; `rule` is the name of what asks for it.
    #[must_use]
    pub fn end(&self, flight: Flight, rule: &str) -> Response<ResponseBody> {
        let reason = Reason::FaultAbort;
        match *self {
            Self::Status(status) => {
                flight.answer(status.as_u16(), reason);
                answer_as(status, reason, rule)
            }
            Self::Grpc(code) => {
                let code = Code::at(code);
                flight.answer_call(code, reason);
                answer_call(code, reason, rule)
            }
            Self::Reset => {
                flight.refuse(reason);
                cut(answer(reason, rule))
            }
        }
    }

    fn of(from: &faults::Abort) -> Option<Self> {
        if let Some(status) = from.status {
            return StatusCode::from_u16(status).ok().map(Self::Status);
        }
        Some(from.grpc_status.map_or(Self::Reset, Self::Grpc))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: serde_json::Value) -> Injection {
        Injection::of(&serde_json::from_value(json).unwrap()).unwrap()
    }

    #[test]
    fn each_abort_is_one_of_three() {
        let abort = |json| fault(serde_json::json!({"name": "f", "abort": json})).abort;
        assert!(matches!(
            abort(serde_json::json!({"status": 429})),
            Some(Abort::Status(StatusCode::TOO_MANY_REQUESTS))
        ));
        assert!(matches!(
            abort(serde_json::json!({"grpc_status": 7})),
            Some(Abort::Grpc(7))
        ));
        assert!(matches!(
            abort(serde_json::json!({"reset": true})),
            Some(Abort::Reset)
        ));
    }
}
