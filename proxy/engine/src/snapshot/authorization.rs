//! Who may ask what of an application, or at a gateway.

use serde::Deserialize;

use super::authentication::{self, Tokens};
use super::gate::{self, Asked};
use super::named;
use super::rules::{Checked, fits, name, no_longer, positive, refuse, within};
use crate::authz::glob::Glob;
use crate::authz::identity::Pattern;
use crate::tls::spiffe::is_trust_domain;

/// How many of anything a rule can have; each is looked at for every request.
const MOST: usize = 64;
/// The same of policies, of their rules, and of callers.
const MANY: usize = 256;

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    #[default]
    Allow,
    Deny,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ClaimMatch {
    pub name: String,
    pub values: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct AccessRule {
    pub name: String,
    #[serde(default)]
    pub callers: Vec<String>,
    #[serde(default, deserialize_with = "named::list")]
    pub matches: Vec<Asked>,
    #[serde(default)]
    pub ports: Vec<u16>,
    #[serde(default, deserialize_with = "named::list")]
    pub claims: Vec<ClaimMatch>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct AccessPolicy {
    pub name: String,
    #[serde(default)]
    pub action: Action,
    #[serde(default)]
    pub audit: bool,
    #[serde(default, deserialize_with = "named::list")]
    pub rules: Vec<AccessRule>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Authorization {
    pub service: String,
    pub ports: Vec<u16>,
    #[serde(default)]
    pub believed: Option<String>,
    #[serde(default, deserialize_with = "named::list")]
    pub policies: Vec<AccessPolicy>,
    #[serde(default, deserialize_with = "named::optional")]
    pub tokens: Option<Tokens>,
}

/// Checks every part of it.
pub fn check(at: &str, authorization: &Authorization) -> Checked {
    name(&format!("{at}.service"), &authorization.service)?;
    if authorization.ports.is_empty() {
        return refuse(&format!("{at}.ports"), "is empty");
    }
    ports(at, &authorization.ports)?;
    if let Some(domain) = &authorization.believed {
        let known = is_trust_domain(domain);
        fits(&format!("{at}.believed"), domain, known, "a trust domain")?;
    }
    few(
        &format!("{at}.policies"),
        authorization.policies.len(),
        MANY,
    )?;
    if let Some(tokens) = &authorization.tokens {
        authentication::check(&format!("{at}.tokens"), tokens)?;
    }
    for (place, policy) in authorization.policies.iter().enumerate() {
        let at = format!("{at}.policies[{place}]");
        no_longer(&format!("{at}.name"), &policy.name, 300)?;
        few(&format!("{at}.rules"), policy.rules.len(), MANY)?;
        for (place, one) in policy.rules.iter().enumerate() {
            rule(&format!("{at}.rules[{place}]"), one)?;
        }
    }
    Ok(())
}

fn rule(at: &str, rule: &AccessRule) -> Checked {
    no_longer(&format!("{at}.name"), &rule.name, 300)?;
    few(&format!("{at}.callers"), rule.callers.len(), MANY)?;
    for (place, caller) in rule.callers.iter().enumerate() {
        let known = Pattern::parse(caller).is_some();
        let what = "* or a SPIFFE id, with at most one * between two slashes";
        fits(&format!("{at}.callers[{place}]"), caller, known, what)?;
    }
    gate::asked(&format!("{at}.matches"), &rule.matches)?;
    few(&format!("{at}.ports"), rule.ports.len(), MOST)?;
    ports(at, &rule.ports)?;
    few(&format!("{at}.claims"), rule.claims.len(), MOST)?;
    for (place, one) in rule.claims.iter().enumerate() {
        claim(&format!("{at}.claims[{place}]"), one)?;
    }
    Ok(())
}

fn claim(at: &str, claim: &ClaimMatch) -> Checked {
    let length = claim.name.chars().count() as u64;
    within(&format!("{at}.name"), length, 1..=256)?;
    within(
        &format!("{at}.values"),
        claim.values.len() as u64,
        1..=MOST as u64,
    )?;
    for (place, value) in claim.values.iter().enumerate() {
        let field = format!("{at}.values[{place}]");
        no_longer(&field, value, 4_096)?;
        let known = !value.is_empty() && Glob::parse(value).is_some();
        fits(&field, value, known, "a text with at most one *")?;
    }
    Ok(())
}

fn ports(at: &str, ports: &[u16]) -> Checked {
    for (place, port) in ports.iter().enumerate() {
        positive(&format!("{at}.ports[{place}]"), u64::from(*port))?;
    }
    Ok(())
}

fn few(field: &str, count: usize, most: usize) -> Checked {
    if count <= most {
        return Ok(());
    }
    refuse(field, &format!("has {count} entries, can have {most}"))
}
