//! Posts one encoded batch to a collector over a connection that is kept.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::retry::{Verdict, judge};
use super::url::Url;
use crate::otlp::rejected_spans;

/// An attempt takes no longer than this.
const TIMEOUT: Duration = Duration::from_secs(10);
/// OTLP 1.11 allows a client to stop reading a response there.
const MAX_RESPONSE: usize = 4 * 1024 * 1024;

#[derive(Default)]
pub struct Connection(Option<(Url, SendRequest<Full<Bytes>>)>);

impl Connection {
    /// Sends a batch once; a failure of the connection is a reason to retry.
    pub async fn post(&mut self, url: &Url, batch: Bytes) -> Verdict {
        // A connection that failed, or is still waited for, is not kept: `attempt` has taken it out.
        let answer = tokio::time::timeout(TIMEOUT, self.attempt(url, batch)).await;
        answer
            .ok()
            .and_then(Result::ok)
            .unwrap_or(Verdict::Retry { after: None })
    }

    async fn attempt(&mut self, url: &Url, batch: Bytes) -> Result<Verdict, Failure> {
        let mut sender = match self.0.take() {
            Some((to, sender)) if to == *url && !sender.is_closed() => sender,
            _ => connect(url).await?,
        };
        sender.ready().await?;
        let mut request = Request::new(Full::new(batch));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.path.parse().map_err(|_| Failure::Address)?;
        let host = HeaderValue::try_from(url.address.to_string()).map_err(|_| Failure::Address)?;
        request.headers_mut().insert(HOST, host);
        request.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-protobuf"),
        );
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MAX_RESPONSE)
            .collect()
            .await
            .map_err(|_| Failure::Response)?
            .to_bytes();
        self.0 = Some((url.clone(), sender));
        let retry_after = head
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        Ok(judge(head.status, retry_after, rejected_spans(&body)))
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the endpoint is not a usable address")]
    Address,
    #[error("the response is too large or broken")]
    Response,
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

async fn connect(url: &Url) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let addresses = url.address.resolve().await?;
    let stream = TcpStream::connect(addresses.as_slice()).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Its failures reach the sender; the task only drives the socket.
    tokio::task::spawn_local(async move { drop(connection.await) });
    Ok(sender)
}
