//! The configuration one engine accepts: mirrors proxy/snapshot.py field by field.
//!
//! In: JSON. Out: a snapshot that can be served. Never: a field that is not known here, or a value out of range.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::export::coding::Coding;

mod check;

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
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Node {
    pub service: String,
    pub version: String,
    pub instance: String,
    #[serde(default = "default_namespace")]
    pub namespace: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Inbound {
    pub listen: String,
    pub app: String,
    #[serde(default)]
    pub protocol: Protocol,
    #[serde(default = "default_connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    #[serde(default = "default_app_timeout_ms")]
    pub timeout_ms: u64,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Outbound {
    pub listen: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    pub address: String,
    pub version: String,
    pub instance: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    pub name: String,
    pub authorities: Vec<String>,
    #[serde(default)]
    pub protocol: Protocol,
    #[serde(default = "default_connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    #[serde(default = "default_connect_attempts")]
    pub connect_attempts: u8,
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
}

/// How batches are sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ExportProtocol {
    #[default]
    Http,
    Grpc,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    pub endpoint: String,
    pub protocol: ExportProtocol,
    pub compression: Coding,
    pub queue_records: usize,
    pub batch_records: usize,
    pub batch_bytes: usize,
    pub flush_ms: u64,
    /// Bytes on disk; 0 is no spool.
    pub spool_bytes: u64,
    /// Bytes a minute; 0 is no limit.
    pub budget_bytes: u64,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub connections: usize,
    pub connections_per_client: Option<usize>,
    pub requests: usize,
    pub streams: u32,
    pub control_frames: u32,
    pub header_bytes: usize,
    pub headers: usize,
    pub uri_bytes: usize,
    pub body_bytes: Option<u64>,
    pub header_timeout_ms: u64,
    pub body_timeout_ms: u64,
    pub body_progress_bytes: u64,
    pub response_body_timeout_ms: u64,
    pub reader_timeout_ms: u64,
    pub half_close_timeout_ms: u64,
    pub idle_timeout_ms: u64,
    pub tunnel_idle_timeout_ms: u64,
    pub pool_idle_per_endpoint: usize,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    pub epoch: u64,
    pub node: Node,
    #[serde(default)]
    pub inbound: Option<Inbound>,
    #[serde(default)]
    pub outbound: Option<Outbound>,
    #[serde(default)]
    pub services: Vec<Upstream>,
    #[serde(default, deserialize_with = "object")]
    pub telemetry: Telemetry,
    #[serde(default, deserialize_with = "object")]
    pub limits: Limits,
}

// === impl Snapshot ===

impl Snapshot {
    /// Reads and checks a snapshot.
    pub fn parse(json: &str) -> Result<Self, Refused> {
        let mut reader = serde_json::Deserializer::from_str(json);
        let snapshot: Self = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let problem = error.inner().to_string();
            Refused {
                field: error.path().to_string(),
                problem,
            }
        })?;
        reader.end().map_err(|error| Refused {
            field: ".".into(),
            problem: error.to_string(),
        })?;
        check::snapshot(&snapshot)?;
        Ok(snapshot)
    }

    /// Refuses what cannot change while serving: who the proxy is, and where it listens.
    pub fn may_follow(&self, current: &Self) -> Result<(), Refused> {
        let fixed = [
            ("node", self.node == current.node),
            (
                "inbound.listen",
                listen(self.inbound.as_ref()) == listen(current.inbound.as_ref()),
            ),
            ("outbound", self.outbound == current.outbound),
        ];
        match fixed.into_iter().find(|(_, same)| !same) {
            None => Ok(()),
            Some((field, _)) => Err(Refused {
                field: field.into(),
                problem: "cannot change while the proxy runs; restart it with the new value".into(),
            }),
        }
    }
}

fn listen(inbound: Option<&Inbound>) -> Option<&str> {
    inbound.map(|inbound| inbound.listen.as_str())
}

/// Reads a part by its field names only: as a list, serde would take its values by position.
fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    struct Named<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Named<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(fields))
        }
    }

    from.deserialize_map(Named(PhantomData))
}

// === defaults ===

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            protocol: ExportProtocol::Http,
            compression: Coding::None,
            queue_records: 65_536,
            batch_records: 4_096,
            batch_bytes: 4_000_000,
            flush_ms: 500,
            spool_bytes: 256 << 20,
            budget_bytes: 0,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_client: None,
            requests: 10_000,
            streams: 256,
            control_frames: 1_000,
            header_bytes: 65_536,
            headers: 100,
            uri_bytes: 16_384,
            body_bytes: None,
            header_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            body_progress_bytes: 1,
            response_body_timeout_ms: 300_000,
            reader_timeout_ms: 60_000,
            half_close_timeout_ms: 1_000,
            idle_timeout_ms: 60_000,
            tunnel_idle_timeout_ms: 3_600_000,
            pool_idle_per_endpoint: 64,
        }
    }
}

fn default_namespace() -> String {
    "default".into()
}

fn default_connect_timeout_ms() -> u64 {
    1_000
}

fn default_app_timeout_ms() -> u64 {
    60_000
}

fn default_timeout_ms() -> u64 {
    15_000
}

fn default_connect_attempts() -> u8 {
    3
}

#[cfg(test)]
mod tests;
