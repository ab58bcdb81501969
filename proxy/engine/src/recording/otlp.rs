//! Encodes records as OTLP spans (opentelemetry-proto, trace/v1), by hand: the constant parts once, the rest in one pass.

use std::sync::Arc;

use crate::export::budget::Threshold;
use crate::recording::identity::Identity;
use crate::recording::record::{Kind, Record, Text};
use crate::recording::verdict::error_type;

mod answer;
mod log;
mod resource;
mod rpc;
mod said;
mod tunnel;
mod wire;

pub use answer::{rejected, retry_delay};
pub use log::log_record;
pub use resource::{Surroundings, resource};
pub use said::{Said, hex};
pub use wire::{Attributes, Field, fields, read_attribute, service_in};

const SCOPE: &str = "whymesh.proxy";
/// Most bytes of the tags and lengths around the resource and the items of a workload.
const HEADS: usize = 22;

/// Every `mesh.*` attribute a span can carry.
pub const MESH_ATTRIBUTES: &[&str] = &[
    "mesh.source.service",
    "mesh.source.version",
    "mesh.source.instance",
    "mesh.source.identity",
    "mesh.destination.service",
    "mesh.destination.version",
    "mesh.destination.instance",
    "mesh.destination.zone",
    "mesh.destination.identity",
    "mesh.tls",
    "mesh.route",
    "mesh.rule",
    "mesh.mirror",
    "mesh.fault",
    "mesh.limit",
    "mesh.limit.at",
    "mesh.deadline_ms",
    "mesh.policy",
    "mesh.policy.missed",
    "mesh.policy.audit",
    "mesh.epoch",
    "mesh.attempt",
    "mesh.reason",
    "mesh.time.queue_us",
    "mesh.time.connect_us",
    "mesh.time.tls_us",
    "mesh.time.first_byte_us",
    "mesh.time.body_us",
    "mesh.time.own_us",
    "mesh.time.fault_us",
    "mesh.children",
    "mesh.children.failed",
    "mesh.protocol",
    "mesh.detect_us",
    "mesh.sent_bytes",
    "mesh.received_bytes",
];

/// Encodes batches of one proxy: the spans, or the log records, of each of its workloads under a resource of their own.
/// `ExportTraceServiceRequest` and `ExportLogsServiceRequest` number what they have in common alike.
pub struct Encoder {
    /// `ScopeSpans.scope` and `ScopeLogs.scope`, as a field.
    scope: Vec<u8>,
    span: Vec<u8>,
    groups: Vec<Group>,
    /// Where the last span went; most often the next goes there too.
    last: usize,
    len: usize,
}

/// The spans or log records of one workload.
struct Group {
    identity: Arc<Identity>,
    items: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        let mut named = Vec::new();
        wire::bytes(&mut named, 1, SCOPE.as_bytes());
        wire::bytes(&mut named, 2, env!("CARGO_PKG_VERSION").as_bytes());
        let mut scope = Vec::new();
        wire::bytes(&mut scope, 1, &named);
        Self {
            scope,
            span: Vec::new(),
            groups: Vec::new(),
            last: 0,
            len: 0,
        }
    }
}

impl Encoder {
    /// Adds one span to the batch, with what it stands for when traces are thinned; the bytes it takes.
    pub fn add(
        &mut self,
        record: &Record,
        text: Text<'_>,
        identity: &Arc<Identity>,
        threshold: Option<Threshold>,
    ) -> usize {
        self.span.clear();
        span(&mut self.span, record, text, identity.end(record.kind));
        if let Some(threshold) = threshold {
            wire::bytes(&mut self.span, 3, threshold.member().as_bytes());
        }
        let span = std::mem::take(&mut self.span);
        self.put(&span, identity);
        self.span = span;
        self.span.len()
    }

    /// Adds one encoded span or log record to the batch.
    pub fn put(&mut self, item: &[u8], identity: &Arc<Identity>) {
        self.last = self.group(identity);
        let items = &mut self.groups[self.last].items;
        let before = items.len();
        wire::bytes(items, 2, item);
        self.len += items.len() - before;
    }

    fn group(&mut self, identity: &Arc<Identity>) -> usize {
        let is_last = |group: &Group| Arc::ptr_eq(&group.identity, identity);
        if self.groups.get(self.last).is_some_and(is_last) {
            return self.last;
        }
        let of_same = |group: &Group| group.identity.node == identity.node;
        self.groups.iter().position(of_same).unwrap_or_else(|| {
            self.groups.push(Group {
                identity: Arc::clone(identity),
                items: Vec::new(),
            });
            self.groups.len() - 1
        })
    }

    /// Bytes of what was added since the last batch ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Ends the batch: an export request with everything added since the last one.
    pub fn finish(&mut self) -> Vec<u8> {
        // Workloads without an item in this batch may be gone for good.
        self.groups.retain(|group| !group.items.is_empty());
        let around = |group: &Group| group.identity.resource.len() + self.scope.len() + HEADS;
        let room = self.len + self.groups.iter().map(around).sum::<usize>();
        let mut request = Vec::with_capacity(room);
        for Group { identity, items } in &mut self.groups {
            let of_scope = self.scope.len() + items.len();
            let resource = &identity.resource;
            let of_resource = resource.len() + wire::field_len(of_scope) + of_scope;
            wire::head(&mut request, 1, of_resource);
            request.extend_from_slice(resource);
            wire::head(&mut request, 2, of_scope);
            request.extend_from_slice(&self.scope);
            request.append(items);
        }
        (self.last, self.len) = (0, 0);
        request
    }
}

