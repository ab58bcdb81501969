//! Sends one request over one connection to an endpoint and waits for the response to begin.
//!
//! In: a request whose headers are ready for the next hop. Out: its response and the hold on the connection, or why there
//! is none. Never: a request sent twice when the endpoint may have acted on it, unless repeating it is safe.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use tokio::time::{Instant, timeout};

use crate::reasons::Reason;
use crate::recording::clock::{Clock, micros};
use crate::tls::refusal::Refusal;
use crate::upstream::connect::{self, Bounds, Connection, connect};
use crate::upstream::endpoint::Endpoint;
use crate::upstream::hop::{for_http1, for_http2};
use crate::upstream::pool::Sender;
use crate::upstream::progress::Progress;
use crate::upstream::request_body::RequestBody;
use crate::upstream::spare::spare;
use crate::upstream::strict;

/// What one exchange may take.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub connect: Bounds,
    pub first_byte: Duration,
    pub pool_idle: usize,
    /// The request asks to switch protocols, which HTTP/2 connections cannot do.
    pub upgrade: bool,
}

/// The hold on a connection while its response is being read.
pub struct Lease {
    endpoint: Rc<Endpoint>,
    sender: Option<Sender>,
    /// Of the pool when the connection was taken.
    generation: u32,
    clock: Clock,
    pool_idle: usize,
}

/// A response that has begun.
pub struct Answer {
    pub response: Response<Incoming>,
    pub lease: Lease,
}

/// Why no response began.
pub enum Failure {
    /// Nothing was sent: the request may go elsewhere.
    Connect(connect::Failure, Box<Request<RequestBody>>),
    Timeout,
    Reset,
    /// The response is malformed or can be read in two ways.
    Unsound,
    /// One of the two ends does not believe the other any more.
    Distrust(Refusal),
    /// The caller's body broke off, or could not be read.
    Caller(Reason),
}

/// How long the way to the first byte on the wire took.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_field_names, reason = "each has its unit")]
pub struct Departure {
    pub queue_us: u64,
    pub connect_us: Option<u64>,
    /// Of the time to connect, what it took to encrypt.
    pub tls_us: Option<u64>,
}

/// Sends a request and waits for its response; `departed` hears when it is on its way.
pub async fn exchange(
    endpoint: &Rc<Endpoint>,
    mut request: Request<RequestBody>,
    terms: Terms,
    clock: Clock,
    mut departed: impl FnMut(Departure),
) -> Result<Answer, Failure> {
    let asked = clock.now();
    let mut lease = Lease::new(endpoint, clock, terms.pool_idle);
    let mut fresh = false;
    loop {
        let pooled = if fresh { None } else { take(endpoint, terms) };
        let reused = pooled.is_some();
        let (sender, departure) = match pooled {
            Some(sender) => (sender, Departure::default()),
            None => match open(endpoint, terms, clock).await {
                Ok((opened, connect_us)) => {
                    let departure = Departure {
                        queue_us: micros(asked, clock.now()),
                        connect_us: Some(connect_us),
                        tls_us: opened.tls_us,
                    };
                    (opened.sender, departure)
                }
                Err(failure) => return Err(Failure::Connect(failure, Box::new(request))),
            },
        };
        departed(departure);
        let spare = if reused { spare(&request) } else { None };
        fresh = true;
        match send(sender, &mut lease, request, terms.first_byte).await {
            Ok(response) => {
                return Ok(Answer { response, lease });
            }
            Err(Unsent::Timeout) => return Err(Failure::Timeout),
            Err(Unsent::Caller(reason)) => return Err(Failure::Caller(reason)),
            Err(Unsent::Unsound) => return Err(Failure::Unsound),
            Err(Unsent::Distrust(refusal)) => return Err(Failure::Distrust(refusal)),
            // A kept connection may close just as it is used; then, and only then, a fresh one gets it, once.
            Err(Unsent::Intact(intact)) if reused => request = *intact,
            Err(_) => match spare {
                Some(again) => request = again,
                None => return Err(Failure::Reset),
            },
        }
    }
}

fn take(endpoint: &Endpoint, terms: Terms) -> Option<Sender> {
    if terms.upgrade {
        return endpoint.pool.take_http1().map(Sender::Http1);
    }
    endpoint.pool.take()
}

async fn open(
    endpoint: &Rc<Endpoint>,
    terms: Terms,
    clock: Clock,
) -> Result<(Connection, u64), connect::Failure> {
    let start = clock.now();
    let _pending = endpoint.opening();
    let opened = connect(endpoint, terms.connect, terms.upgrade).await?;
    Ok((opened, micros(start, clock.now())))
}

enum Unsent {
    Timeout,
    Unsound,
    Distrust(Refusal),
    Caller(Reason),
    /// Not one byte of it left.
    Intact(Box<Request<RequestBody>>),
    Broken,
}

async fn send(
    sender: Sender,
    lease: &mut Lease,
    mut request: Request<RequestBody>,
    limit: Duration,
) -> Result<Response<Incoming>, Unsent> {
    let progress = request.body().progress();
    let answer = match sender {
        Sender::Http1(mut sender) => {
            for_http1(&mut request, lease.endpoint.host.as_ref());
            let answer = wait(sender.try_send_request(request), progress.as_deref(), limit).await;
            lease.sender = Some(Sender::Http1(sender));
            answer
        }
        Sender::Http2(mut sender) => {
            for_http2(&mut request, lease.endpoint.begins_tls());
            let answer = wait(sender.try_send_request(request), progress.as_deref(), limit).await;
            lease.sender = Some(Sender::Http2(sender));
            answer
        }
    };
    match (answer, progress.and_then(|progress| progress.broken())) {
        (Some(Ok(response)), _) if strict::is_ambiguous(&response) => Err(Unsent::Unsound),
        (Some(Ok(response)), _) => Ok(response),
        (_, Some(reason)) => Err(Unsent::Caller(reason)),
        (Some(Err(error)), None) => Err(unsent(error)),
        (None, None) => Err(Unsent::Timeout),
    }
}

/// Waits for the response to begin; the time counts from the last piece of the request that was sent.
async fn wait<T>(
    response: impl Future<Output = T>,
    progress: Option<&Progress>,
    limit: Duration,
) -> Option<T> {
    let mut response = pin!(response);
    let mut left = progress.map_or(limit, |progress| limit.min(progress.period()));
    loop {
        if let Ok(answer) = timeout(left, &mut response).await {
            return Some(answer);
        }
        left = progress?.left(Instant::now(), limit);
        if left.is_zero() {
            return None;
        }
    }
}

fn unsent(mut error: TrySendError<Request<RequestBody>>) -> Unsent {
    if let Some(refusal) = Refusal::cause_of(error.error()) {
        return Unsent::Distrust(refusal);
    }
    match error.take_message() {
        Some(request) => Unsent::Intact(Box::new(request)),
        None if error.error().is_parse() => Unsent::Unsound,
        None => Unsent::Broken,
    }
}

// === impl Lease ===

impl Lease {
    fn new(endpoint: &Rc<Endpoint>, clock: Clock, pool_idle: usize) -> Self {
        endpoint.enter();
        Self {
            endpoint: Rc::clone(endpoint),
            sender: None,
            generation: endpoint.pool.generation(),
            clock,
            pool_idle,
        }
    }

    /// Returns the connection for reuse; without this it closes.
    pub fn give_back(mut self) {
        if let Some(Sender::Http1(sender)) = self.sender.take() {
            self.endpoint
                .pool
                .give(sender, self.generation, self.clock.now(), self.pool_idle);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.endpoint.leave();
    }
}
