//! The bytes of an accepted connection, encrypted or not.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::entry::begun::Begun;
use crate::tls::watched::Watched;

pub enum Wire {
    Plain(TcpStream),
    /// Its state takes kilobytes, which those without it should not.
    Tls(Box<Encrypted>),
}

/// An encrypted connection.
pub struct Encrypted {
    stream: TlsStream<Begun>,
    /// Where the other end had to show a certificate.
    watched: Option<Watched>,
}

impl Wire {
    #[must_use]
    pub fn tls(stream: TlsStream<Begun>, watched: Option<Watched>) -> Self {
        Self::Tls(Box::new(Encrypted { stream, watched }))
    }

    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(inner) => &inner.stream.get_ref().0.stream,
        }
    }
}

impl Encrypted {
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        pass: impl FnOnce(Pin<&mut TlsStream<Begun>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let stream = Pin::new(&mut self.stream);
        match &self.watched {
            Some(watched) => watched.poll(cx, |cx| pass(stream, cx)),
            None => pass(stream, cx),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Self::Tls(inner) => inner.poll(cx, |stream, cx| stream.poll_read(cx, into)),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(inner) => inner.poll(cx, |stream, cx| stream.poll_write(cx, bytes)),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(inner) => inner.poll(cx, |stream, cx| stream.poll_write_vectored(cx, slices)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(inner) => inner.poll(cx, TlsStream::poll_flush),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(inner) => inner.poll(cx, TlsStream::poll_shutdown),
        }
    }
}
