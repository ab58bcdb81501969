//! Decides whether a chain of certificates is to be believed (X.509-SVID, section 5).
//!
//! In: the chain that the other end showed, and the time. Out: who it is, or the one thing that is wrong with it. Never: a
//! chain to the root of another trust domain than the one that the leaf names.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

use super::denied::Denied;
use super::leaf::Leaf;
use super::refusal::Refusal;
use crate::snapshot;

#[derive(Debug)]
pub struct Trust {
    told: snapshot::Trust,
    roots: HashMap<Box<str>, RootCertStore>,
    pub denied: Arc<Denied>,
}

/// The certificate of an authority, from DER in base64.
#[must_use]
pub fn root(text: &str) -> Option<CertificateDer<'static>> {
    let der = CertificateDer::from(STANDARD.decode(text).ok()?);
    RootCertStore::empty().add(der.clone()).ok()?;
    Some(der)
}

#[must_use]
pub fn algorithms() -> WebPkiSupportedAlgorithms {
    ring::default_provider().signature_verification_algorithms
}

impl Trust {
    /// Of a checked snapshot; what was known before stays where nothing changed.
    #[must_use]
    pub fn of(told: &snapshot::Trust, before: Option<&Arc<Self>>) -> Arc<Self> {
        if let Some(before) = before
            && before.told == *told
        {
            return Arc::clone(before);
        }
        let store = |roots: &Vec<String>| {
            let mut store = RootCertStore::empty();
            for der in roots.iter().filter_map(|text| root(text)) {
                // It was tried when it was read.
                let _ = store.add(der);
            }
            store
        };
        Arc::new(Self {
            told: told.clone(),
            roots: told
                .domains
                .iter()
                .map(|(domain, roots)| (domain.as_str().into(), store(roots)))
                .collect(),
            // These were tried, too.
            denied: Arc::new(Denied::of(told).unwrap_or_default()),
        })
    }

    /// Verifies a chain, the leaf first.
    pub fn check(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Leaf, Refusal> {
        let read = Leaf::read(leaf).map_err(Refusal::Leaf)?;
        let roots = self.roots.get(read.id.trust_domain());
        let roots = roots.ok_or(Refusal::WrongTrustDomain)?;
        let parsed = ParsedCertificate::try_from(leaf).map_err(|_| Refusal::Unsound)?;
        // An SVID is for both ends, so what is asked of a server holds for callers too.
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, above, now, algorithms().all)
            .map_err(|error| refusal(&error))?;
        self.still(&read, Duration::from_secs(now.as_secs()))?;
        Ok(read)
    }

    /// Whether what was verified once is still so.
    pub fn still(&self, leaf: &Leaf, now: Duration) -> Result<(), Refusal> {
        if now > leaf.not_after {
            return Err(Refusal::Expired);
        }
        if self.denied.has(leaf) {
            return Err(Refusal::Denied);
        }
        Ok(())
    }
}

/// Since 1970.
#[must_use]
pub fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn refusal(error: &Error) -> Refusal {
    match error {
        Error::InvalidCertificate(fault) => match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Refusal::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Refusal::NotYetValid
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Refusal::UnknownAuthority
            }
            _ => Refusal::Unsound,
        },
        _ => Refusal::Unsound,
    }
}
