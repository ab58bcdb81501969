//! Spans of tunnels: what is said of a connection whose bytes nobody looks at.

use super::{split, wire};
use crate::recording::record::{Kind, Record, Text};
use crate::recording::tunnel::Facts;

/// `{protocol} {peer}`.
pub(super) fn name(out: &mut Vec<u8>, text: Text<'_>) {
    let parts = [text.route, " ", text.path];
    let named = if text.path.is_empty() { 1 } else { 3 };
    wire::head(out, 5, parts[..named].iter().map(|part| part.len()).sum());
    for part in &parts[..named] {
        out.extend_from_slice(part.as_bytes());
    }
}

pub(super) fn attributes(out: &mut Vec<u8>, record: &Record, text: Text<'_>, facts: &Facts) {
    wire::attribute(out, "network.transport", "tcp");
    wire::attribute(out, "mesh.protocol", text.route);
    wire::attribute(out, "mesh.route", text.route);
    wire::attribute_number(out, "mesh.epoch", record.epoch);
    wire::attribute_number(out, "mesh.sent_bytes", facts.sent);
    wire::attribute_number(out, "mesh.received_bytes", facts.received);
    if let Some(us) = facts.detected.detect_us {
        wire::attribute_number(out, "mesh.detect_us", us);
    }
    if let Some(server_name) = &facts.detected.server_name {
        wire::attribute(out, "tls.client.server_name", server_name);
    }
    if !text.authority.is_empty() {
        let (host, port) = split(text.authority, 80);
        wire::attribute(out, "server.address", host);
        wire::attribute_number(out, "server.port", port);
    }
    if let Some(local) = facts.local {
        wire::attribute(out, "network.local.address", &local.ip().to_string());
        wire::attribute_number(out, "network.local.port", u64::from(local.port()));
    }
    if let Some(reason) = record.reason {
        wire::attribute(out, "mesh.reason", reason.code());
    }
    if record.kind == Kind::Client {
        wire::attribute_number(out, "mesh.attempt", u64::from(record.attempt));
    }
}
