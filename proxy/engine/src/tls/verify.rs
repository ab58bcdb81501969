//! What rustls asks while two ends shake hands: whether to go on with the other one.
//!
//! In: the chain that the other end shows, and a judge. Out: as rustls wants to hear it, TLS 1.3 alone.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, SignatureScheme};

use super::refusal::Refusal;
use super::spiffe::SpiffeId;
use super::trust::{Trust, algorithms};

/// Whom one end goes on with.
pub trait Judge: fmt::Debug + Send + Sync {
    /// Looks at the chain of the other end, the leaf first.
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error>;
}

/// Has a judge decide, as either end of a connection.
#[derive(Debug)]
pub struct Asking<J>(pub J);

/// Believes any workload of a trusted domain.
#[derive(Debug)]
pub struct AnyWorkload(pub Arc<Trust>);

/// Believes one service and no other.
#[derive(Debug)]
pub struct OneService {
    pub trust: Arc<Trust>,
    pub expected: SpiffeId,
}

impl Judge for AnyWorkload {
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        self.0.check(leaf, above, now)?;
        Ok(())
    }
}

impl Judge for OneService {
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let shown = self.trust.check(leaf, above, now)?;
        if shown.id != self.expected {
            return Err(Refusal::WrongPeer.into());
        }
        Ok(())
    }
}

/// What both of rustls' traits want beside the chain: that the other end holds its key.
macro_rules! by_tls13 {
    () => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(PeerIncompatible::Tls12NotOffered.into())
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
    };
}

impl<J: Judge> ClientCertVerifier for Asking<J> {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Callers have one certificate only; a list of names would not help them to choose.
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.0.judge(leaf, above, now)?;
        Ok(ClientCertVerified::assertion())
    }

    by_tls13!();
}

impl<J: Judge> ServerCertVerifier for Asking<J> {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.0.judge(leaf, above, now)?;
        Ok(ServerCertVerified::assertion())
    }

    by_tls13!();
}
