//! The reading end of an accepted connection: sees every byte before the parser does, and hands on what is sound.
//!
//! In: a socket. Out: the same bytes, as far as their framing has been checked. Never: part of a head that the parser would
//! refuse, a head that takes too long, or a flood of frames; the connection ends instead, and the client hears why.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::entry::calm::Calm;
use crate::entry::conduct::Conduct;
use crate::entry::fault::Fault;
use crate::entry::frames::{Boundary, PREFACE};
use crate::entry::framing::{Framing, Stop};
use crate::entry::limits::{Limits, Patience};
use crate::entry::wire::Wire;
use crate::reasons::Reason;
use crate::tls::refusal::Refusal;

mod end;
mod sent;

use end::End;

/// Read at a time while a head is incomplete.
const PIECE: usize = 4_096;

pub struct Tap {
    /// There until the tap is dropped.
    stream: Option<Wire>,
    /// Bytes read and not yet handed on, of which the first `cleared` may be.
    held: BytesMut,
    cleared: usize,
    check: Check,
    conduct: Arc<Conduct>,
    patience: Patience,
    end: Option<End>,
    /// The parser has heard that there is no more to read, and leaves the last word to us.
    told: bool,
    /// For the rest of a head, or for an answer to a client that sends no more.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Since the client's side takes no more bytes.
    blocked: Option<Pin<Box<Sleep>>>,
}

enum Check {
    Http1(Framing),
    Http2 {
        received: Boundary,
        sent: Boundary,
        calm: Calm,
    },
}

// === impl Tap ===

impl Tap {
    /// Goes on where `held` was read from the stream, enough of it to tell HTTP/2 from HTTP/1.
    #[must_use]
    pub fn new(stream: Wire, held: BytesMut, limits: &Limits, conduct: Arc<Conduct>) -> Self {
        let check = if held.starts_with(PREFACE) {
            Check::Http2 {
                received: Boundary::after_preface(),
                sent: Boundary::default(),
                calm: Calm::new(limits.control_frames, std::time::Instant::now()),
            }
        } else {
            Check::Http1(Framing::new(limits.head))
        };
        let mut tap = Self {
            stream: Some(stream),
            held,
            cleared: 0,
            check,
            conduct,
            patience: limits.patience,
            end: None,
            told: false,
            waiting: None,
            blocked: None,
        };
        tap.check_held();
        tap
    }

    #[must_use]
    pub fn is_http2(&self) -> bool {
        matches!(self.check, Check::Http2 { .. })
    }

    fn stream(&mut self) -> Pin<&mut Wire> {
        Pin::new(
            self.stream
                .as_mut()
                .expect("there until the tap is dropped"),
        )
    }

    /// Looks at bytes that follow those cleared last; how many of them may be handed on.
    fn check(&mut self, bytes: &[u8]) -> usize {
        if self.conduct.switched() {
            return bytes.len();
        }
        match &mut self.check {
            Check::Http1(framing) => {
                let cleared = framing.clear(bytes);
                if let Some(stop) = cleared.stop {
                    self.stop(stop);
                }
                cleared.bytes
            }
            Check::Http2 { received, calm, .. } => {
                let counted = received.follow(bytes);
                if !calm.bear(counted, std::time::Instant::now) {
                    self.conduct.cut(Reason::FrameFlood);
                    self.end = Some(End::Flood);
                    return 0;
                }
                bytes.len()
            }
        }
    }

    fn stop(&mut self, stop: Stop) {
        self.end = Some(End::Stopped(stop));
        if let Stop::Answer(fault) | Stop::Break(fault) = stop {
            self.conduct.object(fault);
        }
    }

    fn check_held(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.cleared += self.check(&held[self.cleared..]);
        self.held = held;
        if self.end.is_some() {
            self.held.truncate(self.cleared);
        }
        if !self.within_head() {
            self.waiting = None;
        }
    }

    fn within_head(&self) -> bool {
        matches!(&self.check, Check::Http1(framing) if framing.within_head())
    }

    fn hand_on(&mut self, into: &mut ReadBuf<'_>) {
        let length = self.cleared.min(into.remaining());
        into.put_slice(&self.held[..length]);
        self.held.advance(length);
        self.cleared -= length;
        if self.held.is_empty() {
            // What a connection keeps for its life should not include the buffer of a few bytes.
            self.held = BytesMut::new();
        }
    }

    /// Reads straight into the parser's buffer, and takes back what it may not have yet.
    fn read_through(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(self.stream().poll_read(cx, into))?;
        if into.filled().len() == before {
            self.end = Some(End::Closed);
            return Poll::Ready(Ok(()));
        }
        let cleared = self.check(&into.filled()[before..]);
        let kept = before + cleared;
        if kept < into.filled().len() {
            if self.end.is_none() {
                self.held.extend_from_slice(&into.filled()[kept..]);
            }
            into.set_filled(kept);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads more of what is incomplete.
    fn read_on(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut room = [const { std::mem::MaybeUninit::uninit() }; PIECE];
        let mut piece = ReadBuf::uninit(&mut room);
        ready!(self.stream().poll_read(cx, &mut piece))?;
        if piece.filled().is_empty() {
            self.end = Some(End::Closed);
        } else {
            self.held.extend_from_slice(piece.filled());
            self.check_held();
        }
        Poll::Ready(Ok(()))
    }

    /// Requests on a connection that broke because its certificate is denied ended for that.
    fn broken(&self, error: &io::Error) {
        if Refusal::of(error) == Refusal::Denied {
            self.conduct.cut(Reason::TlsDenied);
        }
    }

    /// No byte is there: a head that has begun may take only so long.
    fn wait_for_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.within_head() {
            return Poll::Pending;
        }
        let limit = self.patience.head;
        ready!(timer(&mut self.waiting, limit).as_mut().poll(cx));
        self.stop(Stop::Withhold(Fault::SLOW_HEAD));
        Poll::Ready(())
    }
}

fn timer(of: &mut Option<Pin<Box<Sleep>>>, limit: Duration) -> &mut Pin<Box<Sleep>> {
    of.get_or_insert_with(|| Box::pin(sleep(limit)))
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        loop {
            if self.conduct.switched() {
                self.cleared = self.held.len();
            }
            if self.cleared > 0 {
                self.hand_on(into);
                return Poll::Ready(Ok(()));
            }
            if let Some(end) = self.end {
                return self.poll_end(cx, end);
            }
            let read = if self.held.is_empty() {
                self.read_through(cx, into)
            } else {
                self.read_on(cx)
            };
            match read {
                Poll::Ready(read) => read.inspect_err(|error| self.broken(error))?,
                Poll::Pending => ready!(self.wait_for_head(cx)),
            }
            if into.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
