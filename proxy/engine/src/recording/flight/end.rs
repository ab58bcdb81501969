//! The end of a span, of whatever kind: it is counted, and recorded.

use super::Flight;
use crate::reasons::Reason;
use crate::recording::clock::{Nanos, micros};
use crate::recording::record::{Kind, Text};
use crate::recording::tally::{Direction, Outcome};

impl Flight {
    /// The mesh gives the answer that the configuration tells it to.
    pub fn answer(mut self, status: u16, reason: Reason) {
        self.answered(status, Some(reason));
        self.worker.totals.refuse(reason);
        self.land();
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

    pub(super) fn end(&mut self) {
        self.ended = true;
        let now = self.worker.clock.now();
        self.record.end_unix = self.worker.clock.unix(now);
        if let Some(departure) = self.departure.get() {
            self.record.queue_us = Some(departure.queue_us);
            self.record.connect_us = departure.connect_us;
            self.record.tls_us = departure.tls_us;
        }
        self.conclude();
        let (status, reason) = (self.record.outcome(), self.record.reason);
        if let Some(call) = self.call.take() {
            let answered = status != 0 && status < 500;
            call.end(now, !answered && reason != Some(Reason::ClientCancelled));
        }
        if let Some(slot) = self.slot.take() {
            self.record.children = Some(self.worker.slots.close(slot, now));
        }
        if self.counted {
            self.count(now);
        }
        if let Some(entry) = self.entry.take() {
            entry.end_as(&self.record, self.started);
        }
        self.keep();
    }

    fn count(&self, now: Nanos) {
        let direction = match self.record.kind {
            Kind::Server => Direction::Inbound,
            Kind::Client => Direction::Outbound,
        };
        let class = u8::try_from(self.record.told() / 100).unwrap_or(0);
        let outcome = Outcome {
            direction,
            class,
            reason: self.record.reason,
        };
        self.worker.tally.add(
            &self.workload.identity,
            &self.labels,
            outcome,
            micros(self.request_started, now),
        );
    }

    fn keep(&mut self) {
        let record = self.record.take();
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
            record,
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
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.ended {
            self.record.reason = Some(self.why_dropped());
            self.end();
        }
    }
}
