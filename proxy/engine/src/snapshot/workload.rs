//! One service instance that a proxy stands beside: who it is, the way in to it, the way out of it and to whom.

use std::collections::HashMap;

use serde::Deserialize;

use super::authorization::{self, Authorization};
use super::gateway::{self, Gateway};
use super::listeners::{self, Inbound, Outbound};
use super::named;
use super::node::{self, Node};
use super::rules::{Checked, refuse};
use super::services::{self, Upstream};
use super::trust;
use crate::entry::way::Way;

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    pub node: Node,
    /// The SPIFFE id that its certificate names.
    #[serde(default)]
    pub identity: Option<String>,
    #[serde(default)]
    pub inbound: Option<Inbound>,
    #[serde(default)]
    pub outbound: Option<Outbound>,
    #[serde(default, deserialize_with = "named::optional")]
    pub gateway: Option<Gateway>,
    #[serde(default, deserialize_with = "named::optional")]
    pub authorization: Option<Authorization>,
    #[serde(default)]
    pub services: Vec<Upstream>,
}

impl Workload {
    /// Everywhere its proxy listens for it, and for what.
    pub fn ways(&self) -> impl Iterator<Item = (Way, &str)> {
        let inbound = self
            .inbound
            .iter()
            .map(|part| (Way::Inbound, &*part.listen));
        let outbound = self.outbound.iter().flat_map(|part| {
            let further = part.listeners.iter().enumerate();
            let further = further.map(|(place, one)| (Way::Listener(place), &*one.listen));
            std::iter::once((Way::Outbound, &*part.listen)).chain(further)
        });
        let doors = self.gateway.iter().flat_map(|gateway| gateway.doors.iter());
        let doors = doors
            .enumerate()
            .map(|(place, door)| (Way::Door(place), &*door.listen));
        inbound.chain(outbound).chain(doors)
    }
}

pub(super) fn check(workloads: &[Workload]) -> Checked {
    if workloads.is_empty() {
        return refuse("workloads", "is empty; a proxy stands beside one at least");
    }
    let mut instances = HashMap::new();
    let mut addresses = HashMap::new();
    for (place, workload) in workloads.iter().enumerate() {
        let at = format!("workloads[{place}]");
        node::check(&format!("{at}.node"), &workload.node)?;
        trust::identity(&format!("{at}.identity"), workload.identity.as_deref())?;
        once(
            &mut instances,
            &workload.node.instance,
            format!("{at}.node.instance"),
        )?;
        if let Some(inbound) = &workload.inbound {
            let at = format!("{at}.inbound");
            listeners::inbound(&at, inbound)?;
        }
        services::check(&at, &workload.services)?;
        if let Some(outbound) = &workload.outbound {
            listeners::outbound(&format!("{at}.outbound"), outbound, &workload.services)?;
        }
        if let Some(gateway) = &workload.gateway {
            gateway::check(&format!("{at}.gateway"), gateway, &workload.services)?;
        }
        if let Some(part) = &workload.authorization {
            authorization::check(&format!("{at}.authorization"), part)?;
        }
        for (way, address) in workload.ways() {
            once(&mut addresses, address, format!("{at}.{}", way.field()))?;
        }
    }
    Ok(())
}

fn once<'a>(seen: &mut HashMap<&'a str, String>, value: &'a str, field: String) -> Checked {
    if let Some(other) = seen.get(value) {
        return refuse(&field, &format!("{value:?} is taken by {other}"));
    }
    seen.insert(value, field);
    Ok(())
}
