//! OUTSIDE -> SERVICE, or APPLICATION -> OUTSIDE: carries requests into the mesh, or out of it, by the routes of a gateway.
//!
//! In: HTTP requests at one of its doors. Out: the same to an instance of a service, under a server span for the client and a
//! client span for the call. Never: a request to a service that no route leads to, or a client's claim to be of the mesh.

use std::rc::Rc;

use http::uri::Scheme;
use http::{Method, Request, Response, Uri};
use hyper::body::Incoming;

use super::outbound::{Passage, go_no_further, labels, led, refuse};
use super::rules::{Way, authority};
use crate::authz::enforce;
use crate::entry::caller::Caller;
use crate::entry::guard;
use crate::entry::limits::Limits;
use crate::grpc::status_of;
use crate::reasons::Reason;
use crate::recording::flight::{Flight, Opening};
use crate::recording::record::Encoded;
use crate::recording::tally::Labels;
use crate::recording::trace::{Context, unmark_state};
use crate::runtime::plan::Service;
use crate::runtime::worker::Worker;
use crate::runtime::workload::Workload;
use crate::upstream::answer::answer;
use crate::upstream::headers::{MESH_SOURCE, end_request_hop};
use crate::upstream::response_body::ResponseBody;

/// Carries one request and its response back.
pub async fn serve(
    worker: Rc<Worker>,
    caller: Rc<Caller>,
    mut request: Request<Incoming>,
) -> Response<ResponseBody> {
    let plan = worker.plan();
    let workload = caller.workload();
    let Some(gateway) = &workload.gateway else {
        return answer(Reason::NoEndpoints, "this proxy is no gateway");
    };
    let started = worker.clock.now();
    let busy = caller.busy();
    let refusal = refusal(&request, &caller, &workload, &plan.limits);
    let asked = authority(&request).map(str::to_owned);
    inside(&mut request);
    let headers = request.headers_mut();
    let (context, claim) = if let Some(trust) = gateway.trust {
        // Or else a client could have what is said of it removed again, by naming it in `Connection`.
        end_request_hop(headers);
        trust.cleanse(headers, caller.address, caller.scheme, asked.as_deref());
        let context = worker.with_rng(|rng| trust.context(headers, rng));
        (context, caller.no_claim())
    } else {
        let (context, keep) = worker.with_rng(|rng| Context::of(headers, rng));
        unmark_state(headers, keep);
        (context, caller.take_source(headers))
    };
    let way = asked
        .as_deref()
        .and_then(|asked| gateway.destination(caller.way(), asked))
        .map(|to| to.way(&request, &caller, || worker.random()));
    let onward = labels(&caller, &plan, way.as_ref(), &request);
    let rule = way.as_ref().and_then(Way::attributes);
    let opening = Opening {
        method: request.method(),
        version: request.version(),
        uri: request.uri(),
        headers: request.headers(),
        context,
        peer: claim.attributes,
        also: Some(both(&caller.attributes, rule.as_deref())),
        labels: Labels {
            peer: claim.service,
            version: claim.version,
            route: Rc::clone(&onward.route),
        },
        busy,
    };
    let entry = Flight::server(&worker, opening, started);
    if let Some((reason, place)) = refusal {
        return refuse(entry, reason, &place);
    }
    let entry = match enforce::request(&caller, &mut request, entry) {
        Ok(entry) => entry,
        Err(response) => return *response,
    };
    let pass = match &gateway.gate {
        None => None,
        Some(gate) => {
            let client = caller.address.to_string();
            let source = match gateway.trust {
                Some(_) => &client,
                None => entry.peer(),
            };
            match gate.admit(&request, source, worker.lag.get(), started) {
                Ok(pass) => Some(pass),
                Err(refusal) => return refusal.end(entry),
            }
        }
    };
    if way.is_none() {
        return refuse(
            entry,
            Reason::UnknownHost,
            asked.as_deref().unwrap_or_default(),
        );
    }
    let (taken, service) = match led(way, &request) {
        Ok(found) => found,
        Err((reason, place)) => return refuse(entry, reason, &place),
    };
    let entry = match go_no_further(taken.as_ref(), &request, caller.scheme, entry) {
        Ok(entry) => entry,
        Err(response) => return *response,
    };
    let flight = call(&worker, entry, &request, context, &service, rule, onward);
    let passage = Passage {
        worker: &worker,
        caller: &caller,
        plan: &plan,
        workload: &workload,
        context,
        started,
    };
    let response = passage.go(request, flight, &service, taken.as_ref()).await;
    if let Some(pass) = pass.filter(|_| !status_of(&response).is_server_error()) {
        pass.answered(worker.clock.now());
    }
    response
}

/// How a client encrypts ends here, and so does the scheme that it writes.
fn inside<B>(request: &mut Request<B>) {
    if request.uri().scheme() == Some(&Scheme::HTTPS) {
        let mut parts = request.uri().clone().into_parts();
        parts.scheme = Some(Scheme::HTTP);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}

/// The span of the call that a request becomes.
fn call(
    worker: &Rc<Worker>,
    mut entry: Flight,
    request: &Request<Incoming>,
    context: Context,
    service: &Service,
    rule: Option<Encoded>,
    labels: Labels,
) -> Flight {
    let opening = Opening {
        method: request.method(),
        version: request.version(),
        uri: request.uri(),
        headers: request.headers(),
        context: Context {
            parent: entry.span(),
            ..context
        },
        peer: Some(Encoded::clone(&service.attributes)),
        also: rule,
        labels,
        busy: entry.let_go(),
    };
    Flight::onward(worker, opening, entry, worker.clock.now())
}

/// Why a request is not carried whatever it is for, and where.
fn refusal(
    request: &Request<Incoming>,
    caller: &Caller,
    workload: &Workload,
    limits: &Limits,
) -> Option<(Reason, String)> {
    if let Some(fault) = guard::objection(request, caller, limits) {
        return Some((fault.reason, fault.text.to_owned()));
    }
    if request.method() == Method::CONNECT {
        return Some((Reason::ConnectNotAllowed, "a gateway".to_owned()));
    }
    let loops = request.headers().get(&MESH_SOURCE) == Some(&workload.source);
    loops.then(|| {
        let asked = authority(request).unwrap_or_default();
        (Reason::RequestLoop, asked.to_owned())
    })
}

fn both(first: &Encoded, second: Option<&[u8]>) -> Encoded {
    match second {
        None => Encoded::clone(first),
        Some(second) => [first, second].concat().into(),
    }
}
