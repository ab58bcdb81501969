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
    /// Where there are some, clients have to encrypt; the one for the host that they name is shown.
    #[serde(default, deserialize_with = "named::list")]
    pub certificates: Vec<DoorCertificate>,
}

/// PEM files on the machine of the gateway.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct DoorCertificate {
    /// `None`: every host that no other is for.
    #[serde(default)]
    pub host: Option<String>,
    pub certificate: String,
    pub key: String,
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
        for (place, one) in door.certificates.iter().enumerate() {
            door_certificate(&format!("{at}.certificates[{place}]"), one)?;
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
    host_or_domain(at, host.host.as_deref())?;
    route_check::check(at, &host.routes, services)
}

fn door_certificate(at: &str, one: &DoorCertificate) -> Checked {
    for (field, path) in [("certificate", &one.certificate), ("key", &one.key)] {
        if !path.starts_with('/') {
            return refuse(&format!("{at}.{field}"), "is not an absolute path");
        }
    }
    host_or_domain(at, one.host.as_deref())
}

fn host_or_domain(at: &str, host: Option<&str>) -> Checked {
    host.map_or(Ok(()), |text| {
        let suffix = text.strip_prefix(ANY_LABELS).unwrap_or(text);
        name(&format!("{at}.host"), suffix)
    })
}
