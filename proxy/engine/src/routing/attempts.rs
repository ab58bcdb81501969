//! REQUEST -> ANSWER: tries the endpoints of a service until one answers.
//!
//! In: a request ready for its next hop. Out: the answer and the span of the attempt that got it. Never: another endpoint
//! tried once anything was sent.

use std::rc::Rc;
use std::time::Duration;

use http::Request;

use super::balance::choose;
use crate::entry::caller::Caller;
use crate::reasons::Reason;
use crate::recording::clock::Nanos;
use crate::recording::flight::Flight;
use crate::recording::record::Encoded;
use crate::recording::trace::{Context, TRACEPARENT};
use crate::runtime::plan::Service;
use crate::runtime::worker::Worker;
use crate::upstream::connect;
use crate::upstream::forward::{Answer, Departure, Failure, Terms, exchange};
use crate::upstream::request_body::RequestBody;

/// One call of the application, for which attempts are made.
pub struct Call<'a> {
    pub worker: &'a Rc<Worker>,
    pub caller: &'a Caller,
    pub service: &'a Service,
    pub context: Context,
    pub terms: Terms,
    /// When the whole request has to be answered.
    pub deadline: Option<Nanos>,
}

impl Call<'_> {
    /// Tries endpoints until one takes the request; another one only when nothing was sent to the last.
    pub async fn attempts(
        &self,
        mut request: Request<RequestBody>,
        mut flight: Flight,
    ) -> Result<(Answer, Flight), (Reason, String)> {
        let endpoints = &self.service.endpoints;
        let mut tried: u64 = 0;
        let mut attempt = 1;
        loop {
            let now = self.worker.clock.now();
            let Some(place) = self.choose(now, tried) else {
                flight.refuse(Reason::NoEndpoints);
                return Err((Reason::NoEndpoints, self.service.name.to_string()));
            };
            let endpoint = &endpoints[place];
            flight.to(Encoded::clone(&endpoint.attributes));
            request
                .headers_mut()
                .insert(&TRACEPARENT, self.context.header(flight.span()));
            let departed = |departure: Departure| flight.sent_after(departure);
            let terms = self.terms_at(now);
            let failure =
                match exchange(endpoint, request, terms, self.worker.clock, departed).await {
                    Ok(answered) => return Ok((answered, flight)),
                    Err(failure) => failure,
                };
            let place_name = match failure {
                Failure::Caller(_) => self.caller.conduct.what_broke().to_owned(),
                _ => format!("{} at {}", self.service.name, endpoint.address),
            };
            let (mut reason, mut unsent) = unanswered(failure);
            if self.is_late(reason) {
                (reason, unsent) = (Reason::RouteTimeout, None);
            }
            tried |= 1 << (place % 64);
            if unsent.is_some() {
                endpoint.avoid(now);
            }
            let more = attempt < self.service.connect_attempts && self.choose(now, tried).is_some();
            match unsent {
                Some(intact) if more => {
                    request = *intact;
                    flight = flight.again(reason);
                    attempt += 1;
                }
                _ => {
                    flight.refuse(reason);
                    return Err((reason, place_name));
                }
            }
        }
    }

    /// What one attempt may take, within what is left for the whole request.
    fn terms_at(&self, now: Nanos) -> Terms {
        let Some(deadline) = self.deadline else {
            return self.terms;
        };
        let left = Duration::from_nanos(deadline.saturating_sub(now)).max(Duration::from_millis(1));
        let mut terms = self.terms;
        terms.first_byte = terms.first_byte.min(left);
        terms.connect.connect = terms.connect.connect.min(left);
        terms
    }

    /// Whether an attempt ended because the time for the whole request was over.
    fn is_late(&self, reason: Reason) -> bool {
        let ran_out = matches!(reason, Reason::UpstreamTimeout | Reason::ConnectTimeout);
        ran_out
            && self
                .deadline
                .is_some_and(|deadline| self.worker.clock.now() >= deadline)
    }

    /// An endpoint that this request has not tried. The first 64 are told apart exactly, which is more than attempts.
    fn choose(&self, now: Nanos, tried: u64) -> Option<usize> {
        let untried = |place: usize| tried >> (place % 64) & 1 == 0;
        self.worker
            .with_rng(|rng| choose(&self.service.endpoints, now, rng, untried))
    }
}

/// The reason, and the request when it never left.
fn unanswered(failure: Failure) -> (Reason, Option<Box<Request<RequestBody>>>) {
    match failure {
        Failure::Connect(connect::Failure::Refused, request) => {
            (Reason::ConnectRefused, Some(request))
        }
        Failure::Connect(connect::Failure::Timeout, request) => {
            (Reason::ConnectTimeout, Some(request))
        }
        Failure::Connect(connect::Failure::Failed, request) => {
            (Reason::ConnectFailed, Some(request))
        }
        Failure::Timeout => (Reason::UpstreamTimeout, None),
        Failure::Reset => (Reason::UpstreamReset, None),
        Failure::Caller(reason) => (reason, None),
    }
}
