//! What is known of one finished request: plain values, encoded later and elsewhere.

use std::sync::Arc;

use crate::grpc::Code;
use crate::reasons::Reason;
use crate::recording::slots::Children;
use crate::recording::tunnel::Facts;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Server,
    Client,
}

/// Attributes already encoded as OTLP, shared by every record of one connection or one peer.
pub type Encoded = Arc<[u8]>;

/// One span, without its text.
#[derive(Clone, Debug)]
pub struct Record {
    pub kind: Kind,
    pub trace: u128,
    pub span: u64,
    /// 0 when the span has no parent.
    pub parent: u64,
    pub flags: u8,
    pub attempt: u8,
    pub method: &'static str,
    pub version: &'static str,
    /// Whether who asked did so by `https`.
    pub https: bool,
    /// 0 when there was no response.
    pub status: u16,
    /// How a gRPC call ended; `None` for other requests.
    pub grpc: Option<Code>,
    pub reason: Option<Reason>,
    pub epoch: u64,
    pub start_unix: u64,
    pub end_unix: u64,
    pub queue_us: Option<u64>,
    pub connect_us: Option<u64>,
    pub tls_us: Option<u64>,
    pub first_byte_us: Option<u64>,
    pub children: Option<Children>,
    pub peer: Option<Encoded>,
    /// More attributes: of the connection it came by, or of the route it takes.
    pub also: Option<Encoded>,
    /// What was done to this request and not to others.
    pub note: Option<Encoded>,
    /// Of a tunnel; a request has none.
    pub tunnel: Option<Arc<Facts>>,
}

impl Record {
    /// An ordinary client span.
    #[cfg(test)]
    pub fn sample() -> Self {
        Self {
            kind: Kind::Client,
            trace: 1,
            span: 2,
            parent: 3,
            flags: 1,
            attempt: 1,
            method: "GET",
            version: "1.1",
            https: false,
            status: 200,
            grpc: None,
            reason: None,
            epoch: 1,
            start_unix: 10,
            end_unix: 20,
            queue_us: None,
            connect_us: None,
            tls_us: None,
            first_byte_us: None,
            children: None,
            peer: None,
            also: None,
            note: None,
            tunnel: None,
        }
    }

    /// The HTTP status that tells how the request ended: of a gRPC call, the one that means the same as its code. 0 when
    /// there was no response.
    #[must_use]
    pub fn outcome(&self) -> u16 {
        match self.grpc {
            Some(code) if self.status != 0 => code.http(),
            _ => self.status,
        }
    }

    /// The status the caller saw, also where the mesh answered in the callee's place; 0 when there was none to see.
    #[must_use]
    pub fn told(&self) -> u16 {
        match (self.outcome(), self.reason) {
            (0, Some(Reason::ClientCancelled | Reason::Draining) | None) => 0,
            (0, Some(reason)) => reason.status().as_u16(),
            (status, _) => status,
        }
    }

    /// The record to be kept, once its span has ended; what it shared with others goes along.
    #[must_use]
    pub fn take(&mut self) -> Self {
        Self {
            peer: self.peer.take(),
            also: self.also.take(),
            note: self.note.take(),
            tunnel: self.tunnel.take(),
            ..*self
        }
    }

    /// From its first moment to its last.
    #[must_use]
    pub fn whole_us(&self) -> u64 {
        self.end_unix.saturating_sub(self.start_unix) / 1_000
    }

    /// From the first byte of the response to its last; `None` when there was no response.
    #[must_use]
    pub fn body_us(&self) -> Option<u64> {
        Some(self.whole_us().saturating_sub(self.first_byte_us?))
    }
}

/// The text of one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text<'a> {
    pub path: &'a str,
    pub authority: &'a str,
    pub route: &'a str,
}
