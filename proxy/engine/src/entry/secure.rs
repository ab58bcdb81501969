//! Whether a connection that comes in is encrypted, and who is at its other end.
//!
//! In: a connection to the application, of which nothing was read. Out: its bytes in the clear with what was verified of the
//! caller, or why it is refused. Never: a wait that has no end, or a caller that is believed without a certificate.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{HandshakeKind, ServerConfig};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::entry::begun::Begun;
use crate::entry::client_hello::{self, Hello};
use crate::entry::detect::{self, Spoken};
use crate::entry::farewell;
use crate::entry::limits::Limits;
use crate::entry::wire::Wire;
use crate::reasons::Reason;
use crate::snapshot::{Demand, Protocol};
use crate::tls::config::{Incoming, OPAQUE};
use crate::tls::leaf::Leaf;
use crate::tls::refusal::Refusal;
use crate::tls::trust::{self, Trust};
use crate::tls::watched::Watched;

/// The first byte of a TLS connection (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// What is asked of those who connect to an application.
#[derive(Clone, Default)]
pub struct Guard {
    pub demand: Demand,
    /// `None` while the workload has no certificate to show.
    pub incoming: Option<Arc<Incoming>>,
}

/// How a connection is protected.
#[derive(Default)]
pub enum Secured {
    /// Nobody asked.
    #[default]
    Unasked,
    /// It was looked for, and is not.
    Plaintext,
    Mutual(Verified),
    /// The other end is nobody that has to prove anything.
    OneWay,
}

/// A caller that has proved who it is.
pub struct Verified {
    pub leaf: Leaf,
    /// By a session that it had before.
    pub resumed: bool,
    chain: Vec<CertificateDer<'static>>,
    trust: Arc<Trust>,
}

/// An accepted connection in the clear, and what was read of it.
pub struct Entered {
    pub wire: Wire,
    pub held: BytesMut,
    pub secured: Secured,
}

/// Why a connection does not come in.
pub enum Barred {
    /// It said nothing, or broke off.
    Silent,
    /// It speaks in the clear, and may be told that it must not.
    Plaintext {
        stream: TcpStream,
        spoken: Spoken,
    },
    Refused(Refusal),
}

impl Barred {
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Silent => None,
            Self::Plaintext { .. } => Some(Reason::PlaintextRefused),
            Self::Refused(refusal) => Some(refusal.reason()),
        }
    }
}

impl Entered {
    #[must_use]
    pub fn unasked(stream: TcpStream) -> Self {
        Self {
            wire: Wire::Plain(stream),
            held: BytesMut::new(),
            secured: Secured::Unasked,
        }
    }
}

// === impl Verified ===

impl Verified {
    fn of(incoming: &Incoming, connection: &rustls::ServerConnection) -> Result<Self, Refusal> {
        let chain = connection.peer_certificates().unwrap_or_default();
        let first = chain.first().ok_or(Refusal::NoCertificate)?;
        let leaf = Leaf::read(first).map_err(Refusal::Leaf)?;
        let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        if resumed {
            incoming.trust.still(&leaf, trust::now())?;
        }
        Ok(Self {
            leaf,
            resumed,
            chain: chain.iter().map(|one| one.clone().into_owned()).collect(),
            trust: Arc::clone(&incoming.trust),
        })
    }

    /// Whether it is to be believed by those roots and denials that are in force now. That it has ended since says nothing
    /// new: the connection is parted with for that (`Caller::part`).
    pub fn under(&self, guard: &Guard) -> Result<(), Refusal> {
        let Some(incoming) = &guard.incoming else {
            return Ok(());
        };
        if Arc::ptr_eq(&incoming.trust, &self.trust) {
            return Ok(());
        }
        let (leaf, above) = self.chain.split_first().ok_or(Refusal::NoCertificate)?;
        let last = trust::now().min(self.leaf.not_after);
        let then = UnixTime::since_unix_epoch(last);
        incoming.trust.check(leaf, above, then).map(|_| ())
    }
}

// === impl Guard ===

