//! The body of a response on its way to the caller, frame by frame, trailers included; nothing is gathered.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use crate::entry::limits::Limits;
use crate::reasons::Reason;
use crate::recording::flight::Flight;
use crate::tls::refusal::Refusal;
use crate::upstream::answer::last_words;
use crate::upstream::forward::Lease;
use crate::upstream::headers::end_trailers;
use crate::upstream::relay::relayed_reason;

pub enum ResponseBody {
    Empty,
    /// What the mesh itself says.
    Text(Option<Bytes>),
    Stream(Box<Carried>),
}

/// Why a response is not sent to its end.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error(transparent)]
    Unread(#[from] hyper::Error),
    #[error("the response stalled for longer than limits.responseBodyTimeout")]
    Stalled,
}

/// What it means when a response goes wrong after it has begun, and when a silence is too long.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// Another proxy answers, whose `mesh-reason` counts; an application's does not.
    pub from_proxy: bool,
    pub broken: Reason,
    pub stalled: Reason,
    pub silence: Duration,
}

impl Course {
    /// Of what an instance of a service answers.
    #[must_use]
    pub fn upstream(limits: &Limits) -> Self {
        Self {
            from_proxy: true,
            broken: Reason::UpstreamReset,
            stalled: Reason::UpstreamStalled,
            silence: limits.body.response,
        }
    }
}

/// A response being read: its end is the end of the span, and of the hold on the connection.
pub struct Carried {
    body: Incoming,
    lease: Option<Lease>,
    flight: Option<Flight>,
    course: Course,
    quiet: Option<Quiet>,
    /// It ended before its time, and the caller has been told.
    broken: bool,
}

/// A wait for the next piece; it goes on for as long as pieces come, so that not each sets a timer.
struct Quiet {
    timer: Pin<Box<Sleep>>,
    since: Instant,
}

// === impl ResponseBody ===

impl From<String> for ResponseBody {
    fn from(text: String) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
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
            Self::Stream(carried) => carried.broken || carried.body.is_end_stream(),
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
    pub fn response(body: Incoming, lease: Lease, flight: Flight, course: Course) -> ResponseBody {
        let mut carried = Self {
            body,
            lease: Some(lease),
            flight: Some(flight),
            course,
            quiet: None,
            broken: false,
        };
        if carried.body.is_end_stream() {
            carried.end();
            return ResponseBody::Empty;
        }
        ResponseBody::Stream(Box::new(carried))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.broken {
            return Poll::Ready(None);
        }
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                std::task::ready!(self.poll_silence(cx));
                return Poll::Ready(Some(self.break_off(self.course.stalled, Broken::Stalled)));
            }
        };
        if let Some(quiet) = &mut self.quiet {
            quiet.since = Instant::now();
        }
        Poll::Ready(match frame {
            None => {
                self.end();
                None
            }
            Some(Err(error)) => {
                let distrust = Refusal::cause_of(&error).map(Refusal::reason);
                Some(self.break_off(distrust.unwrap_or(self.course.broken), error.into()))
            }
            Some(Ok(frame)) => {
                if let (Some(trailers), Some(flight)) = (frame.trailers_ref(), &mut self.flight) {
                    flight.told(trailers);
                    if self.course.from_proxy {
                        flight.explain(relayed_reason(trailers));
                    }
                }
                Some(Ok(end_trailers(frame)))
            }
        })
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.course.silence;
        let quiet = self.quiet.get_or_insert_with(|| Quiet {
            timer: Box::pin(sleep(limit)),
            since: Instant::now(),
        });
        loop {
            std::task::ready!(quiet.timer.as_mut().poll(cx));
            let end = quiet.since + limit;
            if end <= Instant::now() {
                return Poll::Ready(());
            }
            quiet.timer.as_mut().reset(end);
        }
    }

    fn end(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
        if let Some(flight) = self.flight.take() {
            flight.land();
        }
    }

    /// The caller of a gRPC call hears in trailers why it ended; any other sees that its response is not whole.
    fn break_off(&mut self, reason: Reason, error: Broken) -> Result<Frame<Bytes>, Broken> {
        self.lease = None;
        let Some(flight) = self.flight.take() else {
            return Err(error);
        };
        self.broken = flight.is_call();
        flight.fail(reason);
        if self.broken {
            return Ok(Frame::trailers(last_words(reason, &error.to_string())));
        }
        Err(error)
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
