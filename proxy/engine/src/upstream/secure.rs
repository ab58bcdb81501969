//! Encrypts a connection to an endpoint, of another proxy or outside, and makes sure that it is who was meant.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::tls::config::{HTTP2, Outgoing};
use crate::tls::leaf::Leaf;
use crate::tls::origination::Origination;
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
    /// For what the mesh can deny.
    pub watched: Option<Watched>,
    pub took_us: u64,
}

/// Shakes hands with another proxy over an open connection.
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
    Ok(Encrypted {
        stream,
        watched: Some(Watched::new(leaf)),
        took_us: since(start),
    })
}

/// Shakes hands with a service outside of the mesh.
pub async fn begin(
    stream: TcpStream,
    to: &Origination,
    inside: Inside,
) -> Result<Encrypted, Refusal> {
    let start = Instant::now();
    let connector = TlsConnector::from(Arc::clone(to.config(inside)));
    let stream = connector
        .connect(to.name.clone(), stream)
        .await
        .map_err(|error| Refusal::of(&error))?;
    // One that chooses no protocol speaks HTTP/1.1 (RFC 9113, section 3.2).
    if inside == Inside::Http2 && stream.get_ref().1.alpn_protocol() != Some(HTTP2) {
        return Err(Refusal::Broken);
    }
    Ok(Encrypted {
        stream,
        watched: None,
        took_us: since(start),
    })
}

fn since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
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
