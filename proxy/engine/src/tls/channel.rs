//! Bytes between a proxy and its control plane over TLS 1.3; the sidecar's thread waits for them.
//!
//! In: an address, by what the control plane is known, and a certificate to show once there is one. Out: bytes, each way.
//! Never: a wait without an end.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::anchor::Anchor;
use super::config::PROVIDER;
use super::credential::Credential;
use super::verify::Asking;

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// One connection; each read and write takes so long at most as was said when it was opened.
pub struct Channel(Mutex<Stream>);

impl Channel {
    /// Connects, and shakes hands; a server that is not the control plane is an error of `InvalidData`.
    pub fn open(
        host: &str,
        port: u16,
        anchor: Anchor,
        shown: Option<&Credential>,
        patience: Duration,
    ) -> io::Result<Self> {
        let config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Asking(anchor)));
        let config = match shown {
            Some(credential) => {
                let certified = Arc::clone(&credential.certified);
                config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
            }
            None => config.with_no_client_auth(),
        };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        let mut tcp = connected(host, port, patience)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        Ok(Self(Mutex::new(StreamOwned::new(tls, tcp))))
    }

    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// Some bytes, `most` of them at most; none at the end.
    pub fn read(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; most.min(LONGEST_READ)];
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = match stream.read(&mut bytes) {
            // A server that ends without a word ends all the same: what it says has its own ends.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "nothing came in time",
                ));
            }
            read => read?,
        };
        bytes.truncate(read);
        Ok(bytes)
    }
}

const LONGEST_READ: usize = 64 * 1024;

fn connected(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => {
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
