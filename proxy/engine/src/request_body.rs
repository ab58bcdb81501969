//! The body of a request on its way to the next hop, frame by frame, trailers included; nothing is gathered.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::reasons::Reason;

pub enum RequestBody {
    Empty,
    Stream(Incoming, Rc<Progress>),
}

/// How far the caller has come with sending: a slow upload is no fault of the callee.
pub struct Progress {
    last: Cell<Instant>,
    broken: Cell<Option<Reason>>,
}

// === impl Progress ===

impl Progress {
    /// When the last piece, or the end, passed.
    #[must_use]
    pub fn last(&self) -> Instant {
        self.last.get()
    }

    /// Why the body broke off, when it was the caller's doing.
    #[must_use]
    pub fn broken(&self) -> Option<Reason> {
        self.broken.get()
    }
}

// === impl RequestBody ===

impl RequestBody {
    #[must_use]
    pub fn progress(&self) -> Option<Rc<Progress>> {
        match self {
            Self::Empty => None,
            Self::Stream(_, progress) => Some(Rc::clone(progress)),
        }
    }
}

impl From<Incoming> for RequestBody {
    fn from(body: Incoming) -> Self {
        if body.is_end_stream() {
            return Self::Empty;
        }
        let progress = Progress {
            last: Cell::new(Instant::now()),
            broken: Cell::new(None),
        };
        Self::Stream(body, Rc::new(progress))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self::Stream(body, progress) = self.get_mut() else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        progress.last.set(Instant::now());
        if let Some(Err(error)) = &frame {
            progress.broken.set(Some(blame(error)));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Stream(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Stream(body, _) => body.size_hint(),
        }
    }
}

/// A body that cannot be read is the caller's mistake; one that stops is a caller that left.
fn blame(error: &hyper::Error) -> Reason {
    let cause = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    match cause.map(io::Error::kind) {
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => Reason::BadRequest,
        _ => Reason::ClientCancelled,
    }
}
