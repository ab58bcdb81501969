//! The bytes of a connection to an endpoint, over TCP, encrypted or not, or through a Unix socket.

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use crate::tls::watched::Watched;

/// Of what a callee says first, read at once.
const FIRST_WORD: usize = 2_048;

pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<Encrypted>),
}

/// A connection to another proxy, or to a service outside, which is not watched.
pub struct Encrypted {
    stream: TlsStream<TcpStream>,
    watched: Option<Watched>,
    /// Its first word, where that was waited for.
    heard: Bytes,
}

impl Stream {
    #[must_use]
    pub fn tls(stream: TlsStream<TcpStream>, watched: Option<Watched>) -> Self {
        Self::Tls(Box::new(Encrypted {
            stream,
            watched,
            heard: Bytes::new(),
        }))
    }

    /// The address of this end; a Unix socket has none.
    #[must_use]
    pub fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            Self::Unix(_) => None,
            Self::Tls(inner) => inner.stream.get_ref().0.local_addr().ok(),
        }
    }

    /// Waits until the other end has said something, which stays to be read; false when it said nothing and ended.
    pub async fn speaks(&mut self) -> io::Result<bool> {
        let first = match self {
            Self::Tcp(stream) => stream.peek(&mut [0]).await?,
            Self::Unix(stream) => {
                let peek = || SockRef::from(&*stream).peek(&mut [MaybeUninit::uninit()]);
                stream.async_io(Interest::READABLE, peek).await?
            }
            Self::Tls(inner) => {
                let mut heard = BytesMut::with_capacity(FIRST_WORD);
                let length = inner.stream.read_buf(&mut heard).await?;
                inner.heard = heard.freeze();
                length
            }
        };
        Ok(first > 0)
    }

    /// The connection ends with a reset when it is dropped; one through a Unix socket has no such end.
    pub fn reset(&self) {
        match self {
            Self::Tcp(stream) => reset(stream),
            Self::Tls(inner) => reset(inner.stream.get_ref().0),
            Self::Unix(_) => {}
        }
    }
}

/// The connection ends with a reset when it is dropped.
pub fn reset(stream: &TcpStream) {
    // Where that cannot be had it ends like any other, which is all that is left to do.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

impl Encrypted {
    fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        pass: impl FnOnce(Pin<&mut TlsStream<TcpStream>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let stream = Pin::new(&mut self.stream);
        match &self.watched {
            Some(watched) => watched.poll(context, |context| pass(stream, context)),
            None => pass(stream, context),
        }
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.heard.is_empty() {
            return self.poll(context, |stream, context| stream.poll_read(context, into));
        }
        let length = self.heard.len().min(into.remaining());
        into.put_slice(&self.heard.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, into),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(inner) => inner.poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(inner) => {
                inner.poll(context, |stream, context| stream.poll_write(context, bytes))
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Self::Tls(inner) => inner.poll(context, |stream, context| {
                stream.poll_write_vectored(context, parts)
            }),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(inner) => inner.poll(context, TlsStream::poll_flush),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(inner) => inner.poll(context, TlsStream::poll_shutdown),
        }
    }
}
