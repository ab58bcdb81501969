//! The connection to the collector: kept between batches, opened anew when it is gone.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::batch::BatchId;
use super::coding::Coding;
use super::retry::Verdict;
use super::signal::Signal;
use super::url::Url;
use super::{over_grpc, over_http};
use crate::runtime::exec::LocalExec;
use crate::snapshot::ExportProtocol;

/// An attempt takes no longer than this.
const TIMEOUT: Duration = Duration::from_secs(10);
/// OTLP 1.11 allows a client to stop reading a response there.
const MAX_RESPONSE: usize = 4 * 1024 * 1024;

/// Where batches go, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub url: Url,
    pub signal: Signal,
    pub protocol: ExportProtocol,
}

#[derive(Default)]
pub struct Connection(Option<(Target, Sender)>);

enum Sender {
    Http(http1::SendRequest<Full<Bytes>>),
    Grpc(http2::SendRequest<Full<Bytes>>),
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
    #[error("the response is too large or broken")]
    Response,
    #[error("the endpoint is not a usable address: {0}")]
    Address(#[from] http::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

// === impl Connection ===

impl Connection {
    /// Sends a batch once; a failure of the connection is a reason to retry.
    pub async fn send(
        &mut self,
        target: &Target,
        id: BatchId,
        coding: Coding,
        body: Bytes,
    ) -> Verdict {
        // A connection that failed, or is still waited for, is not kept: `attempt` has taken it out.
        let attempt = self.attempt(target, id, coding, body);
        match tokio::time::timeout(TIMEOUT, attempt).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(failure)) => unanswered(target, &failure),
            Err(_) => unanswered(target, &Failure::Timeout),
        }
    }

    async fn attempt(
        &mut self,
        target: &Target,
        id: BatchId,
        coding: Coding,
        body: Bytes,
    ) -> Result<Verdict, Failure> {
        let mut sender = match self.0.take() {
            Some((to, sender)) if to == *target && !sender.is_closed() => sender,
            _ => connect(target).await?,
        };
        let verdict = match &mut sender {
            Sender::Http(http) => {
                http.ready().await?;
                let request = over_http::request(&target.url, id, coding, body)?;
                let (head, body, _) = whole(http.send_request(request).await?).await?;
                over_http::judge(head.status, &head.headers, &body, coding, SystemTime::now())
            }
            Sender::Grpc(http2) => {
                http2.ready().await?;
                let request = over_grpc::request(target, id, coding, &body)?;
                let (head, body, trailers) = whole(http2.send_request(request).await?).await?;
                let end = trailers.unwrap_or(head.headers);
                over_grpc::judge(head.status, &end, &body, coding)
            }
        };
        // gRPC's core goes on refusing a connection on which it met a compression that it does not know.
        if verdict != Verdict::Recode {
            self.0 = Some((target.clone(), sender));
        }
        Ok(verdict)
    }
}

impl Sender {
    fn is_closed(&self) -> bool {
        match self {
            Self::Http(sender) => sender.is_closed(),
            Self::Grpc(sender) => sender.is_closed(),
        }
    }
}

fn unanswered(target: &Target, failure: &Failure) -> Verdict {
    Verdict::Retry {
        after: None,
        problem: format!("the collector at {} is away: {failure}", target.url.address),
    }
}

type Whole = (http::response::Parts, Bytes, Option<http::HeaderMap>);

async fn whole(response: http::Response<hyper::body::Incoming>) -> Result<Whole, Failure> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_RESPONSE)
        .collect()
        .await
        .map_err(|_| Failure::Response)?;
    let trailers = body.trailers().cloned();
    Ok((head, body.to_bytes(), trailers))
}

async fn connect(target: &Target) -> Result<Sender, Failure> {
    let addresses = target.url.address.resolve().await?;
    let stream = TcpStream::connect(addresses.as_slice()).await?;
    stream.set_nodelay(true)?;
    let stream = TokioIo::new(stream);
    // Failures reach the sender; the tasks only drive the socket.
    match target.protocol {
        ExportProtocol::Http => {
            let (sender, connection) = http1::handshake(stream).await?;
            tokio::task::spawn_local(async move { drop(connection.await) });
            Ok(Sender::Http(sender))
        }
        ExportProtocol::Grpc => {
            let (sender, connection) = http2::Builder::new(LocalExec)
                .timer(TokioTimer::new())
                .handshake(stream)
                .await?;
            tokio::task::spawn_local(async move { drop(connection.await) });
            Ok(Sender::Grpc(sender))
        }
    }
}
