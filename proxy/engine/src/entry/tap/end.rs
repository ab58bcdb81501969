//! How a tapped connection ends: what its parser hears, and what its client is told.

use std::io;
use std::task::{Context, Poll};

use super::{Check, Tap, timer};
use crate::entry::conduct::Remains;
use crate::entry::fault::Fault;
use crate::entry::framing::Stop;
use crate::reasons::Reason;

/// Why nothing more is read.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// The client has closed its side.
    Closed,
    Stopped(Stop),
    Flood,
}

impl Tap {
    /// Nothing more is read; the parser hears so when the request that is being answered has its answer.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>, end: End) -> Poll<io::Result<()>> {
        if self.conduct.switched() {
            return match end {
                End::Closed => Poll::Ready(Ok(())),
                End::Stopped(_) | End::Flood => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            };
        }
        match end {
            End::Closed if self.between_requests() && self.owes_answer(cx) => {
                let limit = self.patience.half_closed;
                timer(&mut self.waiting, limit).as_mut().poll(cx).map(Ok)
            }
            End::Stopped(Stop::Withhold(_)) if self.owes_answer(cx) => Poll::Pending,
            End::Stopped(Stop::Withhold(_)) => {
                self.told = true;
                Poll::Ready(Ok(()))
            }
            End::Closed => Poll::Ready(Ok(())),
            End::Stopped(Stop::Answer(_)) => Poll::Pending,
            End::Stopped(Stop::Break(_)) => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            End::Flood => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
        }
    }

    fn between_requests(&self) -> bool {
        matches!(&self.check, Check::Http1(framing) if framing.between_requests())
    }

    /// Whether a request is being answered, or part of an answer is not sent; if so, looks again when it is not.
    fn owes_answer(&self, cx: &Context<'_>) -> bool {
        let busy = self.conduct.in_flight() > 0;
        if busy {
            self.conduct.await_idle(cx.waker());
        }
        busy || self.blocked.is_some()
    }

    /// What the client is told when its protocol has ended.
    pub(super) fn farewell(&self) -> Option<Fault> {
        match self.end? {
            End::Stopped(Stop::Withhold(fault)) if self.told => Some(fault),
            End::Flood => Some(Fault::new(
                Reason::FrameFlood,
                "more frames than limits.controlFrames",
            )),
            End::Closed | End::Stopped(_) => None,
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let farewell = self.farewell();
        let closed = matches!(self.end, Some(End::Closed));
        let (unread, sent) = match &self.check {
            Check::Http1(framing) => (
                !closed && (self.end.is_some() || !framing.between_requests()),
                None,
            ),
            Check::Http2 { sent, .. } => (false, Some(*sent)),
        };
        if let Some(stream) = self.stream.take() {
            self.conduct.leave(Remains {
                stream,
                farewell,
                unread,
                sent,
            });
        }
    }
}
