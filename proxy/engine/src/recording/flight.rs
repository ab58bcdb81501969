//! One span from its first to its last moment: opened when a request arrives or leaves, recorded exactly once.

use std::cell::Cell;
use std::rc::Rc;

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};

use crate::entry::caller::Busy;
use crate::grpc;
use crate::reasons::Reason;
use crate::recording::clock::{Nanos, micros};
use crate::recording::otlp::Attributes;
use crate::recording::record::{Encoded, Kind, Record};
use crate::recording::slots::Call;
use crate::recording::tally::Labels;
use crate::recording::trace::Context;
use crate::runtime::worker::Worker;
use crate::runtime::workload::Workload;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::forward::Departure;

mod call;
mod end;
mod onward;

/// What both kinds of span know from the start.
pub struct Opening<'a> {
    pub method: &'a Method,
    pub version: Version,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
    pub context: Context,
    pub peer: Option<Encoded>,
    /// More attributes: of the connection it came by, or of the route it takes.
    pub also: Option<Encoded>,
    /// Of the request's counters; the route is also on its span.
    pub labels: Labels,
    pub busy: Busy,
}

/// A span in progress. Dropped without an end, it says that the caller left (or that the proxy stopped).
pub struct Flight {
    worker: Rc<Worker>,
    workload: Rc<Workload>,
    record: Record,
    started: Nanos,
    /// When the request began; attempts after the first start later.
    request_started: Nanos,
    uri: Uri,
    host: Option<HeaderValue>,
    labels: Labels,
    slot: Option<u16>,
    call: Option<Call>,
    /// The span of the request to a gateway that this call carries on.
    entry: Option<Box<Self>>,
    /// Keeps the caller's connection from being taken for idle.
    busy: Option<Busy>,
    /// The reason unless another one turns up.
    presumed: Option<Reason>,
    /// Attempts of the request so far, as far as this one knows.
    attempts: Cell<u8>,
    departure: Cell<Option<Departure>>,
    /// Whether it is a gRPC call, whose end is told in trailers.
    call_of_grpc: bool,
    /// Whether this span's end is the end of its request; an attempt that is followed by another is not.
    counted: bool,
    ended: bool,
}

// === impl Flight ===

impl Flight {
    /// A request that arrived. Its span id leads calls of the application back to it.
    pub fn server(worker: &Rc<Worker>, opening: Opening<'_>, started: Nanos) -> Self {
        let (span, slot) = match worker.slots.open(worker.random()) {
            Ok((span, slot)) => (span, Some(slot)),
            Err(span) => (span, None),
        };
        let mut flight = Self::new(worker, Kind::Server, opening, span, started);
        flight.slot = slot;
        flight
    }

    /// A request that leaves.
    pub fn client(
        worker: &Rc<Worker>,
        opening: Opening<'_>,
        started: Nanos,
        call: Option<Call>,
    ) -> Self {
        let mut flight = Self::new(
            worker,
            Kind::Client,
            opening,
            worker.random().max(1),
            started,
        );
        flight.call = call;
        flight
    }

    fn new(
        worker: &Rc<Worker>,
        kind: Kind,
        opening: Opening<'_>,
        span: u64,
        started: Nanos,
    ) -> Self {
        let plan = worker.plan();
        // Whoever calls for somebody else leaves it to that request's span.
        let first = kind == Kind::Server || opening.context.parent == 0;
        let named = plan.request_id.as_ref().filter(|_| first);
        let id = named.and_then(|name| name.read(opening.headers));
        let record = Record {
            kind,
            trace: opening.context.trace,
            span,
            parent: opening.context.parent,
            flags: opening.context.flags,
            attempt: 1,
            method: method_name(opening.method),
            version: version_name(opening.version),
            https: kind == Kind::Server && opening.busy.scheme == "https",
            status: 0,
            grpc: None,
            reason: None,
            epoch: plan.epoch,
            start_unix: worker.clock.unix(started),
            end_unix: 0,
            queue_us: None,
            connect_us: None,
            tls_us: None,
            first_byte_us: None,
            children: None,
            peer: opening.peer,
            also: opening.also,
            note: id.map(|id| id.bytes().into()),
            tunnel: None,
        };
        Self {
            worker: Rc::clone(worker),
            workload: opening.busy.workload(),
            record,
            started,
            request_started: started,
            uri: opening.uri.clone(),
            host: opening.headers.get(HOST).cloned(),
            labels: opening.labels,
            slot: None,
            call: None,
            entry: None,
            busy: Some(opening.busy),
            presumed: None,
            attempts: Cell::new(1),
            departure: Cell::default(),
            call_of_grpc: grpc::is_call(opening.version, opening.headers),
            counted: true,
            ended: false,
        }
    }

