//! What is particular to gRPC calls: their end is told in trailers, or at once in the head of the answer.

use http::HeaderMap;

use super::Flight;
use crate::grpc::Code;
use crate::reasons::Reason;
use crate::recording::record::Record;

impl Flight {
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

    /// The same for a gRPC call.
    pub fn answer_call(mut self, code: Code, reason: Reason) {
        self.record.grpc = Some(code);
        self.answer(200, reason);
    }

    /// A call that came to its end without saying how is given a code.
    pub(super) fn conclude(&mut self) {
        if self.call_of_grpc && self.record.grpc.is_none() {
            let Record { status, reason, .. } = self.record;
            self.record.grpc = Some(Code::concluded(status, reason));
        }
    }
}
