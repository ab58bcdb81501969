//! A snapshot made ready for one worker: routes resolved, endpoints with what the worker knows of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::entry::limits::Limits;
use crate::entry::way::Way;
use crate::gate::Gate;
use crate::recording::clock::Nanos;
use crate::recording::otlp::{Attributes, Surroundings};
use crate::recording::queue::Room;
use crate::recording::record::Encoded;
use crate::recording::request_id::RequestId;
use crate::routing::care::Care;
use crate::routing::inject::Injection;
use crate::routing::matching::Match;
use crate::routing::retry::Retry;
use crate::routing::rules::{Destination, Rule};
use crate::routing::table::Table;
use crate::routing::templates::Templates;
use crate::runtime::meters::Meter;
use crate::runtime::workload::{Lead, Workload};
use crate::snapshot::policies::Policy;
use crate::snapshot::routes::{Route, RouteRetry};
use crate::snapshot::{self, B3, Protocol, Snapshot, Upstream};
use crate::tls::denied::Denied;
use crate::tls::security::{Seal, Security};
use crate::upstream::connect::Bounds;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::forward::Terms;

/// A service this proxy may call.
pub struct Service {
    pub name: Rc<str>,
    pub terms: Terms,
    pub protocol: Protocol,
    pub connect_attempts: u8,
    pub care: Rc<Care>,
    /// Of its policy, or of the rule that leads here.
    pub retry: Option<Rc<Retry>>,
    pub faults: Rc<[Injection]>,
    /// It is told nothing of the mesh.
    pub outside: bool,
    pub endpoints: Vec<Rc<Endpoint>>,
    pub templates: Rc<RefCell<Templates>>,
    /// Span attributes while no endpoint is chosen.
    pub attributes: Encoded,
}

pub struct Plan {
    pub epoch: u64,
    pub room: Room,
    pub flush: Duration,
    /// The forms of B3 that callees are told, beside W3C's.
    pub b3: B3,
    /// What callers name their requests by.
    pub request_id: Option<RequestId>,
    pub limits: Limits,
    /// Whose open connections end.
    pub denied: Arc<Denied>,
    /// Templates of requests that mean no service.
    pub stray_templates: Rc<RefCell<Templates>>,
    workloads: Vec<Rc<Workload>>,
    /// By listen address.
    leads: HashMap<Box<str>, Lead>,
}

impl Plan {
    /// Compiles a checked snapshot for one of `workers`, keeping connections and knowledge of endpoints that stay.
    #[must_use]
    pub fn compile(
        snapshot: &Snapshot,
        security: &Security,
        surroundings: &Surroundings,
        before: Option<&Self>,
        workers: usize,
        now: Nanos,
    ) -> Self {
        let limits = &snapshot.limits;
        let workloads: Vec<_> = snapshot
            .workloads
            .iter()
            .map(|from| {
                let known = before.and_then(|plan| plan.workload(&from.node.instance));
                Rc::new(Workload::of(
                    from,
                    security,
                    surroundings,
                    limits,
                    workers,
                    known,
                    now,
                ))
            })
            .collect();
        Self {
            epoch: snapshot.epoch,
            room: Room::of(&snapshot.telemetry),
            flush: Duration::from_millis(snapshot.telemetry.flush_ms),
            b3: snapshot.telemetry.b3,
            request_id: snapshot
                .telemetry
                .request_id
                .as_deref()
                .and_then(RequestId::of),
            limits: Limits::of(limits, workers),
            denied: security.denied(),
            stray_templates: before
                .map(|plan| Rc::clone(&plan.stray_templates))
                .unwrap_or_default(),
            leads: leads(snapshot, &workloads),
            workloads,
        }
    }

    /// What shows how policies stand.
    pub fn meters(&self) -> impl Iterator<Item = &Arc<Meter>> {
        let workloads = self.workloads.iter();
        let access = workloads.filter_map(|workload| workload.authorization.as_ref());
        let gates = self.gates().flat_map(|gate| gate.meters());
        gates.chain(access.flat_map(|access| access.meters()))
    }

    /// Whether anything it asks for depends on how late a worker is.
    pub fn minds_lag(&self) -> bool {
        self.gates().any(|gate| gate.minds_lag())
    }

    fn gates(&self) -> impl Iterator<Item = &Rc<Gate>> {
        self.workloads.iter().filter_map(|workload| workload.gate())
    }

    /// Where an address of the proxy leads.
    #[must_use]
    pub fn lead(&self, address: &str) -> Option<Lead> {
        self.leads.get(address).cloned()
    }

    fn workload(&self, instance: &str) -> Option<&Rc<Workload>> {
        self.workloads
            .iter()
            .find(|workload| workload.identity.node.instance == instance)
    }

    pub fn services(&self) -> impl Iterator<Item = &Rc<Service>> {
        let workloads = self.workloads.iter();
        workloads.flat_map(|workload| workload.services())
    }

    pub fn endpoints(&self) -> impl Iterator<Item = &Rc<Endpoint>> {
        self.workloads
            .iter()
            .flat_map(|workload| workload.endpoints())
    }

    /// Lets go of the idle connections to endpoints that the next plan does not have.
    pub fn close_endpoints_missing_from(&self, next: &Self) {
        for endpoint in self.endpoints() {
            if !next.endpoints().any(|other| Rc::ptr_eq(endpoint, other)) {
                endpoint.pool.close();
            }
        }
    }
}

