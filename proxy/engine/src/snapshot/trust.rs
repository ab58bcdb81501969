//! Whose certificates are believed: the roots of each trust domain, and what was revoked.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::rules::{Checked, refuse};
use crate::tls::denied::Denied;
use crate::tls::spiffe::{SpiffeId, is_trust_domain};
use crate::tls::trust;

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// DER in base64, by trust domain.
    #[serde(default)]
    pub domains: BTreeMap<String, Vec<String>>,
    /// What of it was revoked, by trust domain.
    #[serde(default)]
    pub crls: BTreeMap<String, Vec<Crl>>,
}

/// A certificate revocation list (RFC 5280, 5) and the certificate of the issuer that signed it; DER in base64.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Crl {
    pub issuer: String,
    pub crl: String,
}

/// What becomes of connections that come in without TLS.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Demand {
    /// TLS is not looked for.
    #[default]
    Off,
    /// They are served, as those with TLS are.
    Permissive,
    /// They are refused.
    Strict,
}

pub(super) fn check(trust: &Trust) -> Checked {
    for (domain, roots) in &trust.domains {
        let at = format!("trust.domains.{domain}");
        if !is_trust_domain(domain) {
            return refuse(&at, "is not the name of a trust domain");
        }
        for (place, root) in roots.iter().enumerate() {
            if trust::root(root).is_none() {
                let problem = "is not the certificate of an authority, as DER in base64";
                return refuse(&format!("{at}[{place}]"), problem);
            }
        }
    }
    Denied::of(trust).map(drop)
}

pub(super) fn identity(field: &str, identity: Option<&str>) -> Checked {
    match identity {
        Some(text) if SpiffeId::parse(text).is_none() => {
            refuse(field, &format!("{text:?} is not a SPIFFE id"))
        }
        _ => Ok(()),
    }
}
