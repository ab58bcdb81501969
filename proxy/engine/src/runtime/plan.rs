//! A snapshot made ready for one worker: routes resolved, endpoints with what the worker knows of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use crate::entry::limits::Limits;
use crate::gate::Gate;
use crate::recording::clock::Nanos;
use crate::recording::otlp::Attributes;
use crate::recording::queue::Room;
use crate::recording::record::Encoded;
use crate::routing::care::Care;
use crate::routing::inject::Injection;
use crate::routing::retry::Retry;
use crate::routing::route::Routes;
use crate::routing::rules::{Destination, Rule};
use crate::routing::targets::Targets;
use crate::routing::templates::Templates;
use crate::runtime::meters::Meter;
use crate::snapshot::policies::Policy;
use crate::snapshot::routes::RouteRetry;
use crate::snapshot::{self, Protocol, Snapshot, Upstream};
use crate::upstream::connect::Bounds;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::forward::Terms;

/// The system's own patience is minutes; a caller that is intercepted should see a failure sooner than that.
const OUTSIDE_CONNECT_MS: u64 = 10_000;

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
    pub endpoints: Vec<Rc<Endpoint>>,
    pub templates: Rc<RefCell<Templates>>,
    /// Span attributes while no endpoint is chosen.
    pub attributes: Encoded,
}

/// The application beside this proxy.
pub struct Application {
    pub endpoint: Rc<Endpoint>,
    pub terms: Terms,
    pub templates: Rc<RefCell<Templates>>,
    pub gate: Option<Rc<Gate>>,
}

pub struct Plan {
    pub epoch: u64,
    pub source: HeaderValue,
    pub routes: Routes<Rc<Destination>>,
    /// What connections mean that do not say so by a request.
    pub targets: Targets,
    pub application: Option<Application>,
    pub room: Room,
    pub flush: Duration,
    pub limits: Limits,
    /// Templates of requests that mean no service.
    pub stray_templates: Rc<RefCell<Templates>>,
    services: HashMap<Box<str>, Rc<Service>>,
    /// For what is outside the mesh.
    outside: Terms,
}

impl Plan {
    /// Compiles a checked snapshot for one of `workers`, keeping connections and knowledge of endpoints that stay.
    #[must_use]
    pub fn compile(snapshot: &Snapshot, before: Option<&Self>, workers: usize, now: Nanos) -> Self {
        let limits = &snapshot.limits;
        let services: HashMap<Box<str>, Rc<Service>> = snapshot
            .services
            .iter()
            .map(|upstream| {
                let known = before.and_then(|plan| plan.services.get(upstream.name.as_str()));
                (
                    upstream.name.as_str().into(),
                    Rc::new(service(upstream, snapshot, workers, known, now)),
                )
            })
            .collect();
        let destinations: HashMap<&str, Rc<Destination>> = snapshot
            .services
            .iter()
            .map(|upstream| {
                let to = Rc::new(destination(upstream, &services));
                (upstream.name.as_str(), to)
            })
            .collect();
        let routes = snapshot.services.iter().flat_map(|upstream| {
            let destination = &destinations[upstream.name.as_str()];
            upstream
                .authorities
                .iter()
                .map(move |authority| (authority.as_str(), Rc::clone(destination)))
        });
        let node = &snapshot.node;
        Self {
            epoch: snapshot.epoch,
            source: HeaderValue::try_from(format!(
                "{}/{}/{}",
                node.service, node.version, node.instance
            ))
            .expect("names and labels are plain text"),
            routes: Routes::new(routes),
            targets: Targets::of(snapshot, &destinations),
            application: application(snapshot, before, workers),
            room: Room::of(&snapshot.telemetry),
            flush: Duration::from_millis(snapshot.telemetry.flush_ms),
            limits: Limits::of(limits, workers),
            stray_templates: before
                .map(|plan| Rc::clone(&plan.stray_templates))
                .unwrap_or_default(),
            services,
            outside: terms(OUTSIDE_CONNECT_MS, OUTSIDE_CONNECT_MS, limits),
        }
    }

    /// What shows how policies stand.
    pub fn meters(&self) -> impl Iterator<Item = &Arc<Meter>> {
        let gate = self
            .application
            .iter()
            .filter_map(|application| application.gate.as_ref());
        gate.flat_map(|gate| gate.meters())
    }

