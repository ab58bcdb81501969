//! What a workload shows of itself: its certificate with those above it, and the key that proves it.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;

use super::key::{Key, KeyError};
use super::leaf::{Broken, Leaf};

pub struct Credential {
    pub leaf: Leaf,
    pub certified: Arc<CertifiedKey>,
}

/// Why a chain cannot be shown to anyone.
#[derive(Debug, thiserror::Error)]
pub enum NotUsable {
    #[error("chain: is empty; it begins with the certificate of the workload")]
    Empty,
    #[error("chain[0]: {0}")]
    Leaf(#[from] Broken),
    #[error("chain[0]: is the certificate of another key")]
    OtherKey,
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Credential {
    /// Checks a chain in DER, the leaf first.
    pub fn of(key: &Key, chain: Vec<Vec<u8>>) -> Result<Self, NotUsable> {
        let chain: Vec<_> = chain.into_iter().map(CertificateDer::from).collect();
        let leaf = Leaf::read(chain.first().ok_or(NotUsable::Empty)?)?;
        let certified = CertifiedKey::new(chain, key.signer()?);
        certified.keys_match().map_err(|_| NotUsable::OtherKey)?;
        Ok(Self {
            leaf,
            certified: Arc::new(certified),
        })
    }
}
