//! How TLS is begun to a service outside the mesh.

use rustls::pki_types::ServerName;
use serde::Deserialize;

use super::rules::{Checked, refuse};

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Origination {
    pub server_name: String,
    /// A PEM file of authorities; `None`: those of the machine.
    #[serde(default)]
    pub roots: Option<String>,
    #[serde(default)]
    pub certificate: Option<String>,
    #[serde(default)]
    pub key: Option<String>,
}

pub(super) fn check(at: &str, told: &Origination) -> Checked {
    if ServerName::try_from(told.server_name.as_str()).is_err() {
        let problem = format!("{:?} is not the name of a server", told.server_name);
        return refuse(&format!("{at}.server_name"), &problem);
    }
    let files = [
        ("roots", &told.roots),
        ("certificate", &told.certificate),
        ("key", &told.key),
    ];
    for (field, path) in files {
        if path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            return refuse(&format!("{at}.{field}"), "is not an absolute path");
        }
    }
    if told.certificate.is_some() != told.key.is_some() {
        return refuse(&format!("{at}.key"), "goes together with a certificate");
    }
    Ok(())
}
