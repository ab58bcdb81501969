//! The `RequestAuthentication` documents that are for one workload: whose tokens count, and what is wrong with one.
//!
//! In: the headers of a request and the time. Out: the claims of its token, or a reason. Never: a token kept that was not found
//! sound, or any part of one shown.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::asking::Claims;
use super::claims::found;
use crate::hash::Quick;
use crate::reasons::Reason;
use crate::snapshot::authentication as snapshot;

pub mod keys;
pub mod token;

use keys::{Keys, Signed};
use token::Token;

const BEARER: &str = "bearer ";
/// Tokens that one worker remembers to be sound, and how long each may be.
const REMEMBERED: usize = 512;
const LONGEST_REMEMBERED: usize = 4_096;

pub struct Tokens {
    pub required: bool,
    issuers: Vec<Issuer>,
    /// Headers in which tokens come, each once.
    headers: Vec<HeaderName>,
    sound: RefCell<HashMap<Box<str>, Sound, Quick>>,
}

struct Issuer {
    name: Box<str>,
    audiences: Vec<Box<str>>,
    keys: Keys,
    leeway_s: f64,
    header: HeaderName,
    forward: bool,
    claim_headers: Vec<(HeaderName, Box<str>)>,
}

/// A token whose signature, issuer and audience are as they should be; its time is looked at again each time.
#[derive(Clone)]
struct Sound {
    claims: Rc<Claims>,
    issuer: usize,
}

// === impl Tokens ===

impl Tokens {
    /// Checked documents.
    #[must_use]
    pub fn of(from: &snapshot::Tokens) -> Self {
        let issuers: Vec<_> = from.issuers.iter().filter_map(Issuer::of).collect();
        let mut headers: Vec<HeaderName> = Vec::new();
        for issuer in &issuers {
            if !headers.contains(&issuer.header) {
                headers.push(issuer.header.clone());
            }
        }
        Self {
            required: from.required,
            issuers,
            headers,
            sound: RefCell::default(),
        }
    }

    /// The claims of a request's token; `None` where it has none and needs none. Headers that say claims say them from here on,
    /// whatever the caller wrote into them.
    pub fn check(&self, headers: &mut HeaderMap, now_s: f64) -> Result<Option<Rc<Claims>>, Reason> {
        for (name, _) in self.issuers.iter().flat_map(|issuer| &issuer.claim_headers) {
            headers.remove(name);
        }
        let Some((header, text)) = self.presented(headers)? else {
            return if self.required {
                Err(Reason::TokenMissing)
            } else {
                Ok(None)
            };
        };
        let sound = self.judged(header, text)?;
        let issuer = &self.issuers[sound.issuer];
        issuer.in_time(&sound.claims, now_s)?;
        issuer.tell(headers, &sound.claims);
        Ok(Some(sound.claims))
    }

    /// The one token of a request.
    fn presented<'a>(
        &'a self,
        headers: &'a HeaderMap,
    ) -> Result<Option<(&'a HeaderName, &'a str)>, Reason> {
        let mut one = None;
        for name in &self.headers {
            for value in headers.get_all(name) {
                let text = value.to_str().map_err(|_| Reason::TokenMalformed)?;
                let text = if name == AUTHORIZATION {
                    // Another scheme is somebody else's affair.
                    let Some(token) = bearer(text) else { continue };
                    token
                } else {
                    text.trim()
                };
                if one.replace((name, text)).is_some() {
                    return Err(Reason::TokenMalformed);
                }
            }
        }
        Ok(one)
    }

    fn judged(&self, header: &HeaderName, text: &str) -> Result<Sound, Reason> {
        if let Some(known) = self.sound.borrow().get(text)
            && self.issuers[known.issuer].header == header
        {
            return Ok(known.clone());
        }
        let token = Token::parse(text).ok_or(Reason::TokenMalformed)?;
        let (place, issuer) = self
            .issuer_of(&token, header)
            .ok_or(Reason::TokenWrongIssuer)?;
        let id = token.key.as_deref();
        match issuer
            .keys
            .made(token.algorithm, id, token.message, &token.signature)
        {
            Signed::Yes => {}
            Signed::No => return Err(Reason::TokenBadSignature),
            Signed::Unknown => return Err(Reason::TokenUnknownKey),
        }
        if !issuer.is_for_us(&token.claims) {
            return Err(Reason::TokenWrongAudience);
        }
        let sound = Sound {
            claims: Rc::new(token.claims),
            issuer: place,
        };
        self.remember(text, &sound);
        Ok(sound)
    }

    fn issuer_of(&self, token: &Token<'_>, header: &HeaderName) -> Option<(usize, &Issuer)> {
        let name = token.claims.get("iss")?.as_str()?;
        let mut issuers = self.issuers.iter().enumerate();
        issuers.find(|(_, issuer)| &*issuer.name == name && issuer.header == header)
    }

    fn remember(&self, text: &str, sound: &Sound) {
        if text.len() > LONGEST_REMEMBERED {
            return;
        }
        let mut known = self.sound.borrow_mut();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(text.into(), sound.clone());
    }
}

/// What follows the scheme, whose case does not matter (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let scheme = value.get(..BEARER.len())?;
    scheme
        .eq_ignore_ascii_case(BEARER)
        .then(|| value[BEARER.len()..].trim())
}

// === impl Issuer ===

impl Issuer {
    fn of(from: &snapshot::Issuer) -> Option<Self> {
        let name = |text: &str| HeaderName::try_from(text).ok();
        let pair =
            |(header, claim): &(String, String)| Some((name(header)?, claim.as_str().into()));
        Some(Self {
            name: from.issuer.as_str().into(),
            audiences: from
                .audiences
                .iter()
                .map(|one| one.as_str().into())
                .collect(),
            // Keys that have not been fetched yet are none.
            keys: from
                .jwks
                .as_deref()
                .and_then(|set| Keys::parse(set).ok())
                .unwrap_or_default(),
            leeway_s: f64::from(from.leeway_s),
            header: name(&from.header)?,
            forward: from.forward,
            claim_headers: from.claim_headers.iter().map(pair).collect::<Option<_>>()?,
        })
    }

    /// RFC 7519, 4.1.3: one audience or a list of them.
    fn is_for_us(&self, claims: &Claims) -> bool {
        let wanted = |value: &Value| {
            let text = value.as_str();
            text.is_some_and(|text| self.audiences.iter().any(|one| &**one == text))
        };
        self.audiences.is_empty()
            || match claims.get("aud") {
                Some(Value::Array(all)) => all.iter().any(wanted),
                Some(one) => wanted(one),
                None => false,
            }
    }

    /// A token without an end has ended: nobody could take it back.
    fn in_time(&self, claims: &Claims, now_s: f64) -> Result<(), Reason> {
        let at = |name: &str| {
            claims
                .get(name)
                .map(|value| value.as_f64().unwrap_or(f64::NAN))
        };
        let ends = at("exp").unwrap_or(f64::NAN);
        if ends.is_nan() || now_s >= ends + self.leeway_s {
            return Err(Reason::TokenExpired);
        }
        match at("nbf") {
            Some(begins) if begins.is_nan() || now_s < begins - self.leeway_s => {
                Err(Reason::TokenTooEarly)
            }
            _ => Ok(()),
        }
    }

    /// Says claims in headers, and takes the token away where it is not to go on.
    fn tell(&self, headers: &mut HeaderMap, claims: &Claims) {
        for (name, claim) in &self.claim_headers {
            let text = match found(claims, claim) {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        }
        if !self.forward {
            headers.remove(&self.header);
        }
    }
}
