//! Encrypts a connection to an endpoint of another proxy, and makes sure that it is the service that was meant.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::tls::config::Outgoing;
use crate::tls::leaf::Leaf;
use crate::tls::refusal::Refusal;
use crate::tls::trust;
use crate::tls::watched::Watched;

/// What is to be spoken inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    Http1,
    Http2,
    Opaque,
}

/// An encrypted connection, and the microseconds that it took.
pub struct Encrypted {
    pub stream: TlsStream<TcpStream>,
    pub watched: Watched,
    pub took_us: u64,
}

/// Shakes hands over an open connection.
pub async fn encrypt(
    stream: TcpStream,
    to: &Outgoing,
    inside: Inside,
) -> Result<Encrypted, Refusal> {
    let start = Instant::now();
    let name = remembered_as(stream.peer_addr()).ok_or(Refusal::Broken)?;
    let connector = TlsConnector::from(Arc::clone(config(to, inside)));
    let stream = connector
        .connect(name, stream)
        .await
        .map_err(|error| Refusal::of(&error))?;
    let connection = stream.get_ref().1;
    let chain = connection.peer_certificates().unwrap_or_default();
    let leaf = chain.first().ok_or(Refusal::NoCertificate)?;
    let leaf = Leaf::read(leaf).map_err(Refusal::Leaf)?;
    if connection.handshake_kind() == Some(HandshakeKind::Resumed) {
        to.trust.still(&leaf, trust::now())?;
    }
    let took_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    Ok(Encrypted {
        stream,
        watched: Watched::new(leaf),
        took_us,
    })
}

fn config(to: &Outgoing, inside: Inside) -> &Arc<ClientConfig> {
    match inside {
        Inside::Http1 => &to.http1,
        Inside::Http2 => &to.http2,
        Inside::Opaque => &to.opaque,
    }
}

/// Under which sessions with this endpoint are kept; it is not sent.
fn remembered_as(address: io::Result<SocketAddr>) -> Option<ServerName<'static>> {
    let address = address.ok()?;
    let host = address.ip().to_string().replace([':', '.'], "-");
    ServerName::try_from(format!("x{host}x{}", address.port())).ok()
}