fn leads(snapshot: &Snapshot, workloads: &[Rc<Workload>]) -> HashMap<Box<str>, Lead> {
    let of_workload = |(place, way, address): (usize, Way, &str)| {
        let workload = Rc::clone(&workloads[place]);
        let lead = Lead { way, workload };
        (address.into(), lead)
    };
    snapshot.entrances().map(of_workload).collect()
}

pub(super) fn destination(
    upstream: &Upstream,
    services: &HashMap<Box<str>, Rc<Service>>,
) -> Destination {
    let rules = upstream.routes.as_ref();
    Destination {
        service: Rc::clone(&services[upstream.name.as_str()]),
        rules: rules.map(|routes| rules_of(routes, services)),
    }
}

/// Routes with the services they lead to.
pub(super) fn rules_of(
    routes: &[Route],
    services: &HashMap<Box<str>, Rc<Service>>,
) -> Table<Rc<Rule>> {
    let find = |name: &str, version: &str| {
        let service = services.get(name)?;
        if version.is_empty() {
            return Some(Rc::clone(service));
        }
        Some(Rc::new(service.only(version)))
    };
    Table::of(routes.iter().filter_map(|route| {
        let rule = Rc::new(Rule::of(route, find));
        Some((route.path.as_ref(), Match::of(route)?, rule))
    }))
}

impl Service {
    /// One that nobody declared.
    #[must_use]
    pub fn undeclared(
        name: &str,
        protocol: Protocol,
        terms: Terms,
        endpoints: Vec<Rc<Endpoint>>,
    ) -> Self {
        Self {
            name: name.into(),
            terms,
            protocol,
            connect_attempts: 1,
            care: Rc::new(Care::of(&Policy::default(), 1, None)),
            retry: None,
            faults: Rc::from([]),
            outside: true,
            endpoints,
            templates: Rc::default(),
            attributes: Encoded::from([]),
        }
    }

    /// The same service with one of its endpoints only.
    #[must_use]
    pub fn at(&self, place: usize) -> Self {
        let endpoints = vec![Rc::clone(&self.endpoints[place])];
        self.with(endpoints, self.retry.clone())
    }

    /// The same service with those of its endpoints that are of one version.
    fn only(&self, version: &str) -> Self {
        let of_version = |endpoint: &&Rc<Endpoint>| &*endpoint.version == version;
        let endpoints = self.endpoints.iter().filter(of_version);
        self.with(endpoints.cloned().collect(), self.retry.clone())
    }

    /// The same service with requests sent again as a rule wants it.
    #[must_use]
    pub fn retrying(&self, wanted: &RouteRetry) -> Self {
        let retry = self.care.retry_as(wanted);
        self.with(self.endpoints.clone(), Some(retry))
    }

    fn with(&self, endpoints: Vec<Rc<Endpoint>>, retry: Option<Rc<Retry>>) -> Self {
        Self {
            name: Rc::clone(&self.name),
            care: Rc::clone(&self.care),
            retry,
            faults: Rc::clone(&self.faults),
            endpoints,
            templates: Rc::clone(&self.templates),
            attributes: Encoded::clone(&self.attributes),
            ..*self
        }
    }
}

pub(super) fn service(
    upstream: &Upstream,
    zone: Option<&str>,
    limits: &snapshot::Limits,
    workers: usize,
    known: Option<&Rc<Service>>,
    now: Nanos,
    seal: &Seal,
) -> Service {
    let known_endpoints = known.map_or(&[][..], |service| &service.endpoints);
    let endpoints = upstream.endpoints.iter().filter_map(|from| {
        let identity = upstream.identity.as_deref();
        let endpoint = Endpoint::instance(
            &upstream.name,
            upstream.protocol,
            from,
            zone,
            identity,
            upstream.tls.as_ref(),
        )?;
        if !known_endpoints.is_empty() {
            endpoint.join(now);
        }
        let endpoint = keep(endpoint, known_endpoints);
        endpoint.secure(seal.clone());
        Some(endpoint)
    });
    let mut attributes = Attributes::default();
    attributes.text("mesh.destination.service", &upstream.name);
    let before = known.map(|service| &*service.care);
    let care = Rc::new(Care::of(&upstream.policy, workers, before));
    Service {
        name: upstream.name.as_str().into(),
        terms: terms(upstream.connect_timeout_ms, upstream.timeout_ms, limits),
        protocol: upstream.protocol,
        connect_attempts: upstream.connect_attempts,
        retry: care.retry.clone(),
        care,
        faults: upstream.faults.iter().filter_map(Injection::of).collect(),
        outside: upstream.outside,
        endpoints: endpoints.collect(),
        templates: known
            .map(|service| Rc::clone(&service.templates))
            .unwrap_or_default(),
        attributes: attributes.bytes().into(),
    }
}

pub(super) fn keep<'a>(
    endpoint: Endpoint,
    known: impl IntoIterator<Item = &'a Rc<Endpoint>>,
) -> Rc<Endpoint> {
    known
        .into_iter()
        .find(|known| known.same(&endpoint))
        .map_or_else(|| Rc::new(endpoint), Rc::clone)
}

pub(super) fn terms(connect_ms: u64, first_byte_ms: u64, limits: &snapshot::Limits) -> Terms {
    Terms {
        connect: Bounds {
            connect: Duration::from_millis(connect_ms),
            header_bytes: limits.header_bytes,
            headers: limits.headers,
        },
        first_byte: Duration::from_millis(first_byte_ms),
        pool_idle: limits.pool_idle_per_endpoint,
        upgrade: false,
    }
}
