//! One accepted connection: which protocol it speaks, its requests one by one, and when and how it ends.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use http::header::{CONNECTION, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::{Instant, sleep, timeout};

use crate::entry::caller::{Caller, Known, Presence};
use crate::entry::conduct::Conduct;
use crate::entry::cut::{Cut, uncut};
use crate::entry::detect::Detected;
use crate::entry::entrance::{Closing, Entrance};
use crate::entry::limits::Limits;
use crate::entry::paced::{Paced, Streams};
use crate::entry::secure::Secured;
use crate::entry::tap::Tap;
use crate::entry::way::Way;
use crate::entry::wire::Wire;
use crate::entry::{detect, farewell};
use crate::grpc::is_call;
use crate::reasons::Reason;
use crate::routing::targets::Meant;
use crate::routing::{gateway, inbound, outbound};
use crate::runtime::caught::Caught;
use crate::runtime::worker::Worker;
use crate::upstream::answer::{answer, for_call};
use crate::upstream::response_body::ResponseBody;

/// Room for requests that come before the answer to the first, beside one head.
const READ_AHEAD: usize = 16_384;
/// Headers that hyper parses without an allocation; it needs to be told of more.
const HYPER_HEADERS: usize = 100;
/// Streams one connection may have reset before they were looked at, and because of its own errors.
const PENDING_RESETS: usize = 20;
const ERROR_RESETS: usize = 256;
/// Bytes of a response that wait for the reader, a stream.
const SEND_BUFFER: usize = 65_536;

/// A connection as far as it has been read.
pub struct Accepted {
    pub stream: Wire,
    pub held: BytesMut,
    pub remote: SocketAddr,
    pub presence: Rc<Presence>,
    pub entrance: Rc<Entrance>,
    /// What it speaks, where that was not declared to be HTTP.
    pub detected: Option<Detected>,
    pub meant: Meant,
    pub secured: Secured,
}

impl Accepted {
    /// What it speaks, if that is not HTTP.
    #[must_use]
    pub fn opaque(&self) -> Option<Detected> {
        self.detected
            .clone()
            .filter(|detected| !detected.protocol.is_http())
    }
}

/// Serves a connection until it ends, or until its last response once the entrance closes.
pub async fn serve(worker: Rc<Worker>, accepted: Accepted) {
    let Accepted {
        mut stream,
        held,
        remote,
        presence,
        entrance,
        detected,
        meant,
        secured,
    } = accepted;
    let mut closing = entrance.closing();
    let limits = worker.plan().limits;
    let conduct = Conduct::new();
    let read = tokio::select! {
        read = timeout(limits.idle, detect::http(&mut stream, held)) => read,
        () = closing.ends() => return,
    };
    // Nothing was asked: a connection that opens and says nothing needs no answer.
    let Ok(Ok(held)) = read else { return };
    let tap = Tap::new(stream, held, &limits, Arc::clone(&conduct));
    let requests = Rc::clone(&worker.requests);
    let known = Known {
        meant,
        detected,
        secured,
    };
    let caller = Caller::new(
        remote,
        Arc::clone(&conduct),
        requests,
        presence,
        entrance,
        known,
    );
    let ended = if tap.is_http2() {
        speak_http2(&worker, &caller, tap, &limits, closing).await
    } else {
        speak_http1(&worker, &caller, tap, &limits, closing).await
    };
    let broken = ended.is_err();
    if ended.is_err_and(|error| is_flood(&error)) {
        conduct.cut(Reason::FrameFlood);
    }
    if let Some(reason) = conduct.why_cut() {
        worker.totals.refuse(reason);
    }
    let Some(mut remains) = conduct.remains() else {
        return;
    };
    if let Some(fault) = remains.farewell
        && conduct.why_cut() != Some(fault.reason)
    {
        worker.totals.refuse(fault.reason);
    }
    // The protocol may have said why it broke, and more may be coming that it did not read.
    remains.unread |= broken;
    farewell::say(remains).await;
}

async fn speak_http1(
    worker: &Rc<Worker>,
    caller: &Rc<Caller>,
    tap: Tap,
    limits: &Limits,
    closing: Closing,
) -> hyper::Result<()> {
    let service = service_fn(|request: Request<Incoming>| respond(worker, caller, request));
    let mut builder = http1::Builder::new();
    builder.max_buf_size(limits.head.bytes + READ_AHEAD);
    if limits.head.headers > HYPER_HEADERS {
        builder.max_headers(limits.head.headers);
    }
    let connection = builder
        .serve_connection(TokioIo::new(tap), service)
        .with_upgrades();
    until_idle(connection, caller, worker, closing).await
}

