//! Bounds of one proxy.

use serde::Deserialize;

use super::rules::{Checked, positive, within};

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
    pub detect_timeout_ms: u64,
    pub idle_timeout_ms: u64,
    pub tunnel_idle_timeout_ms: u64,
    pub pool_idle_per_endpoint: usize,
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
            detect_timeout_ms: 300,
            idle_timeout_ms: 60_000,
            tunnel_idle_timeout_ms: 3_600_000,
            pool_idle_per_endpoint: 64,
        }
    }
}

pub(super) fn check(limits: &Limits) -> Checked {
    for (field, value) in [
        ("connections", limits.connections as u64),
        (
            "connections_per_client",
            limits.connections_per_client.unwrap_or(1) as u64,
        ),
        ("requests", limits.requests as u64),
        ("streams", limits.streams.into()),
        ("header_timeout_ms", limits.header_timeout_ms),
        ("body_timeout_ms", limits.body_timeout_ms),
        ("detect_timeout_ms", limits.detect_timeout_ms),
        ("response_body_timeout_ms", limits.response_body_timeout_ms),
        ("reader_timeout_ms", limits.reader_timeout_ms),
        ("idle_timeout_ms", limits.idle_timeout_ms),
        ("tunnel_idle_timeout_ms", limits.tunnel_idle_timeout_ms),
    ] {
        positive(&format!("limits.{field}"), value)?;
    }
    let header_bytes = limits.header_bytes as u64;
    within("limits.header_bytes", header_bytes, 8_192..=16_777_216)?;
    within("limits.headers", limits.headers as u64, 16..=10_000)?;
    within("limits.uri_bytes", limits.uri_bytes as u64, 256..=65_534)?;
    within(
        "limits.control_frames",
        limits.control_frames.into(),
        10..=1_000_000,
    )
}
