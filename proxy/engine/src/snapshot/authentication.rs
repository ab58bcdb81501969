//! Whose tokens count.

use serde::Deserialize;

use super::named;
use super::rules::{Checked, header_name, no_longer, refuse, within};
use crate::authz::tokens::keys::Keys;
use crate::routing::edits::editable;

const MOST: usize = 64;

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    pub issuer: String,
    #[serde(default)]
    pub audiences: Vec<String>,
    /// A JSON Web Key Set; `None` while it has not been fetched.
    #[serde(default)]
    pub jwks: Option<String>,
    #[serde(default = "a_minute")]
    pub leeway_s: u32,
    #[serde(default = "authorization")]
    pub header: String,
    #[serde(default = "yes")]
    pub forward: bool,
    #[serde(default)]
    pub claim_headers: Vec<(String, String)>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    #[serde(default)]
    pub required: bool,
    #[serde(deserialize_with = "named::list")]
    pub issuers: Vec<Issuer>,
}

fn a_minute() -> u32 {
    60
}

fn authorization() -> String {
    "authorization".to_owned()
}

fn yes() -> bool {
    true
}

pub(super) fn check(at: &str, tokens: &Tokens) -> Checked {
    within(
        &format!("{at}.issuers"),
        tokens.issuers.len() as u64,
        1..=MOST as u64,
    )?;
    for (place, one) in tokens.issuers.iter().enumerate() {
        issuer(&format!("{at}.issuers[{place}]"), one)?;
    }
    Ok(())
}

fn issuer(at: &str, issuer: &Issuer) -> Checked {
    text(&format!("{at}.issuer"), &issuer.issuer, 2_048)?;
    at_most(&format!("{at}.audiences"), issuer.audiences.len())?;
    for (place, audience) in issuer.audiences.iter().enumerate() {
        text(&format!("{at}.audiences[{place}]"), audience, 2_048)?;
    }
    if let Some(set) = &issuer.jwks
        && let Err(error) = Keys::parse(set)
    {
        return refuse(&format!("{at}.jwks"), &error.to_string());
    }
    within(&format!("{at}.leeway_s"), issuer.leeway_s.into(), 0..=3_600)?;
    header_name(&format!("{at}.header"), &issuer.header)?;
    at_most(&format!("{at}.claim_headers"), issuer.claim_headers.len())?;
    for (place, (name, claim)) in issuer.claim_headers.iter().enumerate() {
        let field = format!("{at}.claim_headers[{place}]");
        header_name(&format!("{field}[0]"), name)?;
        if !editable(name) {
            let problem = format!("{name:?} says how a message is carried and cannot be edited");
            return refuse(&format!("{field}[0]"), &problem);
        }
        text(&format!("{field}[1]"), claim, 256)?;
    }
    Ok(())
}

fn text(field: &str, text: &str, most: usize) -> Checked {
    if text.is_empty() {
        return refuse(field, "is empty");
    }
    no_longer(field, text, most)
}

fn at_most(field: &str, count: usize) -> Checked {
    if count <= MOST {
        return Ok(());
    }
    refuse(field, &format!("has {count} entries, can have {MOST}"))
}