    pub fn services(&self) -> impl Iterator<Item = &Rc<Service>> {
        self.services.values()
    }

    pub fn endpoints(&self) -> impl Iterator<Item = &Rc<Endpoint>> {
        let application = self
            .application
            .iter()
            .map(|application| &application.endpoint);
        self.services
            .values()
            .flat_map(|service| &service.endpoints)
            .chain(application)
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

impl Plan {
    /// What is at an address outside the mesh, as a service that nobody declared.
    #[must_use]
    pub fn outside(&self, address: SocketAddr) -> Service {
        Service {
            name: "".into(),
            terms: self.outside,
            protocol: Protocol::Tcp,
            connect_attempts: 1,
            care: Rc::new(Care::of(&Policy::default(), 1, None)),
            retry: None,
            faults: Rc::from([]),
            endpoints: vec![Rc::new(Endpoint::outside(address))],
            templates: Rc::clone(&self.stray_templates),
            attributes: Encoded::from([]),
        }
    }
}

fn destination(upstream: &Upstream, services: &HashMap<Box<str>, Rc<Service>>) -> Destination {
    let find = |name: &str, version: &str| {
        let service = services.get(name)?;
        if version.is_empty() {
            return Some(Rc::clone(service));
        }
        Some(Rc::new(service.only(version)))
    };
    let rules = upstream.routes.as_ref().map(|routes| {
        let rules = routes.iter().filter_map(|route| Rule::of(route, find));
        rules.map(Rc::new).collect()
    });
    Destination {
        service: Rc::clone(&services[upstream.name.as_str()]),
        rules,
    }
}

impl Service {
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

fn service(
    upstream: &Upstream,
    snapshot: &Snapshot,
    workers: usize,
    known: Option<&Rc<Service>>,
    now: Nanos,
) -> Service {
    let zone = snapshot.node.zone.as_deref();
    let known_endpoints = known.map_or(&[][..], |service| &service.endpoints);
    let endpoints = upstream.endpoints.iter().filter_map(|from| {
        let endpoint = Endpoint::instance(&upstream.name, upstream.protocol, from, zone)?;
        if !known_endpoints.is_empty() {
            endpoint.join(now);
        }
        Some(keep(endpoint, known_endpoints))
    });
    let mut attributes = Attributes::default();
    attributes.text("mesh.destination.service", &upstream.name);
    let before = known.map(|service| &*service.care);
    let care = Rc::new(Care::of(&upstream.policy, workers, before));
    Service {
        name: upstream.name.as_str().into(),
        terms: terms(
            upstream.connect_timeout_ms,
            upstream.timeout_ms,
            &snapshot.limits,
        ),
        protocol: upstream.protocol,
        connect_attempts: upstream.connect_attempts,
        retry: care.retry.clone(),
        care,
        faults: upstream.faults.iter().filter_map(Injection::of).collect(),
        endpoints: endpoints.collect(),
        templates: known
            .map(|service| Rc::clone(&service.templates))
            .unwrap_or_default(),
        attributes: attributes.bytes().into(),
    }
}

fn application(snapshot: &Snapshot, before: Option<&Plan>, workers: usize) -> Option<Application> {
    let inbound = snapshot.inbound.as_ref()?;
    let known = before.and_then(|plan| plan.application.as_ref());
    let endpoint = Endpoint::application(inbound)?;
    let gate = known.and_then(|known| known.gate.as_ref());
    Some(Application {
        gate: Gate::of(&snapshot.node.service, &inbound.gate, workers, gate),
        endpoint: keep(endpoint, known.map(|known| &known.endpoint)),
        terms: terms(
            inbound.connect_timeout_ms,
            inbound.timeout_ms,
            &snapshot.limits,
        ),
        templates: known
            .map(|known| Rc::clone(&known.templates))
            .unwrap_or_default(),
    })
}

fn keep<'a>(endpoint: Endpoint, known: impl IntoIterator<Item = &'a Rc<Endpoint>>) -> Rc<Endpoint> {
    known
        .into_iter()
        .find(|known| known.same(&endpoint))
        .map_or_else(|| Rc::new(endpoint), Rc::clone)
}

fn terms(connect_ms: u64, first_byte_ms: u64, limits: &snapshot::Limits) -> Terms {
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
