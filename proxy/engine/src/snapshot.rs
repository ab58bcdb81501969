//! The configuration one engine accepts: mirrors the package proxy/snapshot field by field.
//!
//! In: JSON. Out: a snapshot that can be served. Never: a field that is not known here, or a value out of range.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::entry::way::Way;

mod access_log;
pub mod authentication;
pub mod authorization;
pub mod faults;
pub mod gate;
mod gateway;
mod limits;
mod listeners;
mod named;
mod node;
mod origination;
pub mod policies;
mod route_check;
pub mod routes;
mod rules;
mod services;
mod telemetry;
mod trust;
mod workload;

pub use access_log::AccessLog;
pub use authorization::Authorization;
pub use gateway::{Callers, Door, DoorCertificate, Gateway, Trace, VirtualHost};
pub use limits::Limits;
pub use listeners::{Inbound, Listener, Outbound, Outside};
pub use node::Node;
pub use origination::Origination;
pub use services::{ANY_LABELS, Endpoint, Upstream};
pub use telemetry::{B3, ExportProtocol, Mode, Telemetry};
pub use trust::{Crl, Demand, Trust};
pub use workload::Workload;

/// A snapshot that cannot be served; the text names the field and what is wrong with it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{field}: {problem}")]
pub struct Refused {
    pub field: String,
    pub problem: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    #[default]
    Http1,
    Http2,
    /// Bytes that nobody here looks at.
    Tcp,
    /// The same, but for the server name that the client asks for.
    Tls,
    /// Whatever the first bytes of a connection show.
    Detect,
}

impl Protocol {
    /// Whether it is declared to carry no HTTP.
    #[must_use]
    pub fn is_opaque(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    pub epoch: u64,
    pub workloads: Vec<Workload>,
    #[serde(default, deserialize_with = "named::object")]
    pub telemetry: Telemetry,
    #[serde(default, deserialize_with = "named::object")]
    pub limits: Limits,
    #[serde(default, deserialize_with = "named::object")]
    pub trust: Trust,
}

// === impl Snapshot ===

impl Snapshot {
    /// Reads and checks a snapshot.
    pub fn parse(json: &str) -> Result<Self, Refused> {
        let snapshot: Self = read(json)?;
        snapshot.check()?;
        Ok(snapshot)
    }

    fn check(&self) -> Result<(), Refused> {
        rules::positive("epoch", self.epoch)?;
        workload::check(&self.workloads)?;
        telemetry::check(&self.telemetry)?;
        limits::check(&self.limits)?;
        trust::check(&self.trust)
    }

    /// Every address to listen on, with the place of its workload and what it is for.
    pub fn entrances(&self) -> impl Iterator<Item = (usize, Way, &str)> {
        let workloads = self.workloads.iter().enumerate();
        workloads.flat_map(|(place, workload)| {
            let ways = workload.ways();
            ways.map(move |(way, address)| (place, way, address))
        })
    }
}

impl Authorization {
    /// Reads and checks this part by itself.
    pub fn parse(json: &str) -> Result<Self, Refused> {
        let part: Self = read(json)?;
        authorization::check("authorization", &part)?;
        Ok(part)
    }
}

fn read<T: DeserializeOwned>(json: &str) -> Result<T, Refused> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let part = serde_path_to_error::deserialize(&mut reader).map_err(|error| Refused {
        field: error.path().to_string(),
        problem: error.inner().to_string(),
    })?;
    reader.end().map_err(|error| Refused {
        field: ".".into(),
        problem: error.to_string(),
    })?;
    Ok(part)
}

#[cfg(test)]
mod tests;
