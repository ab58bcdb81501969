//! The reading end of an accepted connection: sees every byte before the parser does.
//!
//! In: a socket. Out: the same bytes, which protocol they speak, and whether their framing is ambiguous.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::framing::{Ambiguity, Framing};

/// What every HTTP/2 connection begins with (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub struct Tap {
    stream: TcpStream,
    /// Bytes read for detection and not yet handed on.
    first: Bytes,
    /// Nothing to follow on an HTTP/2 connection, whose frames carry their lengths.
    framing: Option<Framing>,
    verdict: Verdict,
}

/// What the tap has found so far, for the requests of its connection.
#[derive(Clone, Default)]
pub struct Verdict(Arc<OnceLock<Ambiguity>>);

// === impl Tap ===

impl Tap {
    /// Reads just enough to tell HTTP/2 from HTTP/1.
    pub async fn detect(mut stream: TcpStream) -> io::Result<Self> {
        let mut first = BytesMut::with_capacity(2_048);
        while first.len() < PREFACE.len() && PREFACE.starts_with(&first) {
            if stream.read_buf(&mut first).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let framing = (!first.starts_with(PREFACE)).then(Framing::default);
        let verdict = Verdict::default();
        let mut tap = Self {
            stream,
            first: first.freeze(),
            framing,
            verdict,
        };
        tap.inspect(&tap.first.clone());
        Ok(tap)
    }

    #[must_use]
    pub fn is_http2(&self) -> bool {
        self.framing.is_none()
    }

    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }

    fn inspect(&mut self, bytes: &[u8]) {
        if let Some(framing) = &mut self.framing
            && let Err(ambiguity) = framing.follow(bytes)
        {
            // The first one stands; after it the connection serves nothing.
            let _ = self.verdict.0.set(ambiguity);
        }
    }
}

impl Verdict {
    /// The ambiguity in what this connection has sent, if there is one.
    #[must_use]
    pub fn ambiguity(&self) -> Option<Ambiguity> {
        self.0.get().copied()
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            let before = into.filled().len();
            ready!(Pin::new(&mut self.stream).poll_read(cx, into))?;
            self.inspect(&into.filled()[before..]);
            return Poll::Ready(Ok(()));
        }
        let length = self.first.len().min(into.remaining());
        into.put_slice(&self.first[..length]);
        self.first.advance(length);
        if self.first.is_empty() {
            // What a connection keeps for its life should not include the buffer of its first bytes.
            self.first = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
