//! SNAPSHOT + CERTIFICATES -> TLS: what each workload shows and asks for, made once for all workers.
//!
//! Never: a part made anew that did not change, as its sessions could not be resumed.

use std::collections::HashMap;
use std::sync::Arc;

use super::config::{Incoming, Outgoing};
use super::credential::Credential;
use super::denied::Denied;
use super::doors::Doors;
use super::origination::Origination;
use super::spiffe::SpiffeId;
use super::trust::Trust;
use super::vault::Vault;
use crate::snapshot::{self, Demand, Snapshot};

#[derive(Default)]
pub struct Security {
    pub doors: Doors,
    trust: Option<Arc<Trust>>,
    /// By instance.
    workloads: HashMap<Box<str>, Arc<Identified>>,
    /// Services outside that take TLS, by name.
    outside: HashMap<Box<str>, Arc<Origination>>,
}

/// A workload that has a certificate.
pub struct Identified {
    credential: Arc<Credential>,
    incoming: Option<Arc<Incoming>>,
    /// By service.
    outgoing: HashMap<Box<str>, Arc<Outgoing>>,
}

/// How connections to an endpoint are made.
#[derive(Clone, Default)]
pub enum Seal {
    #[default]
    Plain,
    Tls(Arc<Outgoing>),
    /// To a service outside of the mesh.
    Outside(Arc<Origination>),
    /// With TLS, for which the workload has no certificate.
    Impossible,
}

impl Security {
    #[must_use]
    pub fn of(snapshot: &Snapshot, vault: &Vault, before: &Self) -> Self {
        let doors = Doors::of(snapshot, &before.doors);
        let outside = outside(snapshot, &before.outside);
        let secured = snapshot.workloads.iter().any(is_secured);
        if !secured && snapshot.trust.crls.is_empty() {
            return Self {
                doors,
                outside,
                ..Self::default()
            };
        }
        let trust = Trust::of(&snapshot.trust, before.trust.as_ref());
        let known = before.trust.as_ref();
        let same_trust = known.is_some_and(|known| Arc::ptr_eq(known, &trust));
        let identified = |workload: &snapshot::Workload| {
            let credential = vault.find(&workload.node.service)?;
            let instance = workload.node.instance.as_str();
            let known = before
                .workloads
                .get(instance)
                .filter(|known| same_trust && Arc::ptr_eq(&known.credential, &credential));
            let made = Identified::of(workload, credential, &trust, known.map(|known| &**known));
            Some((instance.into(), Arc::new(made)))
        };
        Self {
            doors,
            outside,
            workloads: snapshot.workloads.iter().filter_map(identified).collect(),
            trust: Some(trust),
        }
    }

    /// Whose certificates count no more.
    #[must_use]
    pub fn denied(&self) -> Arc<Denied> {
        let trust = self.trust.as_ref();
        trust.map_or_else(Arc::default, |trust| Arc::clone(&trust.denied))
    }

    #[must_use]
    pub fn workload(&self, instance: &str) -> Option<&Arc<Identified>> {
        self.workloads.get(instance)
    }

    /// How a workload calls a service.
    #[must_use]
    pub fn seal(&self, identified: Option<&Identified>, to: &snapshot::Upstream) -> Seal {
        let outside = self.outside.get(to.name.as_str());
        match outside.filter(|_| to.tls.is_some()) {
            Some(origination) => Seal::Outside(Arc::clone(origination)),
            None => Seal::of(identified, to),
        }
    }
}

fn outside(
    snapshot: &Snapshot,
    before: &HashMap<Box<str>, Arc<Origination>>,
) -> HashMap<Box<str>, Arc<Origination>> {
    let services = snapshot.workloads.iter().flat_map(|one| &one.services);
    let made = services.filter_map(|to| {
        let known = before.get(to.name.as_str());
        let made = Origination::of(to.tls.as_ref()?, known)?;
        Some((to.name.as_str().into(), made))
    });
    made.collect()
}

fn is_secured(workload: &snapshot::Workload) -> bool {
    let inbound = workload.inbound.as_ref();
    inbound.is_some_and(|inbound| inbound.tls != Demand::Off)
        || workload.services.iter().any(|to| to.identity.is_some())
}

impl Identified {
    fn of(
        workload: &snapshot::Workload,
        credential: Arc<Credential>,
        trust: &Arc<Trust>,
        known: Option<&Self>,
    ) -> Self {
        let demanded = workload
            .inbound
            .as_ref()
            .is_some_and(|inbound| inbound.tls != Demand::Off);
        let incoming = demanded.then(|| {
            let known = known.and_then(|known| known.incoming.clone());
            known.or_else(|| Incoming::new(&credential, trust).ok().map(Arc::new))
        });
        let outgoing = workload.services.iter().filter_map(|to| {
            let expected = SpiffeId::parse(to.identity.as_deref()?)?;
            let known = known.and_then(|known| known.outgoing.get(to.name.as_str()));
            let made = match known.filter(|known| known.expected == expected) {
                Some(known) => Arc::clone(known),
                None => Arc::new(Outgoing::new(&credential, trust, expected).ok()?),
            };
            Some((to.name.as_str().into(), made))
        });
        Self {
            incoming: incoming.flatten(),
            outgoing: outgoing.collect(),
            credential,
        }
    }

    /// For callers; `None` where none is looked for.
    #[must_use]
    pub fn incoming(&self) -> Option<&Arc<Incoming>> {
        self.incoming.as_ref()
    }
}

impl Seal {
    fn of(identified: Option<&Identified>, to: &snapshot::Upstream) -> Self {
        if to.identity.is_none() {
            return Self::Plain;
        }
        identified
            .and_then(|identified| identified.outgoing.get(to.name.as_str()))
            .map_or(Self::Impossible, |outgoing| Self::Tls(Arc::clone(outgoing)))
    }

    /// Whether connections made as the other says are as good as those that this one makes: with the same certificate, to
    /// the same service, by the same roots. So none outlives a certificate for long that was shown on it.
    #[must_use]
    pub fn keeps(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Plain, Self::Plain) => true,
            (Self::Tls(one), Self::Tls(other)) => Arc::ptr_eq(one, other),
            (Self::Outside(one), Self::Outside(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}
