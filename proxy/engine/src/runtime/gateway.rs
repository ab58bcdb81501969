//! A way to services that leads through routes only, made ready for one worker.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::entry::way::Way;
use crate::gate::Gate;
use crate::routing::hosts::Hosts;
use crate::routing::outside::Trust;
use crate::routing::rules::Destination;
use crate::runtime::plan::{Service, rules_of, terms};
use crate::runtime::workload::Workload;
use crate::snapshot::{self, Callers, Protocol};
use crate::tls;
use crate::tls::doors::Doors;

pub struct Gateway {
    doors: Vec<Door>,
    /// What counts of what clients outside say; `None` where proxies of the mesh ask.
    pub trust: Option<Trust>,
    pub gate: Option<Rc<Gate>>,
    /// Stands for the callee of requests that reach none.
    pub nowhere: Rc<Service>,
}

/// Where requests come in.
struct Door {
    /// What there is for each host.
    hosts: Hosts<Rc<Destination>>,
    /// Where clients have to encrypt.
    tls: Option<Arc<tls::doors::Door>>,
}

// === impl Gateway ===

impl Gateway {
    #[must_use]
    pub fn of(
        from: &snapshot::Gateway,
        workload: &snapshot::Workload,
        services: &HashMap<Box<str>, Rc<Service>>,
        limits: &snapshot::Limits,
        workers: usize,
        known: Option<&Rc<Workload>>,
        secured: &Doors,
    ) -> Self {
        let name = &workload.node.service;
        let known = known.and_then(|known| known.gateway.as_ref());
        // Templates of paths are learned once.
        let nowhere = known.map_or_else(
            || {
                let terms = terms(1, 1, limits);
                Rc::new(Service::undeclared(
                    name,
                    Protocol::Http1,
                    terms,
                    Vec::new(),
                ))
            },
            |known| Rc::clone(&known.nowhere),
        );
        let virtual_host = |host: &snapshot::VirtualHost| {
            Rc::new(Destination {
                service: Rc::clone(&nowhere),
                rules: Some(rules_of(&host.routes, services)),
            })
        };
        let door = |door: &snapshot::Door| {
            let hosts = door.hosts.iter();
            Door {
                hosts: Hosts::of(hosts.map(|host| (host.host.as_deref(), virtual_host(host)))),
                tls: secured.at(&door.listen).cloned(),
            }
        };
        Self {
            doors: from.doors.iter().map(door).collect(),
            trust: (from.callers == Callers::Outside).then(|| Trust {
                hops: from.trusted_hops.into(),
                trace: from.trace,
            }),
            gate: Gate::of(
                name,
                &from.gate,
                workers,
                known.and_then(|known| known.gate.as_ref()),
            ),
            nowhere,
        }
    }

    /// What there is for an authority where a request came in.
    #[must_use]
    pub fn destination(&self, way: Way, authority: &str) -> Option<&Rc<Destination>> {
        match way {
            Way::Door(place) => self.doors.get(place)?.hosts.find(authority),
            Way::Inbound | Way::Outbound | Way::Listener(_) => None,
        }
    }

    /// What clients are shown where they come in; `None`: they come in the clear.
    #[must_use]
    pub fn shown(&self, way: Way) -> Option<Arc<tls::doors::Door>> {
        match way {
            Way::Door(place) => self.doors.get(place)?.tls.clone(),
            Way::Inbound | Way::Outbound | Way::Listener(_) => None,
        }
    }
}