    #[must_use]
    pub fn span(&self) -> u64 {
        self.record.span
    }

    /// The service at the other end; empty when it is not known.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.labels.peer
    }

    /// The endpoint that was chosen.
    pub fn to(&mut self, endpoint: &Endpoint) {
        self.record.peer = Some(Encoded::clone(&endpoint.attributes));
        self.labels.version = Rc::clone(&endpoint.version);
    }

    /// The reason of a response that comes without one.
    pub fn presume(&mut self, reason: Reason) {
        self.presumed = Some(reason);
    }

    /// The caller of this request waits for so long; its own calls learn of it.
    pub fn expect(&self, deadline: Nanos) {
        if let Some(slot) = self.slot {
            self.worker.slots.expect(slot, deadline);
        }
    }

    /// For how long the caller of the request waits that this call belongs to.
    #[must_use]
    pub fn expected(&self) -> Option<Nanos> {
        self.call.as_ref()?.deadline()
    }

    /// Attributes of this span only.
    pub fn note(&mut self, attributes: &Attributes) {
        let before = self.record.note.as_deref().unwrap_or_default();
        self.record.note = Some([before, attributes.bytes()].concat().into());
    }

    /// Time spent before the request was on its way.
    pub fn sent_after(&self, departure: Departure) {
        self.departure.set(Some(departure));
    }

    /// How many attempts there were, this one included.
    #[must_use]
    pub fn attempts(&self) -> u8 {
        self.attempts.get()
    }

    /// The response has begun.
    pub fn answered(&mut self, status: u16, reason: Option<Reason>) {
        self.record.status = status;
        self.record.reason = reason.or(self.presumed);
        self.record.first_byte_us = Some(micros(self.started, self.worker.clock.now()));
    }

    /// This attempt did not do and another follows: its span ends, the request and its place in the caller go on.
    #[must_use]
    pub fn again(mut self, reason: Option<Reason>) -> Self {
        let mut next = self.fork();
        next.take_over(&mut self);
        self.close(reason);
        next
    }

    /// One more attempt beside this one, which stays the one that counts.
    #[must_use]
    pub fn fork(&self) -> Self {
        let now = self.worker.clock.now();
        let attempt = self.attempts.get().saturating_add(1);
        self.attempts.set(attempt);
        Self {
            worker: Rc::clone(&self.worker),
            workload: Rc::clone(&self.workload),
            record: Record {
                span: self.worker.random().max(1),
                attempt,
                start_unix: self.worker.clock.unix(now),
                status: 0,
                grpc: None,
                reason: None,
                queue_us: None,
                connect_us: None,
                tls_us: None,
                first_byte_us: None,
                note: None,
                ..self.record.clone()
            },
            started: now,
            request_started: self.request_started,
            uri: self.uri.clone(),
            host: self.host.clone(),
            labels: self.labels.clone(),
            slot: None,
            call: None,
            entry: None,
            busy: None,
            presumed: None,
            attempts: Cell::new(attempt),
            departure: Cell::default(),
            call_of_grpc: self.call_of_grpc,
            counted: false,
            ended: false,
        }
    }

    /// This attempt is the one that counts from here on.
    pub fn take_over(&mut self, other: &mut Self) {
        self.call = other.call.take().or(self.call.take());
        self.entry = other.entry.take().or(self.entry.take());
        self.busy = other.busy.take().or(self.busy.take());
        self.counted |= std::mem::take(&mut other.counted);
        self.attempts.set(self.attempts().max(other.attempts()));
    }

    /// The request's connection speaks another protocol from here on.
    pub fn switch(&self) {
        if let Some(busy) = &self.busy {
            busy.conduct.switch();
        }
    }
}

/// The methods that the semantic conventions know; any other is `_OTHER`.
fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "CONNECT",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("_OTHER")
}

fn version_name(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}
