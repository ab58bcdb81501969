//! Where a proxy listens, and where the application does.

use serde::Deserialize;

use super::Protocol;
use super::gate::{self, Gate};
use super::named;
use super::rules::{Checked, host_port, positive, refuse};
use super::services::default_connect_timeout_ms;

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
    #[serde(default, deserialize_with = "named::object")]
    pub gate: Gate,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Outbound {
    pub listen: String,
}

fn default_app_timeout_ms() -> u64 {
    60_000
}

pub(super) fn inbound(inbound: &Inbound) -> Checked {
    host_port("inbound.listen", &inbound.listen)?;
    host_port("inbound.app", &inbound.app)?;
    if inbound.listen == inbound.app {
        return refuse(
            "inbound.app",
            "is the proxy's own inbound address; name the address of the application",
        );
    }
    positive("inbound.connect_timeout_ms", inbound.connect_timeout_ms)?;
    positive("inbound.timeout_ms", inbound.timeout_ms)?;
    gate::check("inbound.gate", &inbound.gate)
}

pub(super) fn outbound(outbound: &Outbound) -> Checked {
    host_port("outbound.listen", &outbound.listen)
}
