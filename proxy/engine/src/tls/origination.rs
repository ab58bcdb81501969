//! SNAPSHOT + FILES -> TLS TO A SERVICE OUTSIDE: whom a proxy believes there, and what it shows.
//!
//! In: the name that is asked for, paths of PEM files. Out: what rustls is told, made once for all workers. Never: a
//! server believed for another name than that.

use std::sync::Arc;
use std::time::Instant;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ResolvesClientCert, verify_server_cert_signed_by_trust_anchor, verify_server_name,
};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::config::{HTTP1, HTTP2, PROVIDER};
use super::files::Pair;
use super::roots::{OF_SYSTEM, Roots};
use super::trust::algorithms;
use crate::snapshot;
use crate::upstream::secure::Inside;

pub struct Origination {
    told: snapshot::Origination,
    pub name: ServerName<'static>,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    opaque: Arc<ClientConfig>,
}

/// Believes whom the roots vouch for by the name that was asked for (RFC 9525).
#[derive(Debug)]
struct Vouched(Arc<Roots>);

struct Shown(Pair);

impl Origination {
    /// What was made before stays where it is told the same, with its sessions. `None` for a name that is none.
    #[must_use]
    pub fn of(told: &snapshot::Origination, before: Option<&Arc<Self>>) -> Option<Arc<Self>> {
        if let Some(before) = before.filter(|before| before.told == *told) {
            return Some(Arc::clone(before));
        }
        let roots = told.roots.as_ref().map_or_else(
            || Arc::clone(&OF_SYSTEM),
            |path| Arc::new(Roots::of(vec![path.into()])),
        );
        let asked = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .ok()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Vouched(roots)));
        let config = match (&told.certificate, &told.key) {
            (Some(certificate), Some(key)) => {
                asked.with_client_cert_resolver(Arc::new(Shown(Pair::of(certificate, key))))
            }
            _ => asked.with_no_client_auth(),
        };
        let speaking = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|one| one.to_vec()).collect();
            Arc::new(config)
        };
        Some(Arc::new(Self {
            name: ServerName::try_from(told.server_name.clone()).ok()?,
            told: told.clone(),
            http1: speaking(&[HTTP1]),
            http2: speaking(&[HTTP2]),
            opaque: speaking(&[]),
        }))
    }

    #[must_use]
    pub fn config(&self, inside: Inside) -> &Arc<ClientConfig> {
        match inside {
            Inside::Http1 => &self.http1,
            Inside::Http2 => &self.http2,
            Inside::Opaque => &self.opaque,
        }
    }
}

impl ServerCertVerifier for Vouched {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(leaf)?;
        let roots = self.0.current(Instant::now());
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots, above, now, algorithms().all)?;
        verify_server_name(&parsed, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signed, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("the certificate for a service outside")
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.current(Instant::now())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
