//! REQUEST -> ANSWER: tries the endpoints of a service until one answers.
//!
//! In: a request ready for its next hop. Out: the answer and the span of the attempt that got it. Never: a request sent
//! again once its callee may have acted on it, unless that is safe and the service's policy wants it.

use std::rc::Rc;
use std::time::Duration;

use http::{Method, Request, StatusCode};

use super::deadline::{self, Deadline};
use super::outlier::Outcome;
use super::outside::remove_ours;
use super::retry::Ended;
use crate::entry::caller::Caller;
use crate::grpc::status_of;
use crate::reasons::Reason;
use crate::recording::b3;
use crate::recording::clock::Nanos;
use crate::recording::flight::Flight;
use crate::recording::trace::{Context, TRACEPARENT};
use crate::runtime::plan::Service;
use crate::runtime::worker::Worker;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::forward::{Answer, Departure, Failure, Terms, exchange};
use crate::upstream::headers::MESH_RETRY;
use crate::upstream::relay::{begun, relayed_reason};
use crate::upstream::request_body::RequestBody;
use crate::upstream::spare::{Spare, is_safe};

mod hedge;

/// One call of the application, for which attempts are made.
pub struct Call<'a> {
    pub worker: &'a Rc<Worker>,
    pub caller: &'a Caller,
    pub service: &'a Service,
    pub context: Context,
    pub terms: Terms,
    /// When the whole request has to be answered.
    pub deadline: Option<Deadline>,
    /// What tells its caller from others, where the balancer wants to know.
    pub mark: Option<u64>,
}

/// An endpoint that is tried.
#[derive(Clone, Copy)]
struct Try {
    place: usize,
    began: Nanos,
}

/// What it takes to send a request a second time.
struct Second {
    method: Method,
    spare: Option<Spare>,
}

/// The next attempt: the request, and how long to wait.
type Next = (Request<RequestBody>, Duration);

