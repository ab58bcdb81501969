//! Sends copies of requests elsewhere, to see how another version would do (Gateway API, `HTTPRequestMirrorFilter`).
//!
//! In: a request about to leave. Out: the same to the mirrors, each a client span of its own; their answers are thrown away.
//! Never: a wait of the request for its copies, or more than a bounded part of its body kept for them.

use std::rc::Rc;

use http::Request;
use http_body_util::BodyExt;

use super::attempts::Call;
use super::rules::{Mirror, Rule};
use crate::entry::caller::Caller;
use crate::recording::flight::{Flight, Opening};
use crate::recording::otlp::Attributes;
use crate::recording::record::Encoded;
use crate::recording::tally::Labels;
use crate::recording::trace::Context;
use crate::runtime::worker::Worker;
use crate::upstream::forward::Terms;
use crate::upstream::relay::{Reading, relay};
use crate::upstream::request_body::RequestBody;

const A_MILLION: u64 = 1_000_000;
/// Bytes of a mirror's answer that are read, so that its connection can be used again.
const READ_AT_MOST: usize = 1 << 20;

/// Sets copies of the request on their way, as many as its route asks for.
pub fn copies(
    worker: &Rc<Worker>,
    caller: &Rc<Caller>,
    rule: &Rule,
    context: Context,
    request: &mut Request<RequestBody>,
) {
    for mirror in &rule.mirrors {
        if worker.random() % A_MILLION < u64::from(mirror.per_million) {
            let copy = copy(request);
            let flight = flight(worker, caller, mirror, context, &copy);
            let (worker, caller, mirror) = (Rc::clone(worker), Rc::clone(caller), mirror.clone());
            tokio::task::spawn_local(async move {
                send(&worker, &caller, &mirror, context, copy, flight).await;
            });
        }
    }
}

fn copy(request: &mut Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(request.body_mut().copy());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn flight(
    worker: &Rc<Worker>,
    caller: &Rc<Caller>,
    mirror: &Mirror,
    context: Context,
    copy: &Request<RequestBody>,
) -> Flight {
    let mut attributes = Attributes::default();
    attributes.text("mesh.mirror", "true");
    let opening = Opening {
        method: copy.method(),
        version: copy.version(),
        uri: copy.uri(),
        headers: copy.headers(),
        context,
        peer: Some(Encoded::clone(&mirror.to.attributes)),
        also: Some(attributes.bytes().into()),
        labels: Labels {
            peer: Rc::clone(&mirror.to.name),
            version: caller.nobody(),
            route: mirror.to.templates.borrow_mut().of_request(copy),
        },
        busy: caller.busy(),
    };
    Flight::client(worker, opening, worker.clock.now(), None)
}

async fn send(
    worker: &Rc<Worker>,
    caller: &Caller,
    mirror: &Mirror,
    context: Context,
    copy: Request<RequestBody>,
    flight: Flight,
) {
    let limits = &worker.plan().limits;
    let call = Call {
        worker,
        caller,
        service: &mirror.to,
        context,
        terms: Terms {
            upgrade: false,
            ..mirror.to.terms
        },
        deadline: None,
        mark: None,
    };
    let Ok((answered, flight)) = call.attempts(copy, flight).await else {
        return;
    };
    let reading = Reading::upstream(None, limits);
    let mut body = relay(answered, reading, flight).into_body();
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, bytes::Bytes::len);
        if read > READ_AT_MOST {
            return;
        }
    }
}
