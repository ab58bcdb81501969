//! APPLICATION -> CALLEE: carries each call of the application to an instance of the service it names.
//!
//! In: HTTP requests in absolute form or with a `Host`. Out: the same requests to an endpoint, each attempt a client span.
//! Never: a request to a host that is not a service of the mesh, or another endpoint tried once anything was sent.

use std::rc::Rc;

use http::{Method, Request, Response};
use hyper::body::Incoming;

use super::attempts::Call;
use super::deadline::Deadline;
use super::rules::{Destination, Taken, Way, authority};
use super::targets::Meant;
use super::{connect, inject, mirror};
use crate::entry::caller::Caller;
use crate::entry::guard;
use crate::reasons::Reason;
use crate::recording::b3;
use crate::recording::clock::Nanos;
use crate::recording::flight::{Flight, Opening};
use crate::recording::record::Encoded;
use crate::recording::tally::Labels;
use crate::recording::trace::{Context, unmark_state};
use crate::runtime::plan::{Plan, Service};
use crate::runtime::worker::Worker;
use crate::runtime::workload::Workload;
use crate::upstream::answer::answer;
use crate::upstream::forward::Terms;
use crate::upstream::headers::{MESH_SOURCE, end_request_hop};
use crate::upstream::relay::{Reading, relay};
use crate::upstream::request_body::RequestBody;
use crate::upstream::response_body::ResponseBody;

/// Carries one call and its response back.
pub async fn serve(
    worker: Rc<Worker>,
    caller: Rc<Caller>,
    mut request: Request<Incoming>,
) -> Response<ResponseBody> {
    let plan = worker.plan();
    let workload = caller.workload();
    if let Some(service) = connect::allowed(&workload, &plan, &caller, &request) {
        return connect::serve(&worker, caller, service, request).await;
    }
    let started = worker.clock.now();
    let (context, keep_state) = worker.with_rng(|rng| Context::of(request.headers(), rng));
    let marked = unmark_state(request.headers_mut(), keep_state);
    let above = || (!keep_state).then(|| b3::above(request.headers()))?;
    let call = [Some(context.parent), marked]
        .into_iter()
        .chain(std::iter::once_with(above))
        .flatten()
        .find_map(|span| worker.all_slots.begin_call(span, started));
    let way = destination(&workload, &caller, &request)
        .map(|destination| destination.way(&request, &caller, || worker.random()));
    let service = way.as_ref().map(Way::service);
    let opening = Opening {
        method: request.method(),
        version: request.version(),
        uri: request.uri(),
        headers: request.headers(),
        context,
        peer: service.map(|service| Encoded::clone(&service.attributes)),
        also: caller.with_detected(way.as_ref().and_then(Way::attributes)),
        labels: labels(&caller, &plan, way.as_ref(), &request),
        busy: caller.busy(),
    };
    let flight = Flight::client(&worker, opening, started, call);
    if let Some((reason, place)) = refusal(&request, &caller, &workload, &plan) {
        return refuse(flight, reason, &place);
    }
    let (taken, service) = match led(way, &request) {
        Ok(taken) => taken,
        Err((reason, place)) => return refuse(flight, reason, &place),
    };
    let flight = match go_no_further(taken.as_ref(), &request, caller.scheme, flight) {
        Ok(flight) => flight,
        Err(response) => return *response,
    };
    let passage = Passage {
        worker: &worker,
        caller: &caller,
        plan: &plan,
        workload: &workload,
        context,
        started,
    };
    passage.go(request, flight, &service, taken.as_ref()).await
}

/// What a request that goes on takes with it.
pub(super) struct Passage<'a> {
    pub worker: &'a Rc<Worker>,
    pub caller: &'a Rc<Caller>,
    pub plan: &'a Plan,
    pub workload: &'a Workload,
    pub context: Context,
    pub started: Nanos,
}

