//! DECISION -> ANSWER: tells a caller that may not ask so, and the span which rule it was and what of it did not hold.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Request, Response};

use super::Authorization;
use super::asking::Head;
use super::policies::{Decision, Denial};
use crate::entry::caller::Caller;
use crate::reasons::Reason;
use crate::recording::clock::unix_now;
use crate::recording::flight::Flight;
use crate::recording::otlp::Attributes;
use crate::upstream::answer::answer;
use crate::upstream::response_body::ResponseBody;

/// What becomes of a connection whose bytes nobody looks at.
pub struct Verdict {
    /// Why it is not carried.
    pub denied: Option<Reason>,
    /// What its span says of that, or of what would have been.
    pub told: Option<Attributes>,
}

/// Lets a request go on with its span, or ends both.
pub fn request<B>(
    caller: &Caller,
    request: &mut Request<B>,
    mut flight: Flight,
) -> Result<Flight, Box<Response<ResponseBody>>> {
    let workload = caller.workload();
    let Some(access) = &workload.authorization else {
        return Ok(flight);
    };
    let claims = match &access.tokens {
        None => None,
        Some(tokens) => match tokens.check(request.headers_mut(), now_s()) {
            Ok(claims) => claims,
            Err(reason) => {
                flight.refuse(reason);
                return Err(Box::new(unauthenticated(reason, access.service())));
            }
        },
    };
    let head = Head::of(request.method(), request.uri(), request.headers());
    let who = access.who(caller.identity(), flight.peer());
    let known = who.is_known();
    match access.admit(who, caller.way(), Some(head), claims.as_deref()) {
        Decision::Allowed { would, .. } => {
            if let Some(would) = would {
                flight.note(&would.audited());
            }
            Ok(flight)
        }
        Decision::Denied(denial) => {
            flight.note(&denial.told());
            flight.refuse(denial.reason);
            let place = denial.place(access.service(), known);
            Err(Box::new(answer(denial.reason, &place)))
        }
    }
}

/// RFC 6750, 3: what is wrong with a token is said in a header too.
fn unauthenticated(reason: Reason, service: &str) -> Response<ResponseBody> {
    let mut response = answer(reason, service);
    let challenge = if reason == Reason::TokenMissing {
        "Bearer"
    } else {
        "Bearer error=\"invalid_token\""
    };
    let challenge = HeaderValue::from_static(challenge);
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

/// Seconds since 1970 by the wall clock, which is what issuers go by.
#[expect(clippy::cast_precision_loss, reason = "a microsecond more or less")]
fn now_s() -> f64 {
    unix_now() as f64 / 1e9
}

/// Decides about a connection.
pub fn tunnel(access: &Authorization, caller: &Caller) -> Verdict {
    if access.tokens.as_ref().is_some_and(|tokens| tokens.required) {
        return Verdict {
            denied: Some(Reason::TokenMissing),
            told: None,
        };
    }
    match access.admit(access.who(caller.identity(), ""), caller.way(), None, None) {
        Decision::Allowed { would, .. } => Verdict {
            denied: None,
            told: would.map(|would| would.audited()),
        },
        Decision::Denied(denial) => Verdict {
            denied: Some(denial.reason),
            told: Some(denial.told()),
        },
    }
}

// === impl Denial ===

impl Denial {
    fn told(&self) -> Attributes {
        let mut told = Attributes::default();
        told.text("mesh.policy", &self.rule);
        if !self.missed.is_empty() {
            told.text("mesh.policy.missed", &self.missed);
        }
        told
    }

    /// What would have been denied says for what.
    fn audited(&self) -> Attributes {
        let mut told = self.told();
        told.text("mesh.policy.audit", self.reason.code());
        told
    }

    /// Where it ended: what rules there are is not for everybody to know.
    fn place(&self, service: &str, known: bool) -> String {
        match (known, self.missed.as_str()) {
            (false, _) => service.to_owned(),
            (true, "") => format!("{service}: {}", self.rule),
            (true, missed) => format!("{service}: {}: {missed}", self.rule),
        }
    }
}