impl Call<'_> {
    /// Tries until an endpoint answers, or nothing more may be tried.
    pub async fn attempts(
        &self,
        mut request: Request<RequestBody>,
        mut flight: Flight,
    ) -> Result<(Answer, Flight), (Reason, String)> {
        let second = self.second(&mut request);
        let mut tried: u64 = 0;
        loop {
            let mut one = match self.choose(tried) {
                Ok(one) => one,
                Err((reason, place)) => {
                    flight.refuse(reason);
                    return Err((reason, place));
                }
            };
            tried |= one.bit();
            flight.to(self.endpoint(one));
            let outcome = match self.hedging(second.as_ref()) {
                None => self.ask(one, &flight, request).await,
                Some((after, second)) => {
                    let race = self.race(one, flight, request, after, second, &mut tried);
                    let outcome;
                    (one, flight, outcome) = Box::pin(race).await;
                    outcome
                }
            };
            let attempt = flight.attempts();
            let (next, pause) = match outcome {
                Ok(answered) => {
                    let status = status_of(&answered.response);
                    self.learn(one, Some(status));
                    let ended = Ended::Answered(status);
                    let Some(next) = self.repeat(second.as_ref(), attempt, ended) else {
                        return Ok((answered, flight));
                    };
                    begun(&mut flight, &answered.response, true);
                    flight = flight.again(None);
                    next
                }
                Err(failure) => {
                    let named = self.name(&failure, one);
                    let (reason, intact) = self.unanswered(failure, one);
                    let next = match intact {
                        Some(intact) => self.elsewhere(intact, second.as_ref(), attempt, tried),
                        None => self.repeat(second.as_ref(), attempt, Ended::Broken(reason)),
                    };
                    let Some(next) = next else {
                        flight.refuse(reason);
                        return Err((reason, named));
                    };
                    flight = flight.again(Some(reason));
                    next
                }
            };
            request = next;
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            if self.untried(self.worker.clock.now(), tried).is_none() {
                tried = 0;
            }
        }
    }

    /// Asks one endpoint, under the span of this attempt.
    async fn ask(
        &self,
        one: Try,
        flight: &Flight,
        mut request: Request<RequestBody>,
    ) -> Result<Answer, Failure> {
        request.headers_mut().insert(
            &TRACEPARENT,
            self.context.header(flight.span(), &self.worker.pad),
        );
        b3::write(
            self.worker.plan().b3,
            request.headers_mut(),
            self.context,
            flight.span(),
            &self.worker.pad,
        );
        let departed = |departure: Departure| flight.sent_after(departure);
        let clock = self.worker.clock;
        let mut terms = self.terms;
        if let Some(deadline) = self.deadline {
            terms = deadline.within(terms, one.began);
            deadline::tell(request.headers_mut(), flight.is_call(), terms.first_byte);
        }
        if self.service.outside {
            remove_ours(request.headers_mut());
        }
        match exchange(self.endpoint(one), request, terms, clock, departed).await {
            Ok(answered) if self.is_late(&answered) => Err(Failure::Timeout),
            outcome => outcome,
        }
    }

    /// Whether a callee says that the time is over which it was given here. Who hears of it first is chance; why it is over
    /// is known here.
    fn is_late(&self, answered: &Answer) -> bool {
        self.deadline.is_some_and(|deadline| {
            deadline.has_passed(self.worker.clock.now())
                && relayed_reason(answered.response.headers()) == Some(Reason::DeadlineExceeded)
        })
    }

    fn second(&self, request: &mut Request<RequestBody>) -> Option<Second> {
        let (retry, care) = (&self.service.retry, &self.service.care);
        if retry.is_none() && care.hedge.is_none() {
            return None;
        }
        care.budget.earn();
        let method = request.method().clone();
        let spare = is_safe(&method).then(|| Spare::of(request, care.keeps()));
        Some(Second { method, spare })
    }

    fn endpoint(&self, one: Try) -> &Rc<Endpoint> {
        &self.service.endpoints[one.place]
    }

    /// The endpoint to try, or why there is none.
    fn choose(&self, tried: u64) -> Result<Try, (Reason, String)> {
        let name = &self.service.name;
        let began = self.worker.clock.now();
        let Some(place) = self.untried(began, tried) else {
            return Err((Reason::NoEndpoints, name.to_string()));
        };
        if let Some(breaker) = &self.service.care.breaker {
            let endpoints = &self.service.endpoints;
            let reuses = endpoints[place].pool.is_ready();
            if let Some(limit) = breaker.exceeded(endpoints, reuses) {
                return Err((Reason::BreakerOpen, format!("{name}: {limit}")));
            }
        }
        Ok(Try { place, began })
    }

    /// Remembers how an attempt at an endpoint went.
    fn learn(&self, one: Try, status: Option<StatusCode>) {
        let endpoints = &self.service.endpoints;
        if endpoints.len() == 1 {
            // There is nothing to choose between, and nothing to eject it for.
            if status.is_some() {
                endpoints[one.place].reached();
            }
            return;
        }
        let now = self.worker.clock.now();
        let outcome = match status {
            Some(status) if !status.is_server_error() => Outcome::Served,
            _ => Outcome::Failed,
        };
        if status.is_some() {
            endpoints[one.place].answered(now.saturating_sub(one.began), now, outcome);
        }
        if let Some(outlier) = &self.service.care.outlier {
            outlier.judge(endpoints, one.place, outcome, now);
        }
    }

    /// The same request again, if the policy wants that and it can be had.
    fn repeat(&self, second: Option<&Second>, attempt: u8, ended: Ended) -> Option<Next> {
        let second = second?;
        let copy = second.copy(attempt)?;
        self.follow(second, attempt, ended)
            .map(|pause| (copy, pause))
    }

    /// A request of which nothing was sent goes to another endpoint at once, or to any again if the policy wants that.
    fn elsewhere(
        &self,
        intact: Box<Request<RequestBody>>,
        second: Option<&Second>,
        attempt: u8,
        tried: u64,
    ) -> Option<Next> {
        let now = self.worker.clock.now();
        if attempt < self.service.connect_attempts && self.untried(now, tried).is_some() {
            return Some((*intact, Duration::ZERO));
        }
        let pause = self.follow(second?, attempt, Ended::Unsent)?;
        Some((*intact, pause))
    }

    /// The pause before the next attempt; `None` when there is to be none.
    fn follow(&self, second: &Second, attempt: u8, ended: Ended) -> Option<Duration> {
        let retry = self.service.retry.as_ref()?;
        let now = self.worker.clock.now();
        let pause = self
            .worker
            .with_rng(|rng| retry.pause(attempt + 1, rng.f64()));
        let then = now.saturating_add(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX));
        let in_time = self
            .deadline
            .is_none_or(|deadline| !deadline.has_passed(then));
        let again = in_time && retry.again(attempt, &second.method, ended, now);
        again.then_some(pause)
    }

    fn name(&self, failure: &Failure, one: Try) -> String {
        match failure {
            Failure::Caller(_) => self.caller.conduct.what_broke().to_owned(),
            _ => format!("{} at {}", self.service.name, self.endpoint(one).place),
        }
    }

    /// Why an endpoint did not answer, and the request when it never left and there is time for it to go elsewhere.
    fn unanswered(
        &self,
        failure: Failure,
        one: Try,
    ) -> (Reason, Option<Box<Request<RequestBody>>>) {
        let (reason, intact) = match failure {
            Failure::Connect(failure, request) => (failure.reason(), Some(request)),
            Failure::Timeout => (Reason::UpstreamTimeout, None),
            Failure::Reset => (Reason::UpstreamReset, None),
            Failure::Unsound => (Reason::BadResponse, None),
            Failure::Distrust(refusal) => (refusal.reason(), None),
            Failure::Caller(reason) => (reason, None),
        };
        self.learn(one, None);
        let ran_out = matches!(reason, Reason::UpstreamTimeout | Reason::ConnectTimeout);
        let now = self.worker.clock.now();
        let passed = self.deadline.filter(|deadline| deadline.has_passed(now));
        if let Some(deadline) = passed.filter(|_| ran_out) {
            return (deadline.reason, None);
        }
        if intact.is_some() {
            self.endpoint(one).avoid(one.began);
        }
        (reason, intact)
    }

    /// An endpoint that this request has not tried. The first 64 are told apart exactly, which is more than attempts.
    fn untried(&self, now: Nanos, tried: u64) -> Option<usize> {
        let untried = |place: usize| tried >> (place % 64) & 1 == 0;
        let endpoints = &self.service.endpoints;
        let balancer = &self.service.care.balancer;
        self.worker
            .with_rng(|rng| balancer.choose(endpoints, now, rng, self.mark, untried))
    }
}

impl Second {
    /// The request once more after so many attempts, if all of it was kept; its callee learns that it is not the first.
    fn copy(&self, attempts: u8) -> Option<Request<RequestBody>> {
        let mut copy = self.spare.as_ref()?.request()?;
        copy.headers_mut()
            .insert(&MESH_RETRY, u16::from(attempts).into());
        Some(copy)
    }
}

impl Try {
    fn bit(self) -> u64 {
        1 << (self.place % 64)
    }
}
