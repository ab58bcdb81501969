//! One span from its first to its last moment: opened when a request arrives or leaves, recorded exactly once.

use std::cell::Cell;
use std::rc::Rc;

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};

use crate::entry::caller::Busy;
use crate::grpc::{self, Code};
use crate::reasons::Reason;
use crate::recording::clock::{Nanos, micros};
use crate::recording::otlp::Attributes;
use crate::recording::record::{Encoded, Kind, Record, Text};
use crate::recording::slots::Call;
use crate::recording::tally::{Direction, Labels, Outcome};
use crate::recording::trace::Context;
use crate::runtime::worker::Worker;
use crate::runtime::workload::Workload;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::forward::Departure;

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
        let record = Record {
            kind,
            trace: opening.context.trace,
            span,
            parent: opening.context.parent,
            flags: opening.context.flags,
            attempt: 1,
            method: method_name(opening.method),
            version: version_name(opening.version),
            status: 0,
            grpc: None,
            reason: None,
            epoch: worker.plan().epoch,
            start_unix: worker.clock.unix(started),
            end_unix: 0,
            queue_us: None,
            connect_us: None,
            first_byte_us: None,
            children: None,
            peer: opening.peer,
            also: opening.also,
            note: None,
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

    /// What the head or the trailers of a gRPC answer say of its end.
    pub fn told(&mut self, headers: &HeaderMap) {
        if self.call_of_grpc
            && let Some(code) = Code::of(headers)
        {
            self.record.grpc = Some(code);
        }
    }

    /// The reason that another proxy gave at the end of its answer.
    pub fn explain(&mut self, reason: Option<Reason>) {
        self.record.reason = reason.or(self.record.reason);
    }

    #[must_use]
    pub fn is_call(&self) -> bool {
        self.call_of_grpc
    }

    /// The mesh gives the answer that the configuration tells it to.
    pub fn answer(mut self, status: u16, reason: Reason) {
        self.answered(status, Some(reason));
        self.worker.totals.refuse(reason);
        self.land();
    }

    /// The same for a gRPC call.
    pub fn answer_call(mut self, code: Code, reason: Reason) {
        self.record.grpc = Some(code);
        self.answer(200, reason);
    }

    /// The mesh answers in the callee's place; a client span has no response then, a server span has this one.
    pub fn refuse(mut self, reason: Reason) {
        if self.record.kind == Kind::Server && reason != Reason::ClientCancelled {
            self.record.status = if self.call_of_grpc {
                200
            } else {
                reason.status().as_u16()
            };
        }
        self.worker.totals.refuse(reason);
        self.fail(reason);
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
        self.busy = other.busy.take().or(self.busy.take());
        self.counted |= std::mem::take(&mut other.counted);
        self.attempts.set(self.attempts().max(other.attempts()));
    }

    /// The span of an attempt that does not count ends.
    pub fn close(mut self, reason: Option<Reason>) {
        self.record.reason = reason.or(self.record.reason);
        self.end();
    }

    /// The response is complete, unless its connection was cut before it got so far.
    pub fn land(mut self) {
        self.record.reason = self.why_cut().or(self.record.reason);
        self.end();
    }

    /// The request ends without a complete response.
    pub fn fail(mut self, reason: Reason) {
        self.record.reason = Some(reason);
        self.end();
    }

    fn end(&mut self) {
        self.ended = true;
        let now = self.worker.clock.now();
        self.record.end_unix = self.worker.clock.unix(now);
        if let Some(departure) = self.departure.get() {
            self.record.queue_us = Some(departure.queue_us);
            self.record.connect_us = departure.connect_us;
        }
        if self.call_of_grpc && self.record.grpc.is_none() {
            let Record { status, reason, .. } = self.record;
            self.record.grpc = Some(Code::concluded(status, reason));
        }
        let (status, reason) = (self.record.outcome(), self.record.reason);
        if let Some(call) = self.call.take() {
            let answered = status != 0 && status < 500;
            call.end(now, !answered && reason != Some(Reason::ClientCancelled));
        }
        if let Some(slot) = self.slot.take() {
            self.record.children = Some(self.worker.slots.close(slot, now));
        }
        if self.counted {
            let direction = match self.record.kind {
                Kind::Server => Direction::Inbound,
                Kind::Client => Direction::Outbound,
            };
            let class = u8::try_from(self.record.told() / 100).unwrap_or(0);
            let outcome = Outcome {
                direction,
                class,
                reason,
            };
            self.worker.tally.add(
                &self.workload.identity,
                &self.labels,
                outcome,
                micros(self.request_started, now),
            );
        }
        let host = self
            .host
            .as_ref()
            .and_then(|host| host.to_str().ok())
            .unwrap_or("");
        let authority = self
            .uri
            .authority()
            .map_or(host, http::uri::Authority::as_str);
        self.worker.record(
            &self.record,
            Text {
                path: self.uri.path(),
                authority,
                route: &self.labels.route,
            },
            &self.workload.identity,
        );
    }

    fn why_dropped(&self) -> Reason {
        if self.worker.cut_off.get() {
            return Reason::Draining;
        }
        self.why_cut().unwrap_or(Reason::ClientCancelled)
    }

    fn why_cut(&self) -> Option<Reason> {
        self.busy.as_ref()?.conduct.why_cut()
    }

    /// The request's connection speaks another protocol from here on.
    pub fn switch(&self) {
        if let Some(busy) = &self.busy {
            busy.conduct.switch();
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.ended {
            self.record.reason = Some(self.why_dropped());
            self.end();
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
