//! The private key of a workload: made here, kept in memory, and seen by nobody else unless sealed.

use rcgen::{
    CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, SanType, SigningKey as _,
};
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::SigningKey;

use std::sync::Arc;

use super::seal::{self, Sealed};

/// ECDSA on P-256: the smallest signatures and the cheapest to make of what every TLS 1.3 library knows.
pub struct Key(KeyPair);

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("no key could be made: {0}")]
    NotMade(rcgen::Error),
    #[error("uris[{place}]: {uri:?} is not an address a certificate can hold")]
    NotAUri { place: usize, uri: String },
    #[error("the request could not be signed: {0}")]
    NotSigned(rcgen::Error),
    #[error("the sealed key {0}")]
    Sealed(#[from] Sealed),
    #[error("what was sealed is not an ECDSA P-256 key")]
    NotAKey,
}

impl Key {
    pub fn generate() -> Result<Self, KeyError> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map(Self)
            .map_err(KeyError::NotMade)
    }

    /// A request for a certificate on these names (PKCS#10, RFC 2986), in DER.
    pub fn csr(&self, uris: &[String]) -> Result<Vec<u8>, KeyError> {
        let mut names = Vec::with_capacity(uris.len());
        for (place, uri) in uris.iter().enumerate() {
            let name = uri.as_str().try_into().map_err(|_| KeyError::NotAUri {
                place,
                uri: uri.clone(),
            })?;
            names.push(SanType::URI(name));
        }
        let mut asked = CertificateParams::default();
        asked.subject_alt_names = names;
        asked.distinguished_name = DistinguishedName::new();
        let request = asked
            .serialize_request(&self.0)
            .map_err(KeyError::NotSigned)?;
        Ok(request.der().to_vec())
    }

    /// Signs with SHA-256 (ECDSA, ASN.1): proof that one holds the key.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.0.sign(message).map_err(KeyError::NotSigned)
    }

    pub fn seal(&self, secret: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(seal::seal(self.0.serialized_der(), secret)?)
    }

    pub fn unseal(sealed: &[u8], secret: &[u8]) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from(seal::unseal(sealed, secret)?);
        KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)
            .map(Self)
            .map_err(|_| KeyError::NotAKey)
    }

    /// The same key as TLS uses it.
    pub fn signer(&self) -> Result<Arc<dyn SigningKey>, KeyError> {
        let der = PrivatePkcs8KeyDer::from(self.0.serialized_der());
        any_ecdsa_type(&PrivateKeyDer::Pkcs8(der)).map_err(|_| KeyError::NotAKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_being_sealed() {
        let key = Key::generate().unwrap();
        let again = Key::unseal(&key.seal(b"secret").unwrap(), b"secret").unwrap();
        assert_eq!(again.0.serialized_der(), key.0.serialized_der());
    }

    #[test]
    fn what_no_certificate_can_hold_is_refused_by_its_place() {
        let uris = ["spiffe://a/b".to_owned(), "spiffe://a/\u{e9}".to_owned()];
        let refused = Key::generate().unwrap().csr(&uris).unwrap_err().to_string();
        assert!(
            refused.starts_with("uris[1]: \"spiffe://a/\u{e9}\""),
            "{refused}"
        );
    }
}
