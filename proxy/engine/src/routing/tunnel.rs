//! CONNECTION -> CONNECTION: carries bytes that nobody here looks at, and records each connection as a span.
//!
//! In: a connection and the service it is for. Out: the same bytes at one of its endpoints. Trace context cannot travel in
//! bytes of an unknown protocol, so each span has a trace of its own, unless the caller said one with `CONNECT`; the two
//! ends are told to belong together by the address between them (docs/telemetry.md).

use std::rc::Rc;

use bytes::Bytes;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::authz::enforce;
use crate::entry::caller::Caller;
use crate::entry::detect::Detected;
use crate::entry::wire::Wire;
use crate::reasons::Reason;
use crate::recording::clock::{Nanos, micros};
use crate::recording::record::{Encoded, Kind};
use crate::recording::tally::Direction;
use crate::recording::trace::Context;
use crate::recording::tunnel::{Opening, Tunnel};
use crate::routing::early::Early;
use crate::routing::inbound;
use crate::routing::outlier::Outcome;
use crate::runtime::plan::Service;
use crate::runtime::worker::Worker;
use crate::upstream::connect;
use crate::upstream::endpoint::{Connected, Endpoint};
use crate::upstream::forward::Departure;
use crate::upstream::secure::Inside;
use crate::upstream::splice::{Ended, Flow, splice};
use crate::upstream::stream::{Stream, reset};

/// A connection to be carried.
pub struct Arrived {
    pub caller: Rc<Caller>,
    pub detected: Detected,
    /// Where it was meant to go, in its caller's words; empty when it said nothing.
    pub asked: Box<str>,
    pub started: Nanos,
    /// The callee's end, where it spoke first.
    pub early: Option<Early>,
}

/// A connection to an endpoint.
pub struct Reached {
    pub stream: Stream,
    tunnel: Tunnel,
    _connected: Connected,
}

/// Carries a connection of the application to a service.
pub async fn outbound(
    worker: &Rc<Worker>,
    service: &Rc<Service>,
    mut arrived: Arrived,
    mut stream: Wire,
    held: Bytes,
) {
    let context = worker.with_rng(Context::fresh);
    let Ok(mut reached) = reach(worker, service, &mut arrived, context).await else {
        return;
    };
    let idle = worker.plan().limits.tunnel_idle;
    let ended = carry(&mut stream, &mut reached, held, idle).await;
    reached.finish(ended, Reason::UpstreamReset, Some(&stream));
}

/// Carries a connection that came in to the application.
pub async fn inbound(worker: &Rc<Worker>, mut arrived: Arrived, mut stream: Wire, held: Bytes) {
    let plan = worker.plan();
    let workload = arrived.caller.workload();
    let Some(application) = &workload.application else {
        return;
    };
    let context = worker.with_rng(Context::fresh);
    let mut tunnel = Tunnel::open(worker, opening(Kind::Server, &arrived, context));
    if let Some(access) = &workload.authorization {
        let verdict = enforce::tunnel(access, &arrived.caller);
        if let Some(told) = &verdict.told {
            tunnel.note(told);
        }
        if let Some(reason) = verdict.denied {
            tunnel.refuse(reason);
            return;
        }
    }
    let dialled = dial(
        worker,
        &application.endpoint,
        application.terms.connect.connect,
        arrived.early.take(),
        &mut tunnel,
    );
    let stream_to_app = match dialled.await {
        Ok(stream) => stream,
        Err(failure) => {
            tunnel.refuse(inbound::unconnected(failure));
            return;
        }
    };
    let mut reached = Reached {
        stream: stream_to_app,
        tunnel,
        _connected: application.endpoint.connected(),
    };
    let ended = carry(&mut stream, &mut reached, held, plan.limits.tunnel_idle).await;
    reached.finish(ended, Reason::AppReset, Some(&stream));
}

/// Records a connection that is carried nowhere.
pub fn refuse(worker: &Rc<Worker>, direction: Direction, arrived: &Arrived, reason: Reason) {
    let kind = match direction {
        Direction::Inbound => Kind::Server,
        Direction::Outbound => Kind::Client,
    };
    let context = worker.with_rng(Context::fresh);
    Tunnel::open(worker, opening(kind, arrived, context)).refuse(reason);
}

fn opening(kind: Kind, arrived: &Arrived, context: Context) -> Opening<'_> {
    let proved = arrived.caller.proved();
    Opening {
        kind,
        context,
        caller: &arrived.caller,
        detected: arrived.detected.clone(),
        peer: proved.and_then(|proved| proved.attributes.clone()),
        peer_name: proved.map_or_else(|| arrived.caller.nobody(), |proved| proved.service.clone()),
        asked: arrived.asked.clone(),
        started: arrived.started,
    }
}

