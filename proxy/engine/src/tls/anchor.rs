//! By what a proxy knows its control plane: the roots of the mesh, or the fingerprint of one.
//!
//! In: the chain that a server shows. Out: whether it is the control plane. Never: a workload's certificate taken for it.

use ring::digest::{SHA256, digest};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

use super::leaf::Leaf;
use super::refusal::Refusal;
use super::trust::algorithms;
use super::verify::Judge;

/// The name of the control plane, below its trust domain.
const CONTROL_PLANE: &str = "/whymesh/control-plane";
const FINGERPRINT: usize = 32;

#[derive(Debug)]
pub struct Anchor {
    roots: RootCertStore,
    pin: Option<[u8; FINGERPRINT]>,
}

/// Why nothing could be known by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnchor {
    #[error("roots: there is none, and no fingerprint of one")]
    Nothing,
    #[error("roots[{0}]: is not a certificate in DER")]
    Unreadable(usize),
    #[error("pin: a SHA-256 fingerprint has 32 bytes")]
    Pin,
}

impl Anchor {
    /// Of roots in DER, and of the SHA-256 of a root that the server itself shows.
    pub fn of(roots: Vec<Vec<u8>>, pin: Option<&[u8]>) -> Result<Self, NoAnchor> {
        if roots.is_empty() && pin.is_none() {
            return Err(NoAnchor::Nothing);
        }
        let mut store = RootCertStore::empty();
        for (place, der) in roots.into_iter().enumerate() {
            let added = store.add(CertificateDer::from(der));
            added.map_err(|_| NoAnchor::Unreadable(place))?;
        }
        let pin = pin.map(TryInto::try_into).transpose();
        Ok(Self {
            roots: store,
            pin: pin.map_err(|_| NoAnchor::Pin)?,
        })
    }

    /// The roots, and the one among those shown that has the fingerprint.
    fn trusted(&self, shown: &[CertificateDer<'_>]) -> RootCertStore {
        let mut store = self.roots.clone();
        let pinned = shown.iter().find(|one| {
            Some(digest(&SHA256, one).as_ref()) == self.pin.as_ref().map(|pin| &pin[..])
        });
        if let Some(root) = pinned {
            // One that cannot be read vouches for nothing.
            let _ = store.add(root.clone().into_owned());
        }
        store
    }
}

impl Judge for Anchor {
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let shown = Leaf::read(leaf).map_err(Refusal::Leaf)?;
        if shown.id.path() != CONTROL_PLANE {
            return Err(Refusal::WrongPeer.into());
        }
        let parsed = ParsedCertificate::try_from(leaf)?;
        let store = self.trusted(above);
        if store.is_empty() {
            return Err(CertificateError::UnknownIssuer.into());
        }
        verify_server_cert_signed_by_trust_anchor(&parsed, &store, above, now, algorithms().all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_roots_or_the_fingerprint_of_one() {
        let none = Anchor::of(vec![], None);
        assert_eq!(none.err(), Some(NoAnchor::Nothing));
        let torn = Anchor::of(vec![vec![0x30]], None);
        assert_eq!(torn.err(), Some(NoAnchor::Unreadable(0)));
        assert_eq!(
            Anchor::of(vec![], Some(&[7; 31])).err(),
            Some(NoAnchor::Pin)
        );
        assert!(Anchor::of(vec![], Some(&[7; 32])).is_ok());
    }

    #[test]
    fn what_has_another_fingerprint_vouches_for_nothing() {
        let shown = [CertificateDer::from(vec![0x30, 0])];
        let other = Anchor::of(vec![], Some(&[7; 32])).unwrap();
        assert!(other.trusted(&shown).is_empty());
    }
}
