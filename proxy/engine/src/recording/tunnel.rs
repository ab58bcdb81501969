//! One tunnel from its first to its last byte: a span of its own, recorded exactly once, and its counters.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::entry::caller::Caller;
use crate::entry::detect::Detected;
use crate::reasons::Reason;
use crate::recording::clock::{Nanos, micros};
use crate::recording::otlp::Attributes;
use crate::recording::record::{Encoded, Kind, Record, Text};
use crate::recording::tally::Direction;
use crate::recording::trace::Context;
use crate::recording::tunnels::Counts;
use crate::runtime::worker::Worker;
use crate::runtime::workload::Workload;
use crate::upstream::forward::Departure;
use crate::upstream::splice::Flow;

/// What a record of a tunnel has beside that of a request.
#[derive(Clone, Debug)]
pub struct Facts {
    pub detected: Detected,
    /// Of the connection to the callee: what the callee's own span has as its peer.
    pub local: Option<SocketAddr>,
    pub sent: u64,
    pub received: u64,
}

/// A tunnel in progress. Dropped without an end, it was cut off.
pub struct Tunnel {
    worker: Rc<Worker>,
    workload: Rc<Workload>,
    record: Record,
    facts: Facts,
    started: Nanos,
    peer_name: Rc<str>,
    /// Where it was meant to go, as its caller said.
    asked: Box<str>,
    counts: Arc<Counts>,
    /// Keeps the worker from ending before it.
    caller: Rc<Caller>,
    counted: bool,
    ended: bool,
}

/// What is known of a tunnel when it opens.
pub struct Opening<'a> {
    pub kind: Kind,
    pub context: Context,
    pub caller: &'a Rc<Caller>,
    pub detected: Detected,
    pub peer: Option<Encoded>,
    pub peer_name: Rc<str>,
    pub asked: Box<str>,
    pub started: Nanos,
}

impl Tunnel {
    #[must_use]
    pub fn open(worker: &Rc<Worker>, opening: Opening<'_>) -> Self {
        let (direction, also) = match opening.kind {
            Kind::Server => (
                Direction::Inbound,
                Some(Encoded::clone(&opening.caller.attributes)),
            ),
            Kind::Client => (Direction::Outbound, None),
        };
        let protocol = opening.detected.protocol.name();
        let record = Record {
            kind: opening.kind,
            trace: opening.context.trace,
            span: worker.random().max(1),
            parent: opening.context.parent,
            flags: opening.context.flags,
            attempt: 1,
            method: "",
            version: "",
            https: false,
            status: 0,
            grpc: None,
            reason: None,
            epoch: worker.plan().epoch,
            start_unix: worker.clock.unix(opening.started),
            end_unix: 0,
            queue_us: None,
            connect_us: None,
            tls_us: None,
            first_byte_us: None,
            children: None,
            peer: opening.peer,
            also,
            note: None,
            tunnel: None,
        };
        let workload = opening.caller.workload();
        let key = (direction, &*opening.peer_name, protocol);
        let counts = worker.totals.tunnels.open(&workload.identity.node, key);
        Self {
            worker: Rc::clone(worker),
            workload,
            record,
            facts: Facts {
                detected: opening.detected,
                local: None,
                sent: 0,
                received: 0,
            },
            started: opening.started,
            peer_name: opening.peer_name,
            asked: opening.asked,
            counts,
            caller: Rc::clone(opening.caller),
            counted: true,
            ended: false,
        }
    }

    /// The endpoint that was chosen.
    pub fn to(&mut self, endpoint: Encoded) {
        self.record.peer = Some(endpoint);
    }

    /// Attributes of this span only.
    pub fn note(&mut self, attributes: &Attributes) {
        self.record.note = Some(attributes.bytes().into());
    }

    /// It is connected, from this address.
    pub fn connected(&mut self, local: Option<SocketAddr>, departure: Departure) {
        self.facts.local = local;
        self.record.queue_us = Some(departure.queue_us);
        self.record.connect_us = departure.connect_us;
        self.record.tls_us = departure.tls_us;
    }

    /// Bytes were passed on.
    pub fn moved(&mut self, flow: Flow, bytes: usize) {
        let bytes = bytes as u64;
        match flow {
            Flow::Sent => self.facts.sent += bytes,
            Flow::Received => {
                if self.facts.received == 0 {
                    let now = self.worker.clock.now();
                    self.record.first_byte_us = Some(micros(self.started, now));
                }
                self.facts.received += bytes;
            }
        }
        self.counts.moved(flow, bytes);
    }

    /// This attempt failed and another follows: its span ends, the tunnel goes on.
    #[must_use]
    pub fn again(mut self, reason: Reason) -> Self {
        let now = self.worker.clock.now();
        let next = Self {
            worker: Rc::clone(&self.worker),
            workload: Rc::clone(&self.workload),
            record: Record {
                span: self.worker.random().max(1),
                attempt: self.record.attempt.saturating_add(1),
                start_unix: self.worker.clock.unix(now),
                ..self.record.clone()
            },
            facts: self.facts.clone(),
            started: now,
            peer_name: Rc::clone(&self.peer_name),
            asked: self.asked.clone(),
            counts: Arc::clone(&self.counts),
            caller: Rc::clone(&self.caller),
            counted: true,
            ended: false,
        };
        self.counted = false;
        self.close(Some(reason));
        next
    }

    /// It was never carried.
    pub fn refuse(self, reason: Reason) {
        self.worker.totals.refuse(reason);
        self.close(Some(reason));
    }

    /// It has ended; without a reason, as its users wished.
    pub fn close(mut self, reason: Option<Reason>) {
        self.record.reason = reason;
        self.end();
    }

    fn end(&mut self) {
        self.ended = true;
        self.record.end_unix = self.worker.clock.unix(self.worker.clock.now());
        if self.counted {
            self.counts.end(self.record.reason);
        }
        self.record.tunnel = Some(Arc::new(self.facts.clone()));
        self.worker.record(
            self.record.take(),
            Text {
                path: &self.peer_name,
                authority: &self.asked,
                route: self.facts.detected.protocol.name(),
            },
            &self.workload.identity,
        );
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        if !self.ended {
            self.record.reason = Some(if self.worker.cut_off.get() {
                Reason::Draining
            } else {
                Reason::ClientCancelled
            });
            self.end();
        }
    }
}