/// Connects to an endpoint of the service; to another one when that fails, each attempt a span.
pub async fn reach(
    worker: &Rc<Worker>,
    service: &Rc<Service>,
    arrived: &mut Arrived,
    context: Context,
) -> Result<Reached, (Reason, String)> {
    let mut opening = opening(Kind::Client, arrived, context);
    opening.peer = Some(Encoded::clone(&service.attributes));
    opening.peer_name = Rc::clone(&service.name);
    let mut tunnel = Tunnel::open(worker, opening);
    let (mut tried, mut attempt): (u64, u8) = (0, 1);
    loop {
        let early = arrived.early.take();
        let place = early.as_ref().map(|early| early.place);
        let Some(place) = place.or_else(|| choose(worker, service, tried)) else {
            tunnel.refuse(Reason::NoEndpoints);
            return Err((Reason::NoEndpoints, service.name.to_string()));
        };
        let breaker = service.care.breaker.as_ref();
        if let Some(limit) = breaker.and_then(|it| it.exceeded(&service.endpoints, false)) {
            tunnel.refuse(Reason::BreakerOpen);
            return Err((Reason::BreakerOpen, format!("{}: {limit}", service.name)));
        }
        let endpoint = &service.endpoints[place];
        tunnel.to(Encoded::clone(&endpoint.attributes));
        let limit = service.terms.connect.connect;
        let dialled = dial(worker, endpoint, limit, early, &mut tunnel).await;
        learn(worker, service, place, dialled.is_ok());
        let failure = match dialled {
            Ok(stream) => {
                return Ok(Reached {
                    stream,
                    tunnel,
                    _connected: endpoint.connected(),
                });
            }
            Err(failure) => failure,
        };
        let reason = failure.reason();
        tried |= 1 << (place % 64);
        if attempt >= service.connect_attempts || choose(worker, service, tried).is_none() {
            tunnel.refuse(reason);
            return Err((reason, format!("{} at {}", service.name, endpoint.place)));
        }
        tunnel = tunnel.again(reason);
        attempt += 1;
    }
}

/// An endpoint that was not tried yet; `None` when there is none.
pub fn choose(worker: &Worker, service: &Service, tried: u64) -> Option<usize> {
    let untried = |place: usize| tried >> (place % 64) & 1 == 0;
    let now = worker.clock.now();
    worker.with_rng(|rng| {
        let balancer = &service.care.balancer;
        balancer.choose(&service.endpoints, now, rng, None, untried)
    })
}

/// Remembers whether an endpoint could be connected to.
fn learn(worker: &Worker, service: &Service, place: usize, reached: bool) {
    let endpoint = &service.endpoints[place];
    let now = worker.clock.now();
    if reached {
        endpoint.reached();
    } else {
        endpoint.avoid(now);
    }
    if let Some(outlier) = &service.care.outlier
        && service.endpoints.len() > 1
    {
        let outcome = if reached {
            Outcome::Served
        } else {
            Outcome::Failed
        };
        outlier.judge(&service.endpoints, place, outcome, now);
    }
}

async fn dial(
    worker: &Worker,
    endpoint: &Endpoint,
    limit: Duration,
    early: Option<Early>,
    tunnel: &mut Tunnel,
) -> Result<Stream, connect::Failure> {
    if let Some(early) = early {
        tunnel.connected(early.stream.local_address(), early.departure);
        return Ok(early.stream);
    }
    let asked = worker.clock.now();
    let _opening = endpoint.opening();
    let dialled = connect::dial(endpoint, limit, Inside::Opaque).await?;
    let departure = Departure {
        queue_us: 0,
        connect_us: Some(micros(asked, worker.clock.now())),
        tls_us: dialled.tls_us,
    };
    tunnel.connected(dialled.stream.local_address(), departure);
    Ok(dialled.stream)
}

/// Copies bytes both ways until the tunnel ends.
pub async fn carry<C: AsyncRead + AsyncWrite + Unpin>(
    caller: &mut C,
    reached: &mut Reached,
    held: Bytes,
    idle: Duration,
) -> Ended {
    let Reached { stream, tunnel, .. } = reached;
    let moved = |flow: Flow, bytes: usize| tunnel.moved(flow, bytes);
    splice(caller, stream, held, idle, moved).await
}

impl Reached {
    /// Records the end. One side that broke off breaks off for the other too: what was cut short must not look complete.
    pub fn finish(self, ended: Ended, broken: Reason, caller: Option<&Wire>) {
        let reason = match ended {
            Ended::Closed => None,
            Ended::Idle => Some(Reason::TunnelIdle),
            Ended::CallerBroke => {
                self.stream.reset();
                Some(Reason::ClientCancelled)
            }
            Ended::CalleeBroke => {
                caller.map(Wire::tcp).into_iter().for_each(reset);
                Some(broken)
            }
            Ended::Denied => {
                self.stream.reset();
                caller.map(Wire::tcp).into_iter().for_each(reset);
                Some(Reason::TlsDenied)
            }
        };
        self.tunnel.close(reason);
    }
}
