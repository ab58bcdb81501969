//! Where records go, and how much may wait on the way.

use serde::Deserialize;

use super::access_log::{self, AccessLog};
use super::named;
use super::rules::{Checked, header_name, refuse, within, zero_or_within};
use crate::export::coding::Coding;
use crate::export::url::Url;

/// How batches are sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ExportProtocol {
    #[default]
    Http,
    Grpc,
}

/// What becomes of records.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Every one is sent.
    #[default]
    All,
    /// Only those of traces in which something happened.
    Recorder,
}

/// The forms of B3 that go out beside W3C's.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum B3 {
    #[default]
    None,
    Single,
    Multi,
    Both,
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
    pub mode: Mode,
    /// Memory for the last records; 0 is none.
    pub ring_bytes: usize,
    /// What takes so long is slow; 0: nothing is.
    pub slow_ms: u64,
    /// What takes longer than 99 of 100 requests of its route is slow, too.
    pub slow_adaptive: bool,
    pub b3: B3,
    /// The header by which callers name their requests.
    pub request_id: Option<String>,
    #[serde(deserialize_with = "named::object")]
    pub log: AccessLog,
}

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
            mode: Mode::All,
            ring_bytes: 1 << 20,
            slow_ms: 1_000,
            slow_adaptive: false,
            b3: B3::None,
            request_id: Some("x-request-id".to_owned()),
            log: AccessLog::default(),
        }
    }
}

pub(super) fn check(telemetry: &Telemetry) -> Checked {
    if !telemetry.endpoint.is_empty() && Url::parse(&telemetry.endpoint).is_none() {
        let problem = format!("{:?} is not an http:// URL with a host", telemetry.endpoint);
        return refuse("telemetry.endpoint", &problem);
    }
    within(
        "telemetry.queue_records",
        telemetry.queue_records as u64,
        1_024..=4_194_304,
    )?;
    within(
        "telemetry.batch_records",
        telemetry.batch_records as u64,
        1..=65_536,
    )?;
    within(
        "telemetry.batch_bytes",
        telemetry.batch_bytes as u64,
        10_000..=60_000_000,
    )?;
    within("telemetry.flush_ms", telemetry.flush_ms, 10..=60_000)?;
    zero_or_within(
        "telemetry.spool_bytes",
        telemetry.spool_bytes,
        1 << 20..=1 << 40,
    )?;
    zero_or_within(
        "telemetry.budget_bytes",
        telemetry.budget_bytes,
        10_000..=1 << 40,
    )?;
    zero_or_within(
        "telemetry.ring_bytes",
        telemetry.ring_bytes as u64,
        65_536..=1 << 32,
    )?;
    zero_or_within("telemetry.slow_ms", telemetry.slow_ms, 1..=86_400_000)?;
    if let Some(name) = &telemetry.request_id {
        header_name("telemetry.request_id", name)?;
    }
    access_log::check("telemetry.log", &telemetry.log)
}