impl Guard {
    /// Lets a connection in whose application speaks `protocol`.
    pub async fn admit(
        &self,
        mut stream: TcpStream,
        protocol: Protocol,
        limits: &Limits,
    ) -> Result<Entered, Barred> {
        let Ok(held) = self.first_bytes(&mut stream, protocol, limits).await else {
            return Err(Barred::Silent);
        };
        if self.is_for_us(&held, protocol) {
            return self.shake_hands(Begun { stream, held }, limits).await;
        }
        match self.demand {
            Demand::Strict => {
                let spoken = detect::guess(&held).map_or(Spoken::Tcp, |(spoken, _)| spoken);
                Err(Barred::Plaintext { stream, spoken })
            }
            _ => Ok(Entered {
                wire: Wire::Plain(stream),
                held,
                secured: Secured::Plaintext,
            }),
        }
    }

    /// Enough of them to tell. Where the application may speak first, silence means that nobody encrypts.
    async fn first_bytes(
        &self,
        stream: &mut TcpStream,
        protocol: Protocol,
        limits: &Limits,
    ) -> io::Result<BytesMut> {
        let mut held = BytesMut::with_capacity(2_048);
        let may_wait = self.demand == Demand::Permissive && !speaks_http(protocol);
        let patience = if may_wait {
            limits.patience.detect
        } else {
            limits.idle
        };
        match timeout(patience, stream.read_buf(&mut held)).await {
            Err(_) if may_wait => return Ok(held),
            Err(_) | Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => read?,
        };
        if may_wait {
            let more = self.rest_of_hello(stream, &mut held);
            // What never becomes whole is not for us.
            let _ = timeout(limits.patience.detect, more).await;
        }
        Ok(held)
    }

    async fn rest_of_hello(&self, stream: &mut TcpStream, held: &mut BytesMut) -> io::Result<()> {
        while client_hello::read(held) == Hello::Partial {
            held.reserve(2_048);
            if stream.read_buf(held).await? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Where the application may encrypt by itself, only what proxies say of themselves tells.
    fn is_for_us(&self, held: &[u8], protocol: Protocol) -> bool {
        if self.demand == Demand::Permissive && !speaks_http(protocol) {
            return client_hello::offers(held, OPAQUE);
        }
        held.first() == Some(&HANDSHAKE)
    }

    async fn shake_hands(&self, begun: Begun, limits: &Limits) -> Result<Entered, Barred> {
        let Some(incoming) = &self.incoming else {
            return Err(Barred::Refused(Refusal::NoIdentity));
        };
        let stream = shake_hands(&incoming.config, begun, limits).await?;
        let verified = Verified::of(incoming, stream.get_ref().1).map_err(Barred::Refused)?;
        let watched = Watched::new(verified.leaf.clone());
        Ok(Entered {
            wire: Wire::tls(stream, Some(watched)),
            held: BytesMut::new(),
            secured: Secured::Mutual(verified),
        })
    }
}

/// Lets a client outside the mesh in, at a door where it has to encrypt.
pub async fn welcome(
    config: &Arc<ServerConfig>,
    mut stream: TcpStream,
    limits: &Limits,
) -> Result<Entered, Barred> {
    let mut held = BytesMut::with_capacity(2_048);
    let Ok(Ok(1..)) = timeout(limits.idle, stream.read_buf(&mut held)).await else {
        return Err(Barred::Silent);
    };
    if held.first() != Some(&HANDSHAKE) {
        let spoken = detect::guess(&held).map_or(Spoken::Tcp, |(spoken, _)| spoken);
        return Err(Barred::Plaintext { stream, spoken });
    }
    let stream = shake_hands(config, Begun { stream, held }, limits).await?;
    Ok(Entered {
        wire: Wire::tls(stream, None),
        held: BytesMut::new(),
        secured: Secured::OneWay,
    })
}

async fn shake_hands(
    config: &Arc<ServerConfig>,
    begun: Begun,
    limits: &Limits,
) -> Result<TlsStream<Begun>, Barred> {
    let acceptor = TlsAcceptor::from(Arc::clone(config));
    let shaken = timeout(limits.patience.head, acceptor.accept(begun).into_fallible());
    match shaken.await {
        Err(_) => Err(Barred::Refused(Refusal::Slow)),
        Ok(Err((error, io))) => {
            // A caller that is reset would not hear why.
            farewell::part(io, &[]).await;
            Err(Barred::Refused(Refusal::of(&error)))
        }
        Ok(Ok(stream)) => Ok(stream),
    }
}

fn speaks_http(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Http1 | Protocol::Http2)
}
