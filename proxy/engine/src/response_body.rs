//! The body of a response on its way to the caller, frame by frame, trailers included; nothing is gathered.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::flight::Flight;
use crate::forward::Lease;
use crate::reasons::Reason;

pub enum ResponseBody {
    Empty,
    /// What the mesh itself says.
    Text(Option<Bytes>),
    Stream(Box<Carried>),
}

/// A response being read: its end is the end of the span, and of the hold on the connection.
pub struct Carried {
    body: Incoming,
    lease: Option<Lease>,
    flight: Option<Flight>,
    /// What it means when the response breaks off.
    broken: Reason,
}

// === impl ResponseBody ===

impl From<String> for ResponseBody {
    fn from(text: String) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Text(text) => Poll::Ready(text.take().map(Frame::data).map(Ok)),
            Self::Stream(carried) => carried.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => text.is_none(),
            Self::Stream(carried) => carried.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64),
            Self::Stream(carried) => carried.body.size_hint(),
        }
    }
}

// === impl Carried ===

impl Carried {
    /// Ends the span at once when there is no body to wait for.
    #[must_use]
    pub fn response(body: Incoming, lease: Lease, flight: Flight, broken: Reason) -> ResponseBody {
        let mut carried = Self {
            body,
            lease: Some(lease),
            flight: Some(flight),
            broken,
        };
        if carried.body.is_end_stream() {
            carried.end();
            return ResponseBody::Empty;
        }
        ResponseBody::Stream(Box::new(carried))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.end(),
            Some(Err(_)) => self.break_off(self.broken),
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn end(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
        if let Some(flight) = self.flight.take() {
            flight.land();
        }
    }

    fn break_off(&mut self, reason: Reason) {
        self.lease = None;
        if let Some(flight) = self.flight.take() {
            flight.fail(reason);
        }
    }
}

impl Drop for Carried {
    /// A body of known length is not always polled past its last byte.
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.end();
        }
        // Otherwise the caller left: dropping the flight says so.
    }
}
