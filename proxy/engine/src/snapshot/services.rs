//! The services a proxy may call, and their instances.

use std::collections::HashMap;

use serde::Deserialize;

use super::Protocol;
use super::faults::{self, Fault};
use super::named;
use super::origination::{self, Origination};
use super::policies::{self, Policy};
use super::route_check;
use super::routes::Route;
use super::rules::{Checked, host_port, ip_port, label, name, positive, refuse, within, zone};
use super::trust;
use crate::routing::route;

/// What a server name begins with that stands for all that end like it.
pub const ANY_LABELS: &str = "*.";

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    pub address: String,
    pub version: String,
    pub instance: String,
    #[serde(default)]
    pub zone: Option<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    pub name: String,
    pub authorities: Vec<String>,
    #[serde(default)]
    pub protocol: Protocol,
    #[serde(default = "default_connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    #[serde(default = "default_connect_attempts")]
    pub connect_attempts: u8,
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    #[serde(default, deserialize_with = "named::object")]
    pub policy: Policy,
    #[serde(default)]
    pub server_names: Vec<String>,
    #[serde(default)]
    pub addresses: Vec<String>,
    #[serde(default)]
    pub routes: Option<Vec<Route>>,
    #[serde(default)]
    pub faults: Vec<Fault>,
    #[serde(default)]
    pub outside: bool,
    /// The SPIFFE id that its endpoints must prove; `None`: they are spoken to in the clear.
    #[serde(default)]
    pub identity: Option<String>,
    /// It is outside of the mesh, and takes TLS.
    #[serde(default)]
    pub tls: Option<Origination>,
}

pub(super) fn default_connect_timeout_ms() -> u64 {
    1_000
}

fn default_timeout_ms() -> u64 {
    15_000
}

fn default_connect_attempts() -> u8 {
    3
}

pub(super) fn check(at: &str, services: &[Upstream]) -> Checked {
    let mut owners = HashMap::new();
    for (place, service) in services.iter().enumerate() {
        let at = format!("{at}.services[{place}]");
        name(&format!("{at}.name"), &service.name)?;
        if services[..place]
            .iter()
            .any(|other| other.name == service.name)
        {
            let problem = format!("{:?} is the name of another service too", service.name);
            return refuse(&format!("{at}.name"), &problem);
        }
        positive(
            &format!("{at}.connect_timeout_ms"),
            service.connect_timeout_ms,
        )?;
        positive(&format!("{at}.timeout_ms"), service.timeout_ms)?;
        let attempts = u64::from(service.connect_attempts);
        within(&format!("{at}.connect_attempts"), attempts, 1..=10)?;
        authorities(&at, service, &mut owners)?;
        trust::identity(&format!("{at}.identity"), service.identity.as_deref())?;
        if let Some(told) = &service.tls {
            origination::check(&format!("{at}.tls"), told)?;
        }
        endpoints(&at, service)?;
        for (place, text) in service.server_names.iter().enumerate() {
            let suffix = text.strip_prefix(ANY_LABELS).unwrap_or(text);
            name(&format!("{at}.server_names[{place}]"), suffix)?;
        }
        for (place, text) in service.addresses.iter().enumerate() {
            ip_port(&format!("{at}.addresses[{place}]"), text)?;
        }
        policies::check(&format!("{at}.policy"), &service.policy)?;
        faults::check(&at, &service.faults)?;
        route_check::check(&at, service.routes.as_deref().unwrap_or_default(), services)?;
    }
    Ok(())
}

/// An authority means one service, however it is spelled.
fn authorities<'a>(
    at: &str,
    service: &'a Upstream,
    owners: &mut HashMap<String, &'a str>,
) -> Checked {
    if service.authorities.is_empty() {
        return refuse(&format!("{at}.authorities"), "must name at least one host");
    }
    for (place, authority) in service.authorities.iter().enumerate() {
        let field = format!("{at}.authorities[{place}]");
        let Some(plain) = route::normal(authority) else {
            return refuse(&field, &format!("{authority:?} is not host or host:port"));
        };
        let owner = *owners.entry(plain.into_owned()).or_insert(&service.name);
        if owner != service.name {
            return refuse(
                &field,
                &format!("{authority:?} already means service {owner:?}"),
            );
        }
    }
    Ok(())
}

fn endpoints(at: &str, service: &Upstream) -> Checked {
    for (place, endpoint) in service.endpoints.iter().enumerate() {
        let at = format!("{at}.endpoints[{place}]");
        host_port(&format!("{at}.address"), &endpoint.address)?;
        label(&format!("{at}.version"), &endpoint.version)?;
        name(&format!("{at}.instance"), &endpoint.instance)?;
        zone(&format!("{at}.zone"), endpoint.zone.as_deref())?;
    }
    Ok(())
}
