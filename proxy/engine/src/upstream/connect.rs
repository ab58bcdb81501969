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
use crate::tls::refusal::Refusal;
use crate::tls::security::Seal;
use crate::upstream::dial;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::place::Place;
use crate::upstream::pool::Sender;
use crate::upstream::secure::{Encrypted, Inside, begin, encrypt};
use crate::upstream::stream::Stream;

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Refused,
    Timeout,
    Failed,
    /// The two ends do not believe each other.
    Tls(Refusal),
}

impl Failure {
    /// What is said of an endpoint of a service.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Refused => Reason::ConnectRefused,
            Self::Timeout => Reason::ConnectTimeout,
            Self::Failed => Reason::ConnectFailed,
            Self::Tls(refusal) => refusal.reason(),
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

/// A connection that is ready for bytes, and how long encrypting it took, in microseconds.
pub struct Dialled {
    pub stream: Stream,
    pub tls_us: Option<u64>,
}

/// A connection that is ready for a request.
pub struct Connection {
    pub sender: Sender,
    pub tls_us: Option<u64>,
}

/// Connects within the time allowed; `http1` asks for HTTP/1.1 whatever the endpoint prefers.
pub async fn connect(
    endpoint: &Endpoint,
    bounds: Bounds,
    http1: bool,
) -> Result<Connection, Failure> {
    let inside = if http1 || endpoint.protocol != Protocol::Http2 {
        Inside::Http1
    } else {
        Inside::Http2
    };
    let Dialled { stream, tls_us } = dial(endpoint, bounds.connect, inside).await?;
    let sender = if inside == Inside::Http1 {
        speak_http1(stream, endpoint, bounds)
            .await
            .map(Sender::Http1)
    } else {
        speak_http2(stream, endpoint, bounds).await
    };
    let sender = sender.map_err(|_| Failure::Failed)?;
    Ok(Connection { sender, tls_us })
}

/// Opens a connection within the time allowed, and encrypts it where the endpoint wants that.
pub async fn dial(
    endpoint: &Endpoint,
    limit: Duration,
    inside: Inside,
) -> Result<Dialled, Failure> {
    let seal = endpoint.seal();
    let opened = timeout(limit, async {
        let stream = open(endpoint)
            .await
            .map_err(|error| failure(endpoint, &error))?;
        protect(stream, &seal, inside).await
    });
    opened.await.map_err(|_| Failure::Timeout)?
}

async fn protect(stream: Stream, seal: &Seal, inside: Inside) -> Result<Dialled, Failure> {
    match (seal, stream) {
        (Seal::Impossible, _) => Err(Failure::Tls(Refusal::NoIdentity)),
        (Seal::Tls(to), Stream::Tcp(stream)) => dialled(encrypt(stream, to, inside).await),
        (Seal::Outside(to), Stream::Tcp(stream)) => dialled(begin(stream, to, inside).await),
        (_, stream) => Ok(Dialled {
            stream,
            tls_us: None,
        }),
    }
}

fn dialled(encrypted: Result<Encrypted, Refusal>) -> Result<Dialled, Failure> {
    let encrypted = encrypted.map_err(Failure::Tls)?;
    Ok(Dialled {
        stream: Stream::tls(encrypted.stream, encrypted.watched),
        tls_us: Some(encrypted.took_us),
    })
}

fn failure(endpoint: &Endpoint, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::Refused,
        io::ErrorKind::NotFound if endpoint.is_socket() => Failure::Refused,
        io::ErrorKind::TimedOut => Failure::Timeout,
        _ => Failure::Failed,
    }
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
