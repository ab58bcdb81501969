//! The body of a request on its way to the next hop, frame by frame, trailers included; nothing is gathered.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::entry::limits::BodyLimits;
use crate::reasons::Reason;
use crate::upstream::headers::end_trailers;
use crate::upstream::progress::Progress;

pub enum RequestBody {
    Empty,
    Stream(Incoming, Rc<Progress>),
}

/// Why a body is not sent to its end.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error(transparent)]
    Unread(#[from] hyper::Error),
    #[error("the body is longer than limits.bodyBytes")]
    TooLarge,
}

// === impl RequestBody ===

impl RequestBody {
    #[must_use]
    pub fn new(body: Incoming, limits: BodyLimits) -> Self {
        if body.is_end_stream() {
            return Self::Empty;
        }
        Self::Stream(body, Rc::new(Progress::new(limits)))
    }

    #[must_use]
    pub fn progress(&self) -> Option<Rc<Progress>> {
        match self {
            Self::Empty => None,
            Self::Stream(_, progress) => Some(Rc::clone(progress)),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Self::Stream(body, progress) = self.get_mut() else {
            return Poll::Ready(None);
        };
        progress.awaits(true);
        let frame = ready!(Pin::new(body).poll_frame(cx));
        progress.awaits(false);
        Poll::Ready(match frame {
            Some(Ok(frame)) if progress.passed(frame.data_ref().map_or(0, Bytes::len)) => {
                Some(Ok(end_trailers(frame)))
            }
            Some(Ok(_)) => {
                progress.broke(Reason::BodyTooLarge);
                Some(Err(Broken::TooLarge))
            }
            Some(Err(error)) => {
                progress.broke(blame(&error));
                Some(Err(error.into()))
            }
            None => None,
        })
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