async fn speak_http2(
    worker: &Rc<Worker>,
    caller: &Rc<Caller>,
    tap: Tap,
    limits: &Limits,
    closing: Closing,
) -> hyper::Result<()> {
    let streams = Streams::new(
        Rc::clone(caller),
        Arc::clone(&worker.totals),
        limits.patience.reader,
    );
    let service = service_fn(|request: Request<Incoming>| {
        // The answer of a stream passes through many hands before it has a task: better a pointer than kilobytes.
        streams.asked(Box::pin(respond(worker, caller, request)))
    });
    let mut builder = http2::Builder::new(streams.clone());
    // Up to twice the limit is read, so that what is too much can be answered with its reason.
    let header_list = u32::try_from(limits.head.bytes.saturating_mul(2)).unwrap_or(u32::MAX);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(header_list)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(ERROR_RESETS)
        .max_send_buf_size(SEND_BUFFER);
    until_idle(
        builder.serve_connection(TokioIo::new(tap), service),
        caller,
        worker,
        closing,
    )
    .await
}

/// Answers one request; a defect of the proxy that shows in it is its own affair.
fn respond(
    worker: &Rc<Worker>,
    caller: &Rc<Caller>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<ResponseBody>, Cut>> + 'static {
    let (worker, caller) = (Rc::clone(worker), Rc::clone(caller));
    let answering = caller.conduct.answering();
    let call = is_call(request.version(), request.headers());
    let tells = request.version() != Version::HTTP_2 && request.method() != Method::CONNECT;
    async move {
        let _answering = answering;
        let totals = Arc::clone(&worker.totals);
        let asker = Rc::clone(&caller);
        let response = match caller.way() {
            Way::Inbound => Caught::new(inbound::serve(worker, caller, request), &totals).await,
            Way::Door(_) => Caught::new(gateway::serve(worker, caller, request), &totals).await,
            Way::Outbound | Way::Listener(_) => {
                Caught::new(outbound::serve(worker, caller, request), &totals).await
            }
        };
        let mut response =
            response.unwrap_or_else(|| answer(Reason::InternalError, "a defect of the proxy"));
        if tells && asker.is_ending() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        uncut(if call { for_call(response) } else { response })
    }
}

/// Whether the parser of HTTP/2 ended the connection because of a flood (RFC 9113, 10.5).
fn is_flood(error: &hyper::Error) -> bool {
    let cause = error
        .source()
        .and_then(|source| source.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| {
        cause.is_library() && cause.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM)
    })
}

/// Drives a connection; ends it when it has begun no request for the idle time and none is in flight. A caller whose
/// certificate ends meanwhile is told that its requests under way are the last, over HTTP/1 with its next answer.
async fn until_idle<C: Graceful>(
    connection: C,
    caller: &Caller,
    worker: &Worker,
    mut closing: Closing,
) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    let mut watch = pin!(sleep(worker.plan().limits.idle));
    let proved_for = caller.proved_for();
    let mut expiry = pin!(sleep(proved_for.unwrap_or_default()));
    let mut seen = 0;
    let mut stay = Stay::Open;
    loop {
        tokio::select! {
            biased;
            ended = &mut connection => return ended,
            () = &mut watch => {
                let (begun, busy) = caller.activity();
                if stay == Stay::LastCall {
                    stay = Stay::Over;
                    connection.as_mut().finish();
                } else if begun == seen && !busy {
                    return Ok(());
                }
                seen = begun;
                watch.as_mut().reset(Instant::now() + worker.plan().limits.idle);
            }
            () = &mut expiry, if proved_for.is_some() && !caller.is_parting() => {
                caller.part();
                if C::SAYS_GOODBYE {
                    stay = Stay::Over;
                    connection.as_mut().finish();
                }
            }
            moment = closing.begins(), if stay == Stay::Open => {
                stay = Stay::LastCall;
                let moment = if C::SAYS_GOODBYE { Instant::now() } else { moment.into() };
                watch.as_mut().reset(moment);
            }
        }
    }
}

/// How long a connection goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stay {
    Open,
    /// The next response of HTTP/1 is the last; without one it ends soon.
    LastCall,
    /// It ends after the requests it has.
    Over,
}

/// A connection that can be asked to end after the requests it has.
trait Graceful: Future<Output = hyper::Result<()>> {
    /// Whether the other end is told, and sends nothing that would be lost. HTTP/1 tells it with a response only.
    const SAYS_GOODBYE: bool;

    fn finish(self: Pin<&mut Self>);
}

impl<S> Graceful for http1::UpgradeableConnection<TokioIo<Tap>, S>
where
    S: Service<Request<Incoming>, Response = Response<ResponseBody>, Error = Cut>,
{
    const SAYS_GOODBYE: bool = false;

    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S> Graceful for http2::Connection<TokioIo<Tap>, S, Streams>
where
    S: Service<Request<Incoming>, Response = Response<Paced>, Error = Cut>,
    S::Future: 'static,
{
    const SAYS_GOODBYE: bool = true;

    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
