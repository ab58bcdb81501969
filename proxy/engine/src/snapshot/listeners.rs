//! Where a proxy listens, and where the application does.

use serde::Deserialize;

use super::Protocol;
use super::gate::{self, Gate};
use super::named;
use super::rules::{Checked, host_port, place, positive, refuse};
use super::services::{Upstream, default_connect_timeout_ms};
use super::trust::Demand;

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Inbound {
    pub listen: String,
    pub app: String,
    #[serde(default)]
    pub protocol: Protocol,
    #[serde(default = "default_connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    #[serde(default = "default_app_timeout_ms")]
    pub timeout_ms: u64,
    #[serde(default)]
    pub transparent: bool,
    #[serde(default, deserialize_with = "named::object")]
    pub gate: Gate,
    #[serde(default)]
    pub tls: Demand,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Outbound {
    pub listen: String,
    #[serde(default)]
    pub listeners: Vec<Listener>,
    #[serde(default)]
    pub connect: Vec<String>,
    #[serde(default)]
    pub transparent: bool,
    #[serde(default)]
    pub outside: Outside,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    pub listen: String,
    /// `None`: the one whose server name a TLS client asks for.
    #[serde(default)]
    pub service: Option<String>,
}

/// What becomes of intercepted connections to what is no service of the mesh.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Outside {
    #[default]
    Allow,
    Deny,
}

fn default_app_timeout_ms() -> u64 {
    60_000
}

pub(super) fn inbound(at: &str, inbound: &Inbound) -> Checked {
    host_port(&format!("{at}.listen"), &inbound.listen)?;
    place(&format!("{at}.app"), &inbound.app)?;
    if inbound.listen == inbound.app {
        return refuse(
            &format!("{at}.app"),
            "is the proxy's own inbound address; name the address of the application",
        );
    }
    positive(
        &format!("{at}.connect_timeout_ms"),
        inbound.connect_timeout_ms,
    )?;
    positive(&format!("{at}.timeout_ms"), inbound.timeout_ms)?;
    gate::check(&format!("{at}.gate"), &inbound.gate)
}

pub(super) fn outbound(at: &str, outbound: &Outbound, services: &[Upstream]) -> Checked {
    host_port(&format!("{at}.listen"), &outbound.listen)?;
    for (place, listener) in outbound.listeners.iter().enumerate() {
        let at = format!("{at}.listeners[{place}]");
        host_port(&format!("{at}.listen"), &listener.listen)?;
        if let Some(service) = &listener.service {
            known(&format!("{at}.service"), service, services)?;
        }
    }
    for (place, service) in outbound.connect.iter().enumerate() {
        known(&format!("{at}.connect[{place}]"), service, services)?;
    }
    Ok(())
}

fn known(field: &str, service: &str, services: &[Upstream]) -> Checked {
    if services.iter().any(|other| other.name == service) {
        return Ok(());
    }
    refuse(
        field,
        &format!("{service:?} is no service of this snapshot"),
    )
}
