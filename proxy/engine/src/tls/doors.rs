//! FILES -> TLS AT A DOOR: what clients outside the mesh are shown, chosen by the name that they ask for.
//!
//! In: the doors of gateways, with paths of PEM files. Out: what rustls is told, made once for all workers. Never: a
//! certificate given up because the files of the next one cannot be read.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};

use super::config::{HTTP1, HTTP2, PROVIDER};
use super::files::Pair;
use crate::routing::hosts::Hosts;
use crate::snapshot::{DoorCertificate, Snapshot};

/// By listen address.
#[derive(Default)]
pub struct Doors(HashMap<Box<str>, Arc<Door>>);

pub struct Door {
    told: Vec<DoorCertificate>,
    pub config: Arc<ServerConfig>,
}

struct Shown(Hosts<Pair>);

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
}

impl Door {
    fn of(told: &[DoorCertificate]) -> Result<Self, rustls::Error> {
        let pairs = told
            .iter()
            .map(|one| (one.host.as_deref(), Pair::of(&one.certificate, &one.key)));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Shown(Hosts::of(pairs))));
        config.alpn_protocols = [HTTP2, HTTP1].map(<[u8]>::to_vec).into();
        config.ticketer = ring::Ticketer::new()?;
        Ok(Self {
            told: told.to_vec(),
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
