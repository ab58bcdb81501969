//! The keys that tokens are signed with: a JSON Web Key Set (RFC 7517), read as far as it can be used.
//!
//! In: JSON from an identity provider. Out: public keys by algorithm and id, and whether one of them made a signature.
//! Never: a key used for another algorithm than its own, or a secret one.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;

/// Keys of one set that are looked at; the rest is left out.
const MOST: usize = 64;
/// Of an RSA modulus (RFC 7518, 3.3: 2048 bits at least).
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;
const P256_BYTES: usize = 32;
const ED25519_BYTES: usize = 32;

/// How a token may be signed (RFC 7518, 3.1; RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

#[derive(Debug, Default)]
pub struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<Box<str>>,
    public: Public,
}

#[derive(Debug)]
enum Public {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// What signatures are found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    Yes,
    No,
    /// There is no key of that id for that algorithm.
    Unknown,
}

/// Why a text is no set of keys that can be used.
#[derive(Debug, thiserror::Error)]
pub enum NoKeys {
    #[error("is not a JSON Web Key Set: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error(
        "has no key that can be used: RSA from 2048 bits for RS256, P-256 for ES256, Ed25519 for EdDSA"
    )]
    NoneOfUse,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Written {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

// === impl Algorithm ===

impl Algorithm {
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

// === impl Keys ===

impl Keys {
    /// Reads a set; keys of other kinds are left out (RFC 7517, 5).
    pub fn parse(json: &str) -> Result<Self, NoKeys> {
        let set: Set = serde_json::from_str(json)?;
        let keys: Vec<Key> = set
            .keys
            .into_iter()
            .filter_map(|value| Key::of(serde_json::from_value(value).ok()?))
            .take(MOST)
            .collect();
        if keys.is_empty() {
            return Err(NoKeys::NoneOfUse);
        }
        Ok(Self(keys))
    }

    #[cfg(any(test, feature = "python"))]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a key of this id made the signature; without an id any of the algorithm's may have.
    #[must_use]
    pub fn made(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Signed {
        let of_id = |key: &&Key| id.is_none() || key.id.as_deref() == id;
        let mut keys = self
            .0
            .iter()
            .filter(|key| key.algorithm() == algorithm)
            .filter(of_id)
            .peekable();
        if keys.peek().is_none() {
            return Signed::Unknown;
        }
        if keys.any(|key| key.made(message, signature)) {
            Signed::Yes
        } else {
            Signed::No
        }
    }
}

// === impl Key ===

impl Key {
    fn of(from: Written) -> Option<Self> {
        let bytes = |text: &Option<String>| BASE64_URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let crv = from.crv.as_deref();
        let public = match (&*from.kty, crv) {
            ("RSA", _) => {
                let n = bytes(&from.n)?;
                let sound = RSA_BYTES.contains(&n.len()) && n.first() != Some(&0);
                let e = bytes(&from.e)?;
                sound.then_some(Public::Rsa { n, e })?
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(&from.x)?, bytes(&from.y)?);
                let sound = x.len() == P256_BYTES && y.len() == P256_BYTES;
                sound.then(|| Public::P256([&[4], &*x, &*y].concat()))?
            }
            ("OKP", Some("Ed25519")) => {
                let x = bytes(&from.x)?;
                (x.len() == ED25519_BYTES).then_some(Public::Ed25519(x))?
            }
            _ => return None,
        };
        let key = Self {
            id: from.kid.map(Into::into),
            public,
        };
        let for_signatures = from.purpose.is_none_or(|purpose| purpose == "sig");
        let named = from.alg.map(|name| Algorithm::named(&name));
        let of_algorithm = named.is_none_or(|named| named == Some(key.algorithm()));
        (for_signatures && of_algorithm).then_some(key)
    }

    fn algorithm(&self) -> Algorithm {
        match self.public {
            Public::Rsa { .. } => Algorithm::Rs256,
            Public::P256(_) => Algorithm::Es256,
            Public::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    fn made(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.public {
            Public::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
            Public::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Public::Ed25519(point) => {
                UnparsedPublicKey::new(&ED25519, point).verify(message, signature)
            }
        };
        verified.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.2 and A.4.
    const ED25519_SET: &str = r#"{"keys": [{"kty": "oct", "k": "AAAA"}, 7, {"kty": "OKP", "crv": "Ed25519", "kid": "a",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    const MESSAGE: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    const SIGNATURE: &str =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

    #[test]
    fn a_signature_is_checked_by_the_key_of_its_id() {
        let keys = Keys::parse(ED25519_SET).unwrap();
        assert_eq!(keys.len(), 1, "secret ones and others are left out");
        let signature = BASE64_URL_SAFE_NO_PAD.decode(SIGNATURE).unwrap();
        let made =
            |id, message: &str| keys.made(Algorithm::EdDsa, id, message.as_bytes(), &signature);
        assert_eq!(made(Some("a"), MESSAGE), Signed::Yes);
        assert_eq!(made(None, MESSAGE), Signed::Yes);
        assert_eq!(made(Some("a"), "other"), Signed::No);
        assert_eq!(made(Some("b"), MESSAGE), Signed::Unknown);
        let other = keys.made(Algorithm::Es256, Some("a"), MESSAGE.as_bytes(), &signature);
        assert_eq!(other, Signed::Unknown, "a key is for its own algorithm");
    }

    #[test]
    fn what_cannot_be_used_is_no_set() {
        for json in [
            "",
            "[]",
            r#"{"keys": {}}"#,
            r#"{"keys": []}"#,
            r#"{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}"#,
            r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}]}"#,
            r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "enc", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
            r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "RS256", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
        ] {
            assert!(Keys::parse(json).is_err(), "{json}");
        }
    }
}
