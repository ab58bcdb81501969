//! A JSON Web Token in its compact form (RFC 7515, 7.1; RFC 7519), taken apart and not yet believed.
//!
//! In: text from anyone. Out: what it says, and what is signed. Never: a form that two readers could read in two ways.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::keys::Algorithm;
use crate::authz::asking::Claims;

/// A longer one is none.
pub const LONGEST: usize = 16_384;

pub struct Token<'a> {
    pub algorithm: Algorithm,
    pub key: Option<String>,
    pub claims: Claims,
    /// Head and claims, as they were signed.
    pub message: &'a [u8],
    pub signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    /// What its reader has to understand beyond the standard: nothing is (RFC 7515, 4.1.11).
    #[serde(default)]
    crit: Option<Value>,
}

// === impl Token ===

impl<'a> Token<'a> {
    /// `None` for what is no token, or one signed in a way that is not known here.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (message, signature) = text.rsplit_once('.')?;
        let (head, claims) = message.split_once('.')?;
        let head: Head = serde_json::from_slice(&decoded(head)?).ok()?;
        if head.crit.is_some() {
            return None;
        }
        Some(Self {
            algorithm: Algorithm::named(&head.alg)?,
            key: head.kid,
            claims: serde_json::from_slice(&decoded(claims)?).ok()?,
            message: message.as_bytes(),
            signature: decoded(signature)?,
        })
    }
}

fn decoded(part: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(part).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(head: &str, claims: &str) -> String {
        let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(head), part(claims), part("signature"))
    }

    #[test]
    fn what_it_says_is_read_and_what_is_signed_kept() {
        let text = written(r#"{"alg": "ES256", "kid": "a"}"#, r#"{"sub": "ann"}"#);
        let token = Token::parse(&text).unwrap();
        assert_eq!(
            (token.algorithm, token.key.as_deref()),
            (Algorithm::Es256, Some("a"))
        );
        assert_eq!(token.claims["sub"], "ann");
        assert_eq!(token.signature, b"signature");
        assert!(text.as_bytes().starts_with(token.message));
    }

    #[test]
    fn what_is_no_token_is_none() {
        let sound = written(r#"{"alg": "ES256"}"#, "{}");
        assert!(Token::parse(&sound).is_some());
        for text in [
            String::new(),
            "a.b.c".to_owned(),
            format!("{sound}="),
            format!("{sound}.x"),
            written(r#"{"alg": "none"}"#, "{}"),
            written(r#"{"alg": "HS256"}"#, "{}"),
            written(r#"{"alg": "ES256", "crit": ["b64"]}"#, "{}"),
            written(r#"{"alg": "ES256"}"#, "[]"),
            written("{}", "{}"),
            written(
                r#"{"alg": "ES256"}"#,
                &format!(r#"{{"a": "{}"}}"#, "x".repeat(LONGEST)),
            ),
        ] {
            assert!(Token::parse(&text).is_none(), "{text}");
        }
    }
}
