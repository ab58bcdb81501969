//! One service instance that the proxy stands beside, made ready for one worker.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;

use crate::authz::Authorization;
use crate::entry::secure::Guard;
use crate::entry::way::Way;
use crate::gate::Gate;
use crate::recording::clock::Nanos;
use crate::recording::identity::Identity;
use crate::recording::otlp::Surroundings;
use crate::routing::route::Routes;
use crate::routing::rules::Destination;
use crate::routing::targets::Targets;
use crate::routing::templates::Templates;
use crate::runtime::gateway::Gateway;
use crate::runtime::plan::{Service, destination, keep, service, terms};
use crate::snapshot::{self, Protocol};
use crate::tls::security::{Identified, Security};
use crate::upstream::endpoint::Endpoint;
use crate::upstream::forward::Terms;

/// The system's own patience is minutes; a caller that is intercepted should see a failure sooner than that.
const OUTSIDE_CONNECT_MS: u64 = 10_000;

pub struct Workload {
    pub identity: Arc<Identity>,
    /// What its calls say of where they come from.
    pub source: HeaderValue,
    pub application: Option<Application>,
    pub gateway: Option<Gateway>,
    /// Who may ask what of it; `None`: anyone anything.
    pub authorization: Option<Rc<Authorization>>,
    /// Where its calls go.
    pub routes: Routes<Rc<Destination>>,
    /// What connections mean that do not say so by a request.
    pub targets: Targets,
    /// For what is outside the mesh.
    outside: Terms,
    services: HashMap<Box<str>, Rc<Service>>,
}

/// The application beside this proxy.
pub struct Application {
    pub endpoint: Rc<Endpoint>,
    pub terms: Terms,
    pub templates: Rc<RefCell<Templates>>,
    pub gate: Option<Rc<Gate>>,
    pub guard: Guard,
}

/// Where an address of the proxy leads.
#[derive(Clone)]
pub struct Lead {
    pub way: Way,
    pub workload: Rc<Workload>,
}

impl Workload {
    /// Keeps what was known of the same instance before.
    #[must_use]
    pub fn of(
        from: &snapshot::Workload,
        security: &Security,
        surroundings: &Surroundings,
        limits: &snapshot::Limits,
        workers: usize,
        known: Option<&Rc<Self>>,
        now: Nanos,
    ) -> Self {
        let identified = security.workload(&from.node.instance);
        let identified = identified.map(|identified| &**identified);
        let zone = from.node.zone.as_deref();
        let services: HashMap<Box<str>, Rc<Service>> = from
            .services
            .iter()
            .map(|upstream| {
                let known = known.and_then(|known| known.services.get(upstream.name.as_str()));
                (
                    upstream.name.as_str().into(),
                    Rc::new(service(
                        upstream,
                        zone,
                        limits,
                        workers,
                        known,
                        now,
                        &security.seal(identified, upstream),
                    )),
                )
            })
            .collect();
        let destinations: HashMap<&str, Rc<Destination>> = from
            .services
            .iter()
            .map(|upstream| {
                let to = Rc::new(destination(upstream, &services));
                (upstream.name.as_str(), to)
            })
            .collect();
        let routes = from.services.iter().flat_map(|upstream| {
            let destination = &destinations[upstream.name.as_str()];
            upstream
                .authorities
                .iter()
                .map(move |authority| (authority.as_str(), Rc::clone(destination)))
        });
        let node = &from.node;
        let identity = known
            .map(|known| &known.identity)
            .filter(|identity| identity.node == *node)
            .map_or_else(|| Arc::new(Identity::new(node, surroundings)), Arc::clone);
        let source = format!("{}/{}/{}", node.service, node.version, node.instance);
        let application = known.and_then(|known| known.application.as_ref());
        Self {
            identity,
            source: HeaderValue::try_from(source).expect("names and labels are plain text"),
            application: from.inbound.as_ref().and_then(|inbound| {
                Application::of(
                    inbound,
                    identified,
                    &node.service,
                    limits,
                    workers,
                    application,
                )
            }),
            gateway: from.gateway.as_ref().map(|gateway| {
                Gateway::of(
                    gateway,
                    from,
                    &services,
                    limits,
                    workers,
                    known,
                    &security.doors,
                )
            }),
            authorization: from.authorization.as_ref().map(|part| {
                Authorization::of(part, known.and_then(|known| known.authorization.as_ref()))
            }),
            routes: Routes::new(routes),
            targets: Targets::of(from, &destinations),
            outside: terms(OUTSIDE_CONNECT_MS, OUTSIDE_CONNECT_MS, limits),
            services,
        }
    }

    /// What is at an address outside the mesh, as a service that nobody declared.
    #[must_use]
    pub fn outside(&self, address: SocketAddr) -> Service {
        let endpoint = Rc::new(Endpoint::outside(address));
        Service::undeclared("", Protocol::Tcp, self.outside, vec![endpoint])
    }

    /// Which of the requests that arrive are let in, where that is limited.
    #[must_use]
    pub fn gate(&self) -> Option<&Rc<Gate>> {
        let application = self.application.as_ref();
        let gateway = self.gateway.as_ref();
        application
            .and_then(|application| application.gate.as_ref())
            .or_else(|| gateway?.gate.as_ref())
    }

    /// Every service it may call.
    pub fn services(&self) -> impl Iterator<Item = &Rc<Service>> {
        self.services.values()
    }

    /// Every place it sends requests to.
    pub fn endpoints(&self) -> impl Iterator<Item = &Rc<Endpoint>> {
        let application = self.application.iter();
        self.services()
            .flat_map(|service| &service.endpoints)
            .chain(application.map(|application| &application.endpoint))
    }
}

impl Application {
    fn of(
        inbound: &snapshot::Inbound,
        identified: Option<&Identified>,
        service: &str,
        limits: &snapshot::Limits,
        workers: usize,
        known: Option<&Self>,
    ) -> Option<Self> {
        let endpoint = Endpoint::application(inbound)?;
        let gate = known.and_then(|known| known.gate.as_ref());
        Some(Self {
            guard: Guard {
                demand: inbound.tls,
                incoming: identified.and_then(|identified| identified.incoming().cloned()),
            },
            gate: Gate::of(service, &inbound.gate, workers, gate),
            endpoint: keep(endpoint, known.map(|known| &known.endpoint)),
            terms: terms(inbound.connect_timeout_ms, inbound.timeout_ms, limits),
            templates: known
                .map(|known| Rc::clone(&known.templates))
                .unwrap_or_default(),
        })
    }
}
