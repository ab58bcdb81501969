//! FILES -> TLS AT A DOOR: what clients outside the mesh are shown, chosen by the name that they ask for.
//!
//! In: the doors of gateways, with paths of PEM files. Out: what rustls is told, made once for all workers. Never: a
//! certificate given up because the files of the next one cannot be read.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use serde::Serialize;

use super::config::{HTTP1, HTTP2, PROVIDER};
use super::files::Pair;
use super::shown;
use crate::routing::hosts::Hosts;
use crate::snapshot::{DoorCertificate, Snapshot};

/// By listen address.
#[derive(Default)]
pub struct Doors(HashMap<Box<str>, Arc<Door>>);

pub struct Door {
    told: Vec<DoorCertificate>,
    /// In the order of what was told.
    pairs: Vec<Arc<Pair>>,
    pub config: Arc<ServerConfig>,
}

/// What clients who ask for a host at a door are shown, and what is wrong with it.
#[derive(Serialize)]
pub struct Standing {
    listen: Box<str>,
    host: Box<str>,
    certificate: Box<str>,
    /// Seconds since 1970; `None` while there is nothing to show.
    ends: Option<u64>,
    problems: Vec<String>,
}

struct Shown(Hosts<Arc<Pair>>);

impl Doors {
    /// A door that is told the same keeps its sessions.
    #[must_use]
    pub fn of(snapshot: &Snapshot, before: &Self) -> Self {
        let gateways = snapshot
            .workloads
            .iter()
            .filter_map(|one| one.gateway.as_ref());
        let encrypted = gateways
            .flat_map(|gateway| &gateway.doors)
            .filter(|door| !door.certificates.is_empty());
        let made = encrypted.filter_map(|door| {
            let known = before.at(&door.listen);
            let same = known.filter(|known| known.told == door.certificates);
            let made = match same {
                Some(known) => Arc::clone(known),
                None => Arc::new(Door::of(&door.certificates).ok()?),
            };
            Some((door.listen.as_str().into(), made))
        });
        Self(made.collect())
    }

    #[must_use]
    pub fn at(&self, address: &str) -> Option<&Arc<Door>> {
        self.0.get(address)
    }

    /// How everything that is shown stands, in the order of addresses.
    #[must_use]
    pub fn standings(&self, now: Instant, unix: Duration) -> Vec<Standing> {
        let mut doors: Vec<(&str, &Arc<Door>)> = self
            .0
            .iter()
            .map(|(listen, door)| (&**listen, door))
            .collect();
        doors.sort_unstable_by_key(|(listen, _)| *listen);
        let of_door = |(listen, door): (&str, &Arc<Door>)| {
            let told = door.told.iter().zip(&door.pairs);
            let standings = told.map(|(told, pair)| Standing::of(listen, told, pair, now, unix));
            standings.collect::<Vec<_>>()
        };
        doors.into_iter().flat_map(of_door).collect()
    }
}

impl Standing {
    fn of(listen: &str, told: &DoorCertificate, pair: &Pair, now: Instant, unix: Duration) -> Self {
        let (certified, problem) = pair.standing(now);
        let leaf = certified.as_ref().and_then(|one| one.cert.first());
        let judged = leaf.map(|leaf| shown::judge(leaf, told.host.as_deref(), unix));
        let instead = if leaf.is_some() {
            "the one before is shown"
        } else {
            "clients are refused"
        };
        let problem = problem.map(|problem| format!("{problem}; {instead}"));
        let judged = judged.unwrap_or_default();
        Self {
            listen: listen.into(),
            host: told.host.as_deref().unwrap_or("*").into(),
            certificate: told.certificate.as_str().into(),
            ends: judged.ends.map(|ends| ends.as_secs()),
            problems: problem.into_iter().chain(judged.problems).collect(),
        }
    }

    /// Each problem as a sentence of its own.
    pub fn sentences(&self) -> impl Iterator<Item = String> {
        let Self {
            listen,
            host,
            certificate,
            ..
        } = self;
        let told = move |problem| {
            format!("the certificate for {host} at {listen} ({certificate}): {problem}")
        };
        self.problems.iter().map(told)
    }
}

impl Door {
    fn of(told: &[DoorCertificate]) -> Result<Self, rustls::Error> {
        let pair = |one: &DoorCertificate| Arc::new(Pair::of(&one.certificate, &one.key));
        let pairs: Vec<_> = told.iter().map(pair).collect();
        let hosts = told.iter().map(|one| one.host.as_deref());
        let by_host = Hosts::of(hosts.zip(pairs.iter().map(Arc::clone)));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Shown(by_host)));
        config.alpn_protocols = [HTTP2, HTTP1].map(<[u8]>::to_vec).into();
        config.ticketer = ring::Ticketer::new()?;
        Ok(Self {
            told: told.to_vec(),
            pairs,
            config: Arc::new(config),
        })
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Who names nobody is shown what is for any host; `-` is the name of none.
        let pair = self.0.find(hello.server_name().unwrap_or("-"))?;
        pair.current(Instant::now())
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("the certificates of a door")
    }
}
