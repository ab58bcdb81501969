//! Opens a connection to an endpoint and starts speaking its protocol.

use std::io;
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::reasons::Reason;
use crate::runtime::exec::LocalExec;
use crate::snapshot::Protocol;
use crate::upstream::dial;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::place::Place;
use crate::upstream::pool::Sender;
use crate::upstream::stream::Stream;

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Refused,
    Timeout,
    Failed,
}

impl Failure {
    /// What is said of an endpoint of a service.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Refused => Reason::ConnectRefused,
            Self::Timeout => Reason::ConnectTimeout,
            Self::Failed => Reason::ConnectFailed,
        }
    }
}

/// Bounds on what a peer may send before it is cut off.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub connect: Duration,
    pub header_bytes: usize,
    pub headers: usize,
}

/// Connects within the time allowed; `http1` asks for HTTP/1.1 whatever the endpoint prefers.
pub async fn connect(endpoint: &Endpoint, bounds: Bounds, http1: bool) -> Result<Sender, Failure> {
    let stream = dial(endpoint, bounds.connect).await?;
    let sender = if http1 || endpoint.protocol != Protocol::Http2 {
        speak_http1(stream, endpoint, bounds)
            .await
            .map(Sender::Http1)
    } else {
        speak_http2(stream, endpoint, bounds).await
    };
    sender.map_err(|_| Failure::Failed)
}

/// Opens a connection within the time allowed.
pub async fn dial(endpoint: &Endpoint, limit: Duration) -> Result<Stream, Failure> {
    let opened = timeout(limit, open(endpoint))
        .await
        .map_err(|_| Failure::Timeout)?;
    opened.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::Refused,
        io::ErrorKind::NotFound if endpoint.is_socket() => Failure::Refused,
        io::ErrorKind::TimedOut => Failure::Timeout,
        _ => Failure::Failed,
    })
}

async fn open(endpoint: &Endpoint) -> io::Result<Stream> {
    let address = match &endpoint.place {
        Place::At(address) => address,
        Place::Socket(path) => return UnixStream::connect(&**path).await.map(Stream::Unix),
    };
    let addresses = endpoint.names.addresses(address).await?;
    let opened = dial::first(&addresses, TcpStream::connect).await;
    let stream = opened.inspect_err(|_| endpoint.names.forget())?;
    stream.set_nodelay(true)?;
    Ok(Stream::Tcp(stream))
}

async fn speak_http1(
    stream: Stream,
    endpoint: &Endpoint,
    bounds: Bounds,
) -> hyper::Result<http1::SendRequest<crate::upstream::request_body::RequestBody>> {
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(bounds.header_bytes)
        .max_headers(bounds.headers)
        .handshake(TokioIo::new(stream))
        .await?;
    // A broken connection is seen by whoever holds the sender; the task only drives the socket.
    let connected = endpoint.connected();
    tokio::task::spawn_local(async move {
        drop(connection.with_upgrades().await);
        drop(connected);
    });
    Ok(sender)
}

async fn speak_http2(stream: Stream, endpoint: &Endpoint, bounds: Bounds) -> hyper::Result<Sender> {
    let (sender, connection) = http2::Builder::new(LocalExec)
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(bounds.header_bytes).unwrap_or(u32::MAX))
        .handshake(TokioIo::new(stream))
        .await?;
    let connected = endpoint.connected();
    tokio::task::spawn_local(async move {
        drop(connection.await);
        drop(connected);
    });
    endpoint.pool.share(&sender);
    Ok(Sender::Http2(sender))
}
