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
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::entry::calm::Calm;
use crate::entry::conduct::{Conduct, Remains};
use crate::entry::fault::Fault;
use crate::entry::frames::{Boundary, PREFACE};
use crate::entry::framing::{Framing, Stop};
use crate::entry::limits::{Limits, Patience};
use crate::reasons::Reason;

/// Read at a time while a head is incomplete.
const PIECE: usize = 4_096;

pub struct Tap {
    /// There until the tap is dropped.
    stream: Option<TcpStream>,
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

/// Why nothing more is read.
#[derive(Clone, Copy)]
enum End {
    /// The client has closed its side.
    Closed,
    Stopped(Stop),
    Flood,
}

// === impl Tap ===

impl Tap {
    /// Reads just enough to tell HTTP/2 from HTTP/1.
    pub async fn detect(
        mut stream: TcpStream,
        limits: &Limits,
        conduct: Arc<Conduct>,
    ) -> io::Result<Self> {
        let mut held = BytesMut::with_capacity(2_048);
        while held.len() < PREFACE.len() && PREFACE.starts_with(&held) {
            if stream.read_buf(&mut held).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
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
        Ok(tap)
    }

    #[must_use]
    pub fn is_http2(&self) -> bool {
        matches!(self.check, Check::Http2 { .. })
    }

    fn stream(&mut self) -> Pin<&mut TcpStream> {
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

    /// Nothing more is read; the parser hears so when the request that is being answered has its answer.
    fn poll_end(&mut self, cx: &mut Context<'_>, end: End) -> Poll<io::Result<()>> {
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
    fn farewell(&self) -> Option<Fault> {
        match self.end? {
            End::Stopped(Stop::Withhold(fault)) if self.told => Some(fault),
            End::Flood => Some(Fault::new(
                Reason::FrameFlood,
                "more frames than limits.controlFrames",
            )),
            End::Closed | End::Stopped(_) => None,
        }
    }

    /// Follows what was sent, and how long the client has not taken it.
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        sent: Poll<io::Result<usize>>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &sent {
            Poll::Ready(Ok(length)) => {
                self.blocked = None;
                self.follow_sent(bytes, *length);
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let limit = self.patience.reader;
                if timer(&mut self.blocked, limit).as_mut().poll(cx).is_ready() {
                    self.conduct.cut(Reason::ReaderStalled);
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        sent
    }

    fn follow_sent(&mut self, slices: &[io::IoSlice<'_>], length: usize) {
        let Check::Http2 { sent, calm, .. } = &mut self.check else {
            return;
        };
        let mut left = length;
        for slice in slices {
            let part = left.min(slice.len());
            calm.earn(sent.follow(&slice[..part]).carrying);
            left -= part;
        }
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
                Poll::Ready(read) => read?,
                Poll::Pending => ready!(self.wait_for_head(cx)),
            }
            if into.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = self.stream().poll_write(cx, bytes);
        self.written(cx, sent, &[io::IoSlice::new(bytes)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.farewell().is_some() {
            return Poll::Ready(Ok(()));
        }
        self.stream().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = self.stream().poll_write_vectored(cx, slices);
        self.written(cx, sent, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream
            .as_ref()
            .is_some_and(TcpStream::is_write_vectored)
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
