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
use crate::upstream::copied_body::{Copied, Copier, NotWhole, copied};
use crate::upstream::headers::end_trailers;
use crate::upstream::progress::Progress;

pub enum RequestBody {
    Empty,
    Stream(Incoming, Rc<Progress>, Vec<Copier>),
    /// A mirror's.
    Copied(Copied),
}

/// Why a body is not sent to its end.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error(transparent)]
    Unread(#[from] hyper::Error),
    #[error("the body is longer than limits.bodyBytes")]
    TooLarge,
    #[error(transparent)]
    NotWhole(#[from] NotWhole),
}

// === impl RequestBody ===

impl RequestBody {
    #[must_use]
    pub fn new(body: Incoming, limits: BodyLimits) -> Self {
        if body.is_end_stream() {
            return Self::Empty;
        }
        Self::Stream(body, Rc::new(Progress::new(limits)), Vec::new())
    }

    #[must_use]
    pub fn progress(&self) -> Option<Rc<Progress>> {
        match self {
            Self::Empty | Self::Copied(_) => None,
            Self::Stream(_, progress, _) => Some(Rc::clone(progress)),
        }
    }

    /// The same once more: what is read of this one from here on goes into the copy too.
    #[must_use]
    pub fn copy(&mut self) -> Self {
        let Self::Stream(body, _, copiers) = self else {
            return Self::Empty;
        };
        let (end, copied) = copied(body.size_hint());
        copiers.push(end);
        Self::Copied(copied)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let (body, progress, copiers) = match self.get_mut() {
            Self::Empty => return Poll::Ready(None),
            Self::Copied(copied) => return copied.poll_frame(cx).map_err(Broken::from),
            Self::Stream(body, progress, copiers) => (body, progress, copiers),
        };
        progress.awaits(true);
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        progress.awaits(false);
        if !copiers.is_empty() {
            share(copiers, frame.as_ref(), body.is_end_stream());
        }
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
            Self::Stream(body, ..) => body.is_end_stream(),
            Self::Copied(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Stream(body, ..) => body.size_hint(),
            Self::Copied(copied) => copied.size_hint(),
        }
    }
}

/// Gives a frame to every copy. Whoever sends the body need not ask for more once its length is reached, so the end is
/// told with the last frame.
fn share(copiers: &mut [Copier], frame: Option<&Result<Frame<Bytes>, hyper::Error>>, ended: bool) {
    for copier in copiers {
        match frame {
            Some(Ok(frame)) => copier.pass(Some(frame)),
            Some(Err(_)) => continue,
            None => {}
        }
        if ended || frame.is_none() {
            copier.pass(None);
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
