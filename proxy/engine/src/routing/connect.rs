//! `CONNECT` (RFC 9110, 9.3.6): a tunnel that a caller asks for by HTTP, to those services that the configuration names.
//!
//! In: a request. Out: 200 once an endpoint is connected, and from then on bytes; or the reason why there is none.

use std::rc::Rc;

use bytes::Bytes;
use http::{Method, Request, Response, Version};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;

use crate::entry::caller::Caller;
use crate::entry::detect::{Detected, Spoken};
use crate::entry::guard;
use crate::reasons::Reason;
use crate::recording::trace::Context;
use crate::routing::tunnel::{Arrived, carry, reach};
use crate::runtime::caught::spawn;
use crate::runtime::plan::{Plan, Service};
use crate::runtime::worker::Worker;
use crate::runtime::workload::Workload;
use crate::snapshot::Protocol;
use crate::upstream::answer::answer;
use crate::upstream::response_body::ResponseBody;

/// The service that a `CONNECT` is for, if it may be connected to.
pub fn allowed(
    workload: &Workload,
    plan: &Plan,
    caller: &Caller,
    request: &Request<Incoming>,
) -> Option<Rc<Service>> {
    if request.method() != Method::CONNECT {
        return None;
    }
    let service = &workload
        .routes
        .find(request.uri().authority()?.as_str())?
        .service;
    let sound = guard::objection(request, caller, &plan.limits).is_none();
    (sound && workload.targets.may_connect(&service.name)).then(|| Rc::clone(service))
}

pub async fn serve(
    worker: &Rc<Worker>,
    caller: Rc<Caller>,
    service: Rc<Service>,
    mut request: Request<Incoming>,
) -> Response<ResponseBody> {
    let (context, _) = worker.with_rng(|rng| Context::of(request.headers(), rng));
    let protocol = match service.protocol {
        Protocol::Tls => Spoken::Tls,
        _ => Spoken::Tcp,
    };
    let mut arrived = Arrived {
        caller: Rc::clone(&caller),
        detected: Detected::declared(protocol),
        asked: request.uri().to_string().into(),
        started: worker.clock.now(),
        early: None,
    };
    let mut reached = match reach(worker, &service, &mut arrived, context).await {
        Ok(reached) => reached,
        Err((reason, place)) => return answer(reason, &place),
    };
    let busy = caller.busy();
    if request.version() != Version::HTTP_2 {
        caller.conduct.switch();
    }
    let upgrade = hyper::upgrade::on(&mut request);
    let idle = worker.plan().limits.tunnel_idle;
    spawn(&worker.totals, async move {
        // Without its caller's side the tunnel is dropped, and recorded as left.
        if let Ok(upgraded) = upgrade.await {
            let mut upgraded = TokioIo::new(upgraded);
            let ended = carry(&mut upgraded, &mut reached, Bytes::new(), idle).await;
            reached.finish(ended, Reason::UpstreamReset, None);
        }
        drop(busy);
    });
    Response::new(ResponseBody::Empty)
}
