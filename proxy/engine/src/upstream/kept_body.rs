//! Keeps a request's body while it is sent, within a bound, so that it can be sent again.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

/// What of a body has passed.
pub struct Kept {
    pieces: RefCell<Vec<Bytes>>,
    trailers: RefCell<Option<HeaderMap>>,
    /// Bytes that may still be kept.
    room: Cell<usize>,
    state: Cell<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Coming,
    Whole,
    TooLong,
}

/// A body sent again.
pub struct Replay {
    pieces: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    left: u64,
}

// === impl Kept ===

impl Kept {
    #[must_use]
    pub fn new(room: usize, empty: bool) -> Self {
        Self {
            pieces: RefCell::default(),
            trailers: RefCell::default(),
            room: Cell::new(room),
            state: Cell::new(if empty { State::Whole } else { State::Coming }),
        }
    }

    /// Takes note of a frame of the body, or of its end.
    pub fn pass(&self, frame: Option<&Frame<Bytes>>) {
        if self.state.get() != State::Coming {
            return;
        }
        let Some(frame) = frame else {
            self.state.set(State::Whole);
            return;
        };
        if let Some(data) = frame.data_ref() {
            let Some(room) = self.room.get().checked_sub(data.len()) else {
                self.state.set(State::TooLong);
                self.pieces.take();
                return;
            };
            self.room.set(room);
            self.pieces.borrow_mut().push(data.clone());
        }
        if let Some(trailers) = frame.trailers_ref() {
            self.trailers.replace(Some(trailers.clone()));
        }
    }

    /// The whole body once more; `None` when it was too long, or has not all come.
    #[must_use]
    pub fn replay(&self) -> Option<Replay> {
        if self.state.get() != State::Whole {
            return None;
        }
        let pieces: VecDeque<Bytes> = self.pieces.borrow().iter().cloned().collect();
        Some(Replay {
            left: pieces.iter().map(|piece| piece.len() as u64).sum(),
            pieces,
            trailers: self.trailers.borrow().clone(),
        })
    }
}

// === impl Replay ===

impl Replay {
    pub fn next(&mut self) -> Option<Frame<Bytes>> {
        if let Some(piece) = self.pieces.pop_front() {
            self.left -= piece.len() as u64;
            return Some(Frame::data(piece));
        }
        self.trailers.take().map(Frame::trailers)
    }

    #[must_use]
    pub fn is_over(&self) -> bool {
        self.pieces.is_empty() && self.trailers.is_none()
    }

    #[must_use]
    pub fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