impl Passage<'_> {
    /// Carries the request, unless a fault of the service is for it.
    pub async fn go(
        &self,
        request: Request<Incoming>,
        mut flight: Flight,
        service: &Service,
        taken: Option<&Taken>,
    ) -> Response<ResponseBody> {
        if let Some(fault) = inject::drawn(&service.faults, &request, self.worker) {
            Box::pin(fault.delay(self.worker, &mut flight)).await;
            if let Some(abort) = fault.abort() {
                return abort.end(flight, &fault.name);
            }
        }
        self.carry(request, flight, service, taken).await
    }

    /// Sends the request to an instance of a service, as a rule wants it, and brings back the answer.
    async fn carry(
        &self,
        mut request: Request<Incoming>,
        mut flight: Flight,
        service: &Service,
        taken: Option<&Taken>,
    ) -> Response<ResponseBody> {
        let limits = &self.plan.limits;
        let rule = taken.map(|taken| &*taken.rule);
        let mark = taken
            .and_then(Taken::mark)
            .or_else(|| service.care.mark(&request, self.caller));
        let upgrade = end_request_hop(request.headers_mut());
        let caller_leg = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
        if let Some(rule) = rule {
            rule.edit(&mut request);
        }
        request
            .headers_mut()
            .insert(&MESH_SOURCE, self.workload.source.clone());
        let mut terms = Terms {
            upgrade: upgrade.is_some(),
            ..service.terms
        };
        let mut deadline = self.asked(&request, &mut flight);
        let mut request = request.map(|body| RequestBody::new(body, limits.body));
        if let Some(rule) = rule {
            terms.first_byte = rule.first_byte(terms.first_byte);
            let own = rule.deadline(self.started);
            deadline = own.map(|own| own.sooner(deadline)).or(deadline);
            if upgrade.is_none() {
                mirror::copies(self.worker, self.caller, rule, self.context, &mut request);
            }
        }
        if let Some(passed) = deadline.filter(|one| one.has_passed(self.worker.clock.now())) {
            return refuse(flight, passed.reason, &service.name);
        }
        let call = Call {
            worker: self.worker,
            caller: self.caller,
            service,
            context: self.context,
            terms,
            deadline,
            mark,
        };
        let mut response = match call.attempts(request, flight).await {
            Ok((answered, flight)) => {
                let mut reading = Reading::upstream(caller_leg, limits);
                reading.course.from_proxy &= !service.outside;
                relay(answered, reading, flight)
            }
            Err((reason, place)) => return answer(reason, &place),
        };
        if let Some(taken) = taken {
            taken.edit_answer(&mut response);
        }
        response
    }

    /// Until when its caller waits: what it says, or what the one says whose request the caller is serving.
    fn asked<B>(&self, request: &Request<B>, flight: &mut Flight) -> Option<Deadline> {
        let asked = Deadline::asked(request.headers(), flight.is_call(), self.started);
        let expected = flight.expected().map(Deadline::of_caller);
        let deadline = asked.map(|asked| asked.sooner(expected)).or(expected)?;
        flight.note(&deadline.note(self.started));
        Some(deadline)
    }
}

/// What a call is counted under until its endpoint is chosen.
pub(super) fn labels<B>(
    caller: &Caller,
    plan: &Plan,
    way: Option<&Way>,
    request: &Request<B>,
) -> Labels {
    let service = way.map(Way::service);
    let templates = service.map_or(&plan.stray_templates, |service| &service.templates);
    Labels {
        peer: service.map_or_else(|| caller.nobody(), |service| Rc::clone(&service.name)),
        version: caller.nobody(),
        route: way
            .and_then(Way::template)
            .unwrap_or_else(|| templates.borrow_mut().of_request(request)),
    }
}

/// The answer of a rule that sends nothing on, or that would and has nowhere to; the span goes on where there is none.
pub(super) fn go_no_further(
    taken: Option<&Taken>,
    request: &Request<Incoming>,
    scheme: &str,
    flight: Flight,
) -> Result<Flight, Box<Response<ResponseBody>>> {
    let Some(rule) = taken.map(|taken| &taken.rule) else {
        return Ok(flight);
    };
    if let Some(response) = rule.answer(request, scheme) {
        flight.answer(response.status().as_u16(), Reason::RouteAnswer);
        return Err(Box::new(response));
    }
    if rule.leads_nowhere() {
        let response = refuse(flight, Reason::NoBackends, &rule.name);
        return Err(Box::new(response));
    }
    Ok(flight)
}

pub(super) fn refuse(flight: Flight, reason: Reason, place: &str) -> Response<ResponseBody> {
    flight.refuse(reason);
    answer(reason, place)
}

/// The service that a request means, or the one that its connection means whatever the request says.
fn destination<'a>(
    workload: &'a Workload,
    caller: &Caller,
    request: &Request<Incoming>,
) -> Option<&'a Rc<Destination>> {
    match caller.meant() {
        Meant::Authority => workload.routes.find(authority(request)?),
        meant => workload.targets.destination(meant),
    }
}

/// The rule that a request takes, if any, and the service it leads to; or why it leads to none.
pub(super) fn led(
    way: Option<Way>,
    request: &Request<Incoming>,
) -> Result<(Option<Taken>, Rc<Service>), (Reason, String)> {
    let (taken, service) = match way {
        Some(Way::Plain(service)) => (None, service),
        Some(Way::Ruled(taken)) => {
            let service = Rc::clone(&taken.service);
            (Some(taken), service)
        }
        Some(Way::None(service)) => return Err((Reason::NoRoute, service.name.to_string())),
        None => {
            let asked = authority(request).unwrap_or("no Host");
            return Err((Reason::UnknownService, asked.to_owned()));
        }
    };
    if service.protocol.is_opaque() {
        return Err((Reason::NotHttp, service.name.to_string()));
    }
    Ok((taken, service))
}

/// Why a request is not carried whatever it is for, and where.
fn refusal(
    request: &Request<Incoming>,
    caller: &Caller,
    workload: &Workload,
    plan: &Plan,
) -> Option<(Reason, String)> {
    if let Some(fault) = guard::objection(request, caller, &plan.limits) {
        return Some((fault.reason, fault.text.to_owned()));
    }
    if request.method() == Method::CONNECT {
        return Some((Reason::ConnectNotAllowed, request.uri().to_string()));
    }
    if request.headers().get(&MESH_SOURCE) == Some(&workload.source) {
        let asked = authority(request).unwrap_or_default().to_owned();
        return Some((Reason::RequestLoop, asked));
    }
    None
}
