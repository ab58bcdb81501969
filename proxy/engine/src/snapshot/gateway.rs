//! Where requests come into the mesh, or leave it, at a proxy without an application; and which way they go.

use serde::Deserialize;

use super::gate::{self, Gate};
use super::routes::Route;
use super::rules::{Checked, host_port, name, refuse, within};
use super::services::{ANY_LABELS, Upstream};
use super::{named, route_check};

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    #[serde(deserialize_with = "named::list")]
    pub doors: Vec<Door>,
    #[serde(default)]
    pub callers: Callers,
    #[serde(default)]
    pub trace: Trace,
    #[serde(default)]
    pub trusted_hops: u8,
    #[serde(default, deserialize_with = "named::object")]
    pub gate: Gate,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Door {
    pub listen: String,
    #[serde(default, deserialize_with = "named::list")]
    pub hosts: Vec<VirtualHost>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct VirtualHost {
    /// `None`: every host that no other is for.
    #[serde(default)]
    pub host: Option<String>,
    #[serde(default, deserialize_with = "named::list")]
    pub routes: Vec<Route>,
}

/// Who asks: what clients outside the mesh say of themselves counts for nothing.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Callers {
    #[default]
    Outside,
    Mesh,
}

/// What becomes of the trace that a request comes with.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Trace {
    /// Another one begins.
    #[default]
    Restart,
    Continue,
}

pub(super) fn check(at: &str, gateway: &Gateway, services: &[Upstream]) -> Checked {
    if gateway.doors.is_empty() {
        return refuse(
            &format!("{at}.doors"),
            "is empty; a gateway has one at least",
        );
    }
    for (place, door) in gateway.doors.iter().enumerate() {
        let at = format!("{at}.doors[{place}]");
        host_port(&format!("{at}.listen"), &door.listen)?;
        for (place, host) in door.hosts.iter().enumerate() {
            virtual_host(&format!("{at}.hosts[{place}]"), host, services)?;
        }
    }
    within(
        &format!("{at}.trusted_hops"),
        gateway.trusted_hops.into(),
        0..=32,
    )?;
    gate::check(&format!("{at}.gate"), &gateway.gate)
}

fn virtual_host(at: &str, host: &VirtualHost, services: &[Upstream]) -> Checked {
    if let Some(text) = &host.host {
        let suffix = text.strip_prefix(ANY_LABELS).unwrap_or(text);
        name(&format!("{at}.host"), suffix)?;
    }
    route_check::check(at, &host.routes, services)
}
