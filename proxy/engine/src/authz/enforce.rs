//! DECISION -> ANSWER: tells a caller that may not ask so, and the span which rule it was and what of it did not hold.

use http::{Request, Response};

use super::Authorization;
use super::asking::Head;
use super::policies::{Decision, Denial};
use crate::entry::caller::Caller;
use crate::reasons::Reason;
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
    request: &Request<B>,
    mut flight: Flight,
) -> Result<Flight, Box<Response<ResponseBody>>> {
    let workload = caller.workload();
    let Some(access) = &workload.authorization else {
        return Ok(flight);
    };
    let head = Head::of(request.method(), request.uri(), request.headers());
    let who = access.who(caller.identity(), flight.peer());
    let known = who.is_known();
    match access.admit(who, caller.way(), Some(head)) {
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

/// Decides about a connection.
pub fn tunnel(access: &Authorization, caller: &Caller) -> Verdict {
    match access.admit(access.who(caller.identity(), ""), caller.way(), None) {
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
