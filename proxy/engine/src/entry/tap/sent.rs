//! The writing side of a tap: follows what is sent, and how long the client takes none of it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

use super::{Check, Tap, timer};
use crate::entry::wire::Wire;
use crate::reasons::Reason;

impl Tap {
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
            Poll::Ready(Err(error)) => self.broken(error),
            Poll::Pending => {
                if let Some(stalled) = self.stalled(cx) {
                    return Poll::Ready(Err(stalled));
                }
            }
        }
        sent
    }

    /// The client takes nothing now: how that ends when it has been so for too long.
    fn stalled(&mut self, cx: &mut Context<'_>) -> Option<io::Error> {
        let limit = self.patience.reader;
        let over = timer(&mut self.blocked, limit).as_mut().poll(cx).is_ready();
        over.then(|| {
            self.conduct.cut(Reason::ReaderStalled);
            io::ErrorKind::TimedOut.into()
        })
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
        let flushed = self.stream().poll_flush(cx);
        match flushed {
            // What is encrypted waits here, not where it was written.
            Poll::Pending => self
                .stalled(cx)
                .map_or(Poll::Pending, |stalled| Poll::Ready(Err(stalled))),
            Poll::Ready(_) => {
                self.blocked = None;
                flushed
            }
        }
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
        self.stream.as_ref().is_some_and(Wire::is_write_vectored)
    }
}
