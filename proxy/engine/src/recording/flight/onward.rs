//! A request that a gateway carries on: the span with which it came in ends as that of its call does.

use std::rc::Rc;

use super::{Flight, Opening};
use crate::entry::caller::Busy;
use crate::reasons::Reason;
use crate::recording::clock::{Nanos, micros};
use crate::recording::record::Record;
use crate::runtime::worker::Worker;

impl Flight {
    /// The call that the request of `entry` becomes; `opening` holds what `entry` has let go of.
    pub fn onward(worker: &Rc<Worker>, opening: Opening<'_>, entry: Self, started: Nanos) -> Self {
        let call = worker.all_slots.begin_call(entry.span(), started);
        let mut flight = Self::client(worker, opening, started, call);
        flight.entry = Some(Box::new(entry));
        flight
    }

    /// The hold on the caller's connection, for the call that the request becomes.
    pub fn let_go(&mut self) -> Busy {
        self.busy.take().expect("held until it becomes a call")
    }

    /// Ends as the call has ended that the request became.
    pub(super) fn end_as(mut self: Box<Self>, call: &Record, called: Nanos) {
        let waited = micros(self.started, called);
        let record = &mut self.record;
        record.status = match (call.status, call.reason) {
            (0, Some(Reason::ClientCancelled | Reason::Draining) | None) => 0,
            (0, Some(_)) if self.call_of_grpc => 200,
            (0, Some(reason)) => reason.status().as_u16(),
            (status, _) => status,
        };
        record.grpc = call.grpc;
        record.reason = call.reason;
        record.first_byte_us = call.first_byte_us.map(|after| waited + after);
        self.end();
    }
}
