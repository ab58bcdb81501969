//! CALLER -> APPLICATION: carries each request that reaches the service, and records it as a server span.
//!
//! In: requests from other proxies and from outside the mesh. Out: the same requests to the application, which learns its
//! server span from `traceparent` and `tracestate`. Never: a claim about the caller passed on to the application.

use std::rc::Rc;

use http::header::HOST;
use http::{Request, Response};
use hyper::body::Incoming;

use crate::answer::{answer, last_answer};
use crate::caller::Caller;
use crate::connect;
use crate::flight::{Flight, Opening};
use crate::forward::{Failure, Terms, exchange};
use crate::headers::end_request_hop;
use crate::reasons::Reason;
use crate::record::Encoded;
use crate::relay::{Reading, relay};
use crate::request_body::RequestBody;
use crate::response_body::ResponseBody;
use crate::strict;
use crate::trace::{Context, TRACEPARENT, mark_state};
use crate::worker::Worker;

/// Carries one request to the application and its response back.
pub async fn serve(
    worker: Rc<Worker>,
    caller: Rc<Caller>,
    mut request: Request<Incoming>,
) -> Response<ResponseBody> {
    let plan = worker.plan();
    let Some(application) = &plan.application else {
        return answer(Reason::NoEndpoints, "this proxy has no application");
    };
    let started = worker.clock.now();
    let (context, keep_state) = worker.with_rng(|rng| Context::of(request.headers(), rng));
    let (peer, peer_name) = caller.take_source(request.headers_mut());
    let opening = Opening {
        method: request.method(),
        version: request.version(),
        uri: request.uri(),
        host: request.headers().get(HOST),
        route: application.templates.borrow_mut().of(request.uri().path()),
        context,
        peer,
        connection: Some(Encoded::clone(&caller.attributes)),
        peer_name,
        busy: caller.busy(),
    };
    let flight = Flight::server(&worker, opening, started);
    if let Some(problem) = strict::objection(&request, caller.verdict.ambiguity()) {
        flight.refuse(Reason::BadRequest);
        return last_answer(Reason::BadRequest, problem);
    }
    if request.method() == http::Method::CONNECT {
        flight.refuse(Reason::ConnectNotAllowed);
        return answer(Reason::ConnectNotAllowed, "inbound");
    }
    let upgrade = end_request_hop(request.headers_mut());
    let caller_leg = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
    request
        .headers_mut()
        .insert(&TRACEPARENT, context.header(flight.span()));
    mark_state(request.headers_mut(), flight.span(), keep_state);

    let terms = Terms {
        upgrade: upgrade.is_some(),
        ..application.terms
    };
    let endpoint = &application.endpoint;
    match exchange(
        endpoint,
        request.map(RequestBody::from),
        terms,
        worker.clock,
        |_| {},
    )
    .await
    {
        Ok(answered) => {
            let reading = Reading {
                caller: caller_leg,
                from_proxy: false,
                broken: Reason::AppReset,
            };
            relay(answered, reading, flight)
        }
        Err(failure) => {
            let reason = reason(&failure);
            flight.refuse(reason);
            answer(reason, &format!("the application at {}", endpoint.address))
        }
    }
}

fn reason(failure: &Failure) -> Reason {
    match failure {
        Failure::Connect(connect::Failure::Refused, _) => Reason::AppConnectRefused,
        Failure::Connect(connect::Failure::Timeout, _) => Reason::AppConnectTimeout,
        Failure::Connect(connect::Failure::Failed, _) => Reason::AppConnectFailed,
        Failure::Timeout => Reason::AppTimeout,
        Failure::Reset => Reason::AppReset,
        Failure::Caller(reason) => *reason,
    }
}
