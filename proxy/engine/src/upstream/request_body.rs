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
use crate::upstream::kept_body::{Kept, Replay};
use crate::upstream::progress::Progress;

pub enum RequestBody {
    Empty,
    Stream(Incoming, Rc<Progress>, Vec<Tee>),
    /// A mirror's.
    Copied(Copied),
    /// Sent once already.
    Replayed(Replay),
}

/// Where what passes goes too.
pub enum Tee {
    Copy(Copier),
    Keep(Rc<Kept>),
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
            Self::Empty | Self::Copied(_) | Self::Replayed(_) => None,
            Self::Stream(_, progress, _) => Some(Rc::clone(progress)),
        }
    }

    /// The same once more: what is read of this one from here on goes into the copy too.
    #[must_use]
    pub fn copy(&mut self) -> Self {
        let Self::Stream(body, _, tees) = self else {
            return Self::Empty;
        };
        let (end, copied) = copied(body.size_hint());
        tees.push(Tee::Copy(end));
        Self::Copied(copied)
    }

    /// Keeps up to so many bytes of what is sent.
    pub fn keep(&mut self, bytes: usize) -> Rc<Kept> {
        let kept = Rc::new(Kept::new(bytes, matches!(self, Self::Empty)));
        if let Self::Stream(_, _, tees) = self {
            tees.push(Tee::Keep(Rc::clone(&kept)));
        }
        kept
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let (body, progress, tees) = match self.get_mut() {
            Self::Empty => return Poll::Ready(None),
            Self::Replayed(replay) => return Poll::Ready(replay.next().map(Ok)),
            Self::Copied(copied) => return copied.poll_frame(cx).map_err(Broken::from),
            Self::Stream(body, progress, tees) => (body, progress, tees),
        };
        progress.awaits(true);
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        progress.awaits(false);
        if !tees.is_empty() {
            share(tees, frame.as_ref(), body.is_end_stream());
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
            Self::Replayed(replay) => replay.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Stream(body, ..) => body.size_hint(),
            Self::Copied(copied) => copied.size_hint(),
            Self::Replayed(replay) => replay.size_hint(),
        }
    }
}

/// Gives a frame to everyone else who wants it. Whoever sends the body need not ask for more once its length is reached, so the end is
/// told with the last frame.
fn share(tees: &mut [Tee], frame: Option<&Result<Frame<Bytes>, hyper::Error>>, ended: bool) {
    for tee in tees {
        match frame {
            Some(Ok(frame)) => tee.pass(Some(frame)),
            Some(Err(_)) => continue,
            None => {}
        }
        if ended || frame.is_none() {
            tee.pass(None);
        }
    }
}

impl Tee {
    fn pass(&mut self, frame: Option<&Frame<Bytes>>) {
        match self {
            Self::Copy(copier) => copier.pass(frame),
            Self::Keep(kept) => kept.pass(frame),
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
