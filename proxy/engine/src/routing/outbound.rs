//! APPLICATION -> CALLEE: carries each call of the application to an instance of the service it names.
//!
//! In: HTTP requests in absolute form or with a `Host`. Out: the same requests to an endpoint, each attempt a client span.
//! Never: a request to a host that is not a service of the mesh, or another endpoint tried once anything was sent.

use std::rc::Rc;

use http::header::HOST;
use http::{Method, Request, Response};
use hyper::body::Incoming;

use super::attempts::Call;
use crate::entry::caller::Caller;
use crate::entry::guard;
use crate::reasons::Reason;
use crate::recording::flight::{Flight, Opening};
use crate::recording::record::Encoded;
use crate::recording::trace::{Context, unmark_state};
use crate::runtime::worker::Worker;
use crate::upstream::answer::answer;
use crate::upstream::forward::Terms;
use crate::upstream::headers::{MESH_SOURCE, end_request_hop};
use crate::upstream::relay::{Reading, relay};
use crate::upstream::request_body::RequestBody;
use crate::upstream::response_body::{Course, ResponseBody};

/// Carries one call and its response back.
pub async fn serve(
    worker: Rc<Worker>,
    caller: Rc<Caller>,
    mut request: Request<Incoming>,
) -> Response<ResponseBody> {
    let plan = worker.plan();
    let started = worker.clock.now();
    let (context, keep_state) = worker.with_rng(|rng| Context::of(request.headers(), rng));
    let marked = unmark_state(request.headers_mut(), keep_state);
    let call = [Some(context.parent), marked]
        .into_iter()
        .flatten()
        .find_map(|span| worker.all_slots.begin_call(span, started));
    let service = authority(&request)
        .and_then(|authority| plan.routes.find(authority))
        .cloned();
    let templates = service
        .as_ref()
        .map_or(&plan.stray_templates, |service| &service.templates);
    let opening = Opening {
        method: request.method(),
        version: request.version(),
        uri: request.uri(),
        host: request.headers().get(HOST),
        route: templates.borrow_mut().of(request.uri().path()),
        context,
        peer: service
            .as_ref()
            .map(|service| Encoded::clone(&service.attributes)),
        connection: None,
        peer_name: service
            .as_ref()
            .map_or_else(|| caller.nobody(), |service| Rc::clone(&service.name)),
        busy: caller.busy(),
    };
    let flight = Flight::client(&worker, opening, started, call);
    if let Some(fault) = guard::objection(&request, &caller, &plan.limits) {
        flight.refuse(fault.reason);
        return answer(fault.reason, fault.text);
    }
    if request.method() == Method::CONNECT {
        flight.refuse(Reason::ConnectNotAllowed);
        return answer(Reason::ConnectNotAllowed, &request.uri().to_string());
    }
    if request.headers().get(&MESH_SOURCE) == Some(&plan.source) {
        flight.refuse(Reason::RequestLoop);
        return answer(Reason::RequestLoop, authority(&request).unwrap_or_default());
    }
    let Some(service) = service else {
        flight.refuse(Reason::UnknownService);
        return answer(
            Reason::UnknownService,
            authority(&request).unwrap_or("no Host"),
        );
    };

    let upgrade = end_request_hop(request.headers_mut());
    let caller_leg = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
    request
        .headers_mut()
        .insert(&MESH_SOURCE, plan.source.clone());
    let terms = Terms {
        upgrade: upgrade.is_some(),
        ..service.terms
    };
    let call = Call {
        worker: &worker,
        caller: &caller,
        service: &service,
        context,
        terms,
    };
    match call
        .attempts(
            request.map(|body| RequestBody::new(body, plan.limits.body)),
            flight,
        )
        .await
    {
        Ok((answered, flight)) => {
            let reading = Reading {
                caller: caller_leg,
                from_proxy: true,
                course: Course {
                    broken: Reason::UpstreamReset,
                    stalled: Reason::UpstreamStalled,
                    silence: plan.limits.body.response,
                },
                tunnel_idle: plan.limits.tunnel_idle,
            };
            relay(answered, reading, flight)
        }
        Err((reason, place)) => answer(reason, &place),
    }
}

/// Whom the request is for: the URL's authority, or else `Host` (RFC 9112, 3.2.2).
fn authority<B>(request: &Request<B>) -> Option<&str> {
    let uri = request.uri().authority().map(http::uri::Authority::as_str);
    uri.or_else(|| request.headers().get(HOST)?.to_str().ok())
}
