//! CALLER -> APPLICATION: carries each request that reaches the service, and records it as a server span.
//!
//! In: requests from other proxies and from outside the mesh. Out: the same requests to the application, which learns its
//! server span from `traceparent` and `tracestate`. Never: a claim about the caller passed on to the application.

use std::rc::Rc;

use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;

use super::deadline::Deadline;
use crate::authz::enforce;
use crate::entry::caller::Caller;
use crate::entry::fault::Fault;
use crate::entry::guard;
use crate::entry::limits::Limits;
use crate::grpc::status_of;
use crate::reasons::Reason;
use crate::recording::b3;
use crate::recording::clock::Nanos;
use crate::recording::flight::{Flight, Opening};
use crate::recording::pad::Pad;
use crate::recording::record::Encoded;
use crate::recording::tally::Labels;
use crate::recording::trace::{Context, TRACEPARENT, mark_state};
use crate::runtime::worker::Worker;
use crate::runtime::workload::Application;
use crate::snapshot::B3;
use crate::upstream::answer::answer;
use crate::upstream::connect;
use crate::upstream::forward::{Failure, Terms, exchange};
use crate::upstream::headers::end_request_hop;
use crate::upstream::relay::{Reading, relay};
use crate::upstream::request_body::RequestBody;
use crate::upstream::response_body::{Course, ResponseBody};

/// Carries one request to the application and its response back.
pub async fn serve(
    worker: Rc<Worker>,
    caller: Rc<Caller>,
    mut request: Request<Incoming>,
) -> Response<ResponseBody> {
    let plan = worker.plan();
    let workload = caller.workload();
    let Some(application) = &workload.application else {
        return answer(Reason::NoEndpoints, "this proxy has no application");
    };
    let started = worker.clock.now();
    let (context, keep_state) = worker.with_rng(|rng| Context::of(request.headers(), rng));
    let claim = caller.take_source(request.headers_mut());
    let opening = Opening {
        method: request.method(),
        version: request.version(),
        uri: request.uri(),
        headers: request.headers(),
        context,
        peer: claim.attributes,
        also: Some(Encoded::clone(&caller.attributes)),
        labels: Labels {
            peer: claim.service,
            version: claim.version,
            route: application.templates.borrow_mut().of_request(&request),
        },
        busy: caller.busy(),
    };
    let mut flight = Flight::server(&worker, opening, started);
    if let Some((reason, place)) = refusal(&request, &caller, application, &plan.limits) {
        flight.refuse(reason);
        return answer(reason, place);
    }
    let deadline = expected(&request, &mut flight, started);
    if let Some(passed) = deadline.filter(|deadline| deadline.has_passed(started)) {
        flight.refuse(passed.reason);
        return answer(passed.reason, "the request arrived with no time left");
    }
    let flight = match enforce::request(&caller, &mut request, flight) {
        Ok(flight) => flight,
        Err(response) => return *response,
    };
    let pass = match &application.gate {
        None => None,
        Some(gate) => match gate.admit(&request, flight.peer(), worker.lag.get(), started) {
            Ok(pass) => Some(pass),
            Err(refusal) => return refusal.end(flight),
        },
    };
    let upgrade = end_request_hop(request.headers_mut());
    let caller_leg = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
    let place = (context, keep_state);
    tell(
        request.headers_mut(),
        place,
        flight.span(),
        plan.b3,
        &worker.pad,
    );

    let terms = Terms {
        upgrade: upgrade.is_some(),
        ..deadline.map_or(application.terms, |deadline| {
            deadline.at_callee(application.terms, started)
        })
    };
    let endpoint = &application.endpoint;
    match exchange(
        endpoint,
        request.map(|body| RequestBody::new(body, plan.limits.body)),
        terms,
        worker.clock,
        |departure| flight.sent_after(departure),
    )
    .await
    {
        Ok(answered) => {
            if let Some(pass) = pass.filter(|_| !status_of(&answered.response).is_server_error()) {
                pass.answered(worker.clock.now());
            }
            let reading = Reading {
                caller: caller_leg,
                course: Course {
                    from_proxy: false,
                    broken: Reason::AppReset,
                    stalled: Reason::AppStalled,
                    silence: plan.limits.body.response,
                },
                tunnel_idle: plan.limits.tunnel_idle,
            };
            relay(answered, reading, flight)
        }
        Err(failure) => {
            let reason =
                overdue(&failure, deadline, worker.clock.now()).unwrap_or_else(|| reason(&failure));
            flight.refuse(reason);
            let place = match failure {
                Failure::Caller(_) => caller.conduct.what_broke().to_owned(),
                _ => format!("the application at {}", endpoint.place),
            };
            answer(reason, &place)
        }
    }
}

/// Why a request is not carried whoever it is from, and where.
fn refusal(
    request: &Request<Incoming>,
    caller: &Caller,
    application: &Application,
    limits: &Limits,
) -> Option<(Reason, &'static str)> {
    let objection = distrust(caller, application);
    if let Some(fault) = objection.or_else(|| guard::objection(request, caller, limits)) {
        return Some((fault.reason, fault.text));
    }
    (request.method() == http::Method::CONNECT).then_some((Reason::ConnectNotAllowed, "inbound"))
}

/// A caller whose certificate was good when it connected, and is not by what is trusted now.
fn distrust(caller: &Caller, application: &Application) -> Option<Fault> {
    let reason = caller.distrusted(&application.guard)?.reason();
    let fault = Fault::new(reason, "its certificate is not trusted any more");
    caller.conduct.object(fault);
    Some(fault)
}

/// Until when the caller waits, as the span says too and the calls of the application learn.
fn expected<B>(request: &Request<B>, flight: &mut Flight, started: Nanos) -> Option<Deadline> {
    let deadline = Deadline::asked(request.headers(), flight.is_call(), started)?;
    flight.note(&deadline.note(started));
    flight.expect(deadline.at);
    Some(deadline)
}

/// Tells the application its server span, in every form that it may know.
fn tell(headers: &mut HeaderMap, (context, keep): (Context, bool), span: u64, form: B3, pad: &Pad) {
    headers.insert(&TRACEPARENT, context.header(span, pad));
    mark_state(headers, span, keep, pad);
    b3::write(form, headers, context, span, pad);
}

/// Why there is no connection to the application.
#[must_use]
pub fn unconnected(failure: connect::Failure) -> Reason {
    match failure {
        connect::Failure::Refused => Reason::AppConnectRefused,
        connect::Failure::Timeout => Reason::AppConnectTimeout,
        connect::Failure::Failed => Reason::AppConnectFailed,
        connect::Failure::Tls(refusal) => refusal.reason(),
    }
}

/// Why there is no answer when its caller does not wait any longer.
fn overdue(failure: &Failure, deadline: Option<Deadline>, now: Nanos) -> Option<Reason> {
    let ran_out = matches!(
        failure,
        Failure::Timeout | Failure::Connect(connect::Failure::Timeout, _)
    );
    let passed = deadline.filter(|deadline| ran_out && deadline.has_passed(now))?;
    Some(passed.reason)
}

fn reason(failure: &Failure) -> Reason {
    match failure {
        Failure::Connect(failure, _) => unconnected(*failure),
        Failure::Timeout => Reason::AppTimeout,
        Failure::Reset => Reason::AppReset,
        Failure::Unsound => Reason::AppBadResponse,
        Failure::Distrust(refusal) => refusal.reason(),
        Failure::Caller(reason) => *reason,
    }
}
