//! Finds what a connection means that says so by where it goes, not by a request: a listener, an address, a server name.
//!
//! In: a workload of a snapshot. Out: a service, or that it goes outside the mesh, or that it may not. Never: a guess.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::rc::Rc;

use crate::entry::way::Way;
use crate::reasons::Reason;
use crate::recording::tally::Direction;
use crate::routing::rules::Destination;
use crate::runtime::plan::Service;
use crate::runtime::workload::Workload;
use crate::snapshot::{self, ANY_LABELS, Outside, Protocol, Upstream};

/// What tells the service that the requests of a connection are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Meant {
    /// Each request says so itself.
    #[default]
    Authority,
    Listener(usize),
    Address(SocketAddr),
}

/// Where a connection goes.
pub enum Target {
    /// Where its requests say.
    Authority,
    Application,
    Service(Rc<Destination>),
    /// To the service whose name a TLS client asks for.
    ServerName,
    /// To where it was going when it was intercepted.
    Outside(Rc<Service>),
    Denied,
}

#[derive(Default)]
pub struct Targets {
    listeners: Vec<Option<Rc<Destination>>>,
    addresses: HashMap<SocketAddr, Rc<Destination>>,
    server_names: HashMap<Box<str>, Rc<Service>>,
    /// Those that begin with any labels, without these.
    suffixes: HashMap<Box<str>, Rc<Service>>,
    /// Services that `CONNECT` may name.
    connect: HashSet<Box<str>>,
    transparent: [bool; 2],
    outside: Outside,
    /// `None` where it listens on a Unix socket: all that comes in is for it.
    application_port: Option<u16>,
}

// === impl Target ===

impl Target {
    /// What has to be known of the connection's protocol before it is served.
    #[must_use]
    pub fn protocol(&self, workload: &Workload) -> Protocol {
        match self {
            Self::Authority => Protocol::Http1,
            Self::Application => workload
                .application
                .as_ref()
                .map_or(Protocol::Http1, |application| application.endpoint.protocol),
            Self::Service(destination) => destination.service.protocol,
            Self::ServerName => Protocol::Tls,
            // It is carried unseen whatever it is; what it is, is worth knowing.
            Self::Outside(_) => Protocol::Detect,
            Self::Denied => Protocol::Tcp,
        }
    }
}

// === impl Targets ===

impl Targets {
    #[must_use]
    pub fn of(from: &snapshot::Workload, destinations: &HashMap<&str, Rc<Destination>>) -> Self {
        let mut targets = Self::default();
        if let Some(outbound) = &from.outbound {
            let listener = |service: &Option<String>| {
                let name = service.as_deref()?;
                destinations.get(name).cloned()
            };
            targets.listeners = outbound
                .listeners
                .iter()
                .map(|each| listener(&each.service))
                .collect();
            targets.connect = outbound
                .connect
                .iter()
                .map(|name| (**name).into())
                .collect();
            targets.transparent[Direction::Outbound as usize] = outbound.transparent;
            targets.outside = outbound.outside;
        }
        if let Some(inbound) = &from.inbound {
            targets.transparent[Direction::Inbound as usize] = inbound.transparent;
            let port = inbound.app.rsplit_once(':').map(|(_, port)| port);
            targets.application_port = port.and_then(|port| port.parse().ok());
        }
        targets.add_services(&from.services, destinations);
        targets
    }

    /// An address of one instance means that instance and no other; one of the service means any.
    fn add_services(
        &mut self,
        services: &[Upstream],
        destinations: &HashMap<&str, Rc<Destination>>,
    ) {
        for upstream in services {
            let Some(destination) = destinations.get(upstream.name.as_str()) else {
                continue;
            };
            let service = &destination.service;
            for (place, endpoint) in service.endpoints.iter().enumerate() {
                if let Ok(address) = endpoint.place.to_string().parse::<SocketAddr>() {
                    let only = Destination {
                        service: Rc::new(service.at(place)),
                        rules: None,
                    };
                    self.addresses.entry(address).or_insert(Rc::new(only));
                }
            }
            for address in &upstream.addresses {
                if let Ok(address) = address.parse() {
                    self.addresses.insert(address, Rc::clone(destination));
                }
            }
            for name in &upstream.server_names {
                let (names, name) = match name.strip_prefix(ANY_LABELS) {
                    Some(suffix) => (&mut self.suffixes, suffix),
                    None => (&mut self.server_names, name.as_str()),
                };
                names.insert(name.into(), Rc::clone(service));
            }
        }
    }

    #[must_use]
    pub fn intercepts(&self, way: Way) -> bool {
        match way {
            Way::Inbound | Way::Outbound => self.transparent[way.direction() as usize],
            Way::Listener(_) | Way::Door(_) => false,
        }
    }

    /// The service that the requests of a connection are for, where they do not say so themselves.
    #[must_use]
    pub fn destination(&self, meant: Meant) -> Option<&Rc<Destination>> {
        match meant {
            Meant::Authority => None,
            Meant::Listener(place) => self.listeners.get(place)?.as_ref(),
            Meant::Address(address) => self.addresses.get(&address),
        }
    }

    /// The service of a server name: of that very name, or else of its longest suffix.
    pub fn named(&self, server_name: Option<&str>) -> Result<&Rc<Service>, Reason> {
        let name = server_name.ok_or(Reason::NoServerName)?;
        let mut suffixes = name.match_indices('.').map(|(dot, _)| &name[dot + 1..]);
        let of_suffix = || suffixes.find_map(|it| self.suffixes.get(it));
        let found = self.server_names.get(name).or_else(of_suffix);
        found.ok_or(Reason::UnknownServerName)
    }

    #[must_use]
    pub fn may_connect(&self, service: &str) -> bool {
        self.connect.contains(service)
    }
}

impl Workload {
    /// Where a connection goes that came by `way`, and was going to `original` if it was intercepted.
    #[must_use]
    pub fn target(&self, way: Way, original: Option<SocketAddr>) -> (Meant, Target) {
        let meant = match (way, original) {
            (Way::Listener(place), _) => Meant::Listener(place),
            (_, Some(address)) => Meant::Address(address),
            (_, None) => Meant::Authority,
        };
        let target = match (way, original) {
            (Way::Inbound, None) => Target::Application,
            (Way::Inbound, Some(address))
                if self
                    .targets
                    .application_port
                    .is_none_or(|port| port == address.port()) =>
            {
                Target::Application
            }
            (Way::Outbound, None) | (Way::Door(_), _) => Target::Authority,
            (Way::Listener(_), _) => self
                .targets
                .destination(meant)
                .map_or(Target::ServerName, |to| Target::Service(Rc::clone(to))),
            (Way::Inbound | Way::Outbound, Some(address)) => {
                match self.targets.destination(meant) {
                    Some(to) if way == Way::Outbound => Target::Service(Rc::clone(to)),
                    _ if way == Way::Outbound && self.targets.outside == Outside::Deny => {
                        Target::Denied
                    }
                    _ => Target::Outside(Rc::new(self.outside(address))),
                }
            }
        };
        (meant, target)
    }
}