/// `mesh.source.*` or `mesh.destination.*`.
#[must_use]
pub fn peer(end: &str, [service, version, instance]: [&str; 3]) -> Attributes {
    let mut attributes = Attributes::default();
    for (name, value) in [
        ("service", service),
        ("version", version),
        ("instance", instance),
    ] {
        attributes.text(&format!("mesh.{end}.{name}"), value);
    }
    attributes
}

/// One span by itself.
#[must_use]
pub fn encoded(record: &Record, text: Text<'_>, identity: &Identity) -> Vec<u8> {
    let mut out = Vec::new();
    span(&mut out, record, text, identity.end(record.kind));
    out
}

fn span(out: &mut Vec<u8>, record: &Record, text: Text<'_>, own: &[u8]) {
    wire::bytes(out, 1, &record.trace.to_be_bytes());
    wire::bytes(out, 2, &record.span.to_be_bytes());
    if record.parent != 0 {
        wire::bytes(out, 4, &record.parent.to_be_bytes());
    }
    match record.tunnel {
        Some(_) => tunnel::name(out, text),
        None => name(out, record, text),
    }
    wire::number(out, 6, if record.kind == Kind::Server { 2 } else { 3 });
    wire::fixed64(out, 7, record.start_unix);
    wire::fixed64(out, 8, record.end_unix);
    match &record.tunnel {
        Some(facts) => tunnel::attributes(out, record, text, facts),
        None => attributes(out, record, text),
    }
    timings(out, record);
    out.extend_from_slice(own);
    for shared in [&record.peer, &record.also, &record.note]
        .into_iter()
        .flatten()
    {
        out.extend_from_slice(shared);
    }
    if error_type(record).is_some() {
        wire::head(out, 15, 2);
        wire::number(out, 3, 2);
    }
    wire::fixed32(out, 16, u32::from(record.flags));
}

fn name(out: &mut Vec<u8>, record: &Record, text: Text<'_>) {
    if record.grpc.is_some() {
        return wire::bytes(out, 5, rpc::name(&text).as_bytes());
    }
    let method = if record.method == "_OTHER" {
        "HTTP"
    } else {
        record.method
    };
    wire::head(out, 5, method.len() + 1 + text.route.len());
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(text.route.as_bytes());
}

fn attributes(out: &mut Vec<u8>, record: &Record, text: Text<'_>) {
    wire::attribute(out, "http.request.method", record.method);
    wire::attribute(out, "network.protocol.version", record.version);
    wire::attribute(out, "url.path", text.path);
    let (scheme, usual) = if record.https {
        ("https", 443)
    } else {
        ("http", 80)
    };
    wire::attribute(out, "url.scheme", scheme);
    let (host, port) = split(text.authority, usual);
    if !host.is_empty() {
        wire::attribute(out, "server.address", host);
        wire::attribute_number(out, "server.port", port);
    }
    match record.kind {
        Kind::Server => wire::attribute(out, "http.route", text.route),
        Kind::Client => {
            wire::attribute_joined(out, "url.full", ["http://", text.authority, text.path]);
        }
    }
    wire::attribute(out, "mesh.route", text.route);
    wire::attribute_number(out, "mesh.epoch", record.epoch);
    if record.status != 0 {
        wire::attribute_number(out, "http.response.status_code", u64::from(record.status));
    }
    if let Some(code) = record.grpc {
        rpc::attributes(out, code, &text);
    }
    if let Some(class) = error_type(record) {
        wire::attribute(out, "error.type", class.text(&mut [0; 3]));
    }
    if let Some(reason) = record.reason {
        wire::attribute(out, "mesh.reason", reason.code());
    }
    if record.kind == Kind::Client {
        wire::attribute_number(out, "mesh.attempt", u64::from(record.attempt));
    }
    if record.attempt > 1 {
        wire::attribute_number(
            out,
            "http.request.resend_count",
            u64::from(record.attempt - 1),
        );
    }
}

fn timings(out: &mut Vec<u8>, record: &Record) {
    let times = [
        ("mesh.time.queue_us", record.queue_us),
        ("mesh.time.connect_us", record.connect_us),
        ("mesh.time.tls_us", record.tls_us),
        ("mesh.time.first_byte_us", record.first_byte_us),
        ("mesh.time.body_us", record.body_us()),
    ];
    for (name, value) in times {
        if let Some(value) = value {
            wire::attribute_number(out, name, value);
        }
    }
    if let Some(children) = record.children {
        wire::attribute_number(
            out,
            "mesh.time.own_us",
            record.whole_us().saturating_sub(children.busy_us),
        );
        wire::attribute_number(out, "mesh.children", u64::from(children.calls));
        wire::attribute_number(out, "mesh.children.failed", u64::from(children.failed));
    }
}

/// Host and port; without one, the `usual`.
fn split(authority: &str, usual: u64) -> (&str, u64) {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().unwrap_or(usual)),
        _ => (authority, usual),
    };
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}
