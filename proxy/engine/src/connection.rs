//! One accepted connection: which protocol it speaks, its requests one by one, and when it ends.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::caller::{Caller, Presence};
use crate::exec::LocalExec;
use crate::reasons::Reason;
use crate::response_body::ResponseBody;
use crate::tally::Direction;
use crate::tap::Tap;
use crate::worker::Worker;
use crate::{inbound, outbound};

/// Streams one HTTP/2 connection may have open.
const MAX_STREAMS: u32 = 256;

/// Serves a connection until it ends, or until its last response once `drain` says so.
pub async fn serve(
    worker: Rc<Worker>,
    direction: Direction,
    stream: TcpStream,
    remote: SocketAddr,
    presence: Rc<Presence>,
    mut drain: watch::Receiver<bool>,
) {
    let plan = worker.plan();
    let detected = tokio::select! {
        detected = timeout(plan.idle, Tap::detect(stream)) => detected,
        _ = drain.wait_for(|drain| *drain) => return,
    };
    // Nothing was asked: a connection that opens and says nothing needs no answer.
    let Ok(Ok(tap)) = detected else { return };
    let caller = Caller::new(remote, tap.verdict(), presence);
    let http2 = tap.is_http2();
    let io = TokioIo::new(tap);
    let service = service_fn(|request: Request<Incoming>| {
        let (worker, caller) = (Rc::clone(&worker), Rc::clone(&caller));
        async move {
            Ok::<_, Infallible>(match direction {
                Direction::Inbound => inbound::serve(worker, caller, request).await,
                Direction::Outbound => outbound::serve(worker, caller, request).await,
            })
        }
    });
    let ended = if http2 {
        let mut builder = http2::Builder::new(LocalExec);
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS);
        builder.max_header_list_size(u32::try_from(plan.header_bytes).unwrap_or(u32::MAX));
        until_idle(
            builder.serve_connection(io, service),
            &caller,
            &worker,
            drain,
        )
        .await
    } else {
        let mut builder = http1::Builder::new();
        builder
            .max_buf_size(plan.header_bytes)
            .max_header_size(plan.header_bytes);
        until_idle(
            builder.serve_connection(io, service).with_upgrades(),
            &caller,
            &worker,
            drain,
        )
        .await
    };
    if let Err(error) = ended {
        if error.is_parse_too_large() {
            worker.totals.refuse(Reason::HeadersTooLarge);
        } else if error.is_parse() {
            worker.totals.refuse(Reason::BadRequest);
        }
    }
}

/// Drives a connection; ends it when it has begun no request for the idle time and none is in flight.
async fn until_idle(
    connection: impl Graceful,
    caller: &Caller,
    worker: &Worker,
    mut drain: watch::Receiver<bool>,
) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    let mut watch = pin!(sleep(worker.plan().idle));
    let mut seen = 0;
    let mut draining = false;
    loop {
        tokio::select! {
            biased;
            ended = &mut connection => return ended,
            () = &mut watch => {
                let (begun, busy) = caller.activity();
                if begun == seen && !busy {
                    return Ok(());
                }
                seen = begun;
                watch.as_mut().reset(Instant::now() + worker.plan().idle);
            }
            _ = drain.wait_for(|drain| *drain), if !draining => {
                draining = true;
                connection.as_mut().finish();
            }
        }
    }
}

/// A connection that can be asked to end after the requests it has.
trait Graceful: Future<Output = hyper::Result<()>> {
    fn finish(self: Pin<&mut Self>);
}

impl<S> Graceful for http1::UpgradeableConnection<TokioIo<Tap>, S>
where
    S: Service<Request<Incoming>, Response = Response<ResponseBody>, Error = Infallible>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S> Graceful for http2::Connection<TokioIo<Tap>, S, LocalExec>
where
    S: Service<Request<Incoming>, Response = Response<ResponseBody>, Error = Infallible>,
    S::Future: 'static,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
