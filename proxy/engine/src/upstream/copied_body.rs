//! A copy of a request's body for a mirror: what passes is given to both, and the copy breaks off when its reader is slow.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

/// Frames that wait for the reader of a copy; hyper reads a frame of 8 KiB to 400 KiB at a time.
const WAITING: usize = 32;

enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
}

/// Where frames are given to.
pub struct Copier(Option<mpsc::Sender<Piece>>);

/// Where they come out.
pub struct Copied {
    pieces: mpsc::Receiver<Piece>,
    size: SizeHint,
    ended: bool,
}

/// The body broke off, or its copy was not read as fast.
#[derive(Debug, thiserror::Error)]
#[error("the copy of the body is not whole")]
pub struct NotWhole;

/// Both ends of a copy of a body of this size.
#[must_use]
pub fn copied(size: SizeHint) -> (Copier, Copied) {
    let (sender, pieces) = mpsc::channel(WAITING);
    let copied = Copied {
        pieces,
        size,
        ended: false,
    };
    (Copier(Some(sender)), copied)
}

// === impl Copier ===

impl Copier {
    /// Gives on a frame of the body, or its end.
    pub fn pass(&mut self, frame: Option<&Frame<Bytes>>) {
        let piece = match frame.map(|frame| (frame.data_ref(), frame.trailers_ref())) {
            Some((Some(data), _)) => Piece::Data(data.clone()),
            Some((None, Some(trailers))) => Piece::Trailers(trailers.clone()),
            Some((None, None)) => return,
            None => Piece::End,
        };
        if let Some(sender) = &self.0
            && sender.try_send(piece).is_err()
        {
            self.0 = None;
        }
    }
}

// === impl Copied ===

impl Copied {
    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NotWhole>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.pieces)
            .poll_recv(cx)
            .map(|piece| match piece {
                Some(Piece::Data(data)) => Some(Ok(Frame::data(data))),
                Some(Piece::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
                Some(Piece::End) => {
                    self.ended = true;
                    None
                }
                None => {
                    self.ended = true;
                    Some(Err(NotWhole))
                }
            })
    }

    #[must_use]
    pub fn size_hint(&self) -> SizeHint {
        self.size
    }
}
