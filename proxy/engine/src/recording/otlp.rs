//! Encodes records as OTLP spans (opentelemetry-proto, trace/v1), by hand: the constant parts once, the rest in one pass.

use crate::export::budget::Threshold;
use crate::recording::record::{Kind, Record, Text};
use crate::recording::verdict::error_type;
use crate::snapshot::Node;

mod answer;
mod rpc;
mod tunnel;
mod wire;

pub use answer::{rejected_spans, retry_delay};
pub use wire::Attributes;

const SCOPE: &str = "whymesh.proxy";

/// Every `mesh.*` attribute a span can carry.
pub const MESH_ATTRIBUTES: &[&str] = &[
    "mesh.source.service",
    "mesh.source.version",
    "mesh.source.instance",
    "mesh.destination.service",
    "mesh.destination.version",
    "mesh.destination.instance",
    "mesh.destination.zone",
    "mesh.route",
    "mesh.rule",
    "mesh.mirror",
    "mesh.fault",
    "mesh.epoch",
    "mesh.attempt",
    "mesh.reason",
    "mesh.time.queue_us",
    "mesh.time.connect_us",
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

/// Encodes batches of one proxy.
pub struct Encoder {
    /// `ResourceSpans.resource`, as a field.
    resource: Vec<u8>,
    /// `ScopeSpans.scope`, as a field.
    scope: Vec<u8>,
    /// Who this proxy is: the callee of server spans, the caller of client spans.
    server_self: Attributes,
    client_self: Attributes,
    span: Vec<u8>,
    spans: Vec<u8>,
}

impl Encoder {
    #[must_use]
    pub fn new(node: &Node) -> Self {
        let mut attributes = Attributes::default();
        attributes.text("service.name", &node.service);
        attributes.text("service.namespace", &node.namespace);
        attributes.text("service.version", &node.version);
        attributes.text("service.instance.id", &node.instance);
        if let Some(zone) = &node.zone {
            attributes.text("cloud.availability_zone", zone);
        }
        let mut resource = Vec::new();
        wire::bytes(&mut resource, 1, &attributes.retagged(1));
        let mut named = Vec::new();
        wire::bytes(&mut named, 1, SCOPE.as_bytes());
        wire::bytes(&mut named, 2, env!("CARGO_PKG_VERSION").as_bytes());
        let mut scope = Vec::new();
        wire::bytes(&mut scope, 1, &named);
        let own = [node.service.as_str(), &node.version, &node.instance];
        Self {
            resource,
            scope,
            server_self: peer("destination", own),
            client_self: peer("source", own),
            span: Vec::new(),
            spans: Vec::new(),
        }
    }

    /// Adds one span to the batch, with what it stands for when traces are thinned; the bytes it takes.
    pub fn add(&mut self, record: &Record, text: Text<'_>, threshold: Option<Threshold>) -> usize {
        self.span.clear();
        let own = if record.kind == Kind::Server {
            &self.server_self
        } else {
            &self.client_self
        };
        span(&mut self.span, record, text, own);
        if let Some(threshold) = threshold {
            wire::bytes(&mut self.span, 3, threshold.member().as_bytes());
        }
        wire::bytes(&mut self.spans, 2, &self.span);
        self.span.len()
    }

    /// Bytes of the spans added since the last batch ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Ends the batch: an `ExportTraceServiceRequest` with every span added since the last one.
    pub fn finish(&mut self) -> Vec<u8> {
        let scope_spans = self.scope.len() + self.spans.len();
        let resource_spans = self.resource.len() + wire::field_len(scope_spans) + scope_spans;
        let mut request = Vec::with_capacity(resource_spans + 16);
        wire::head(&mut request, 1, resource_spans);
        request.extend_from_slice(&self.resource);
        wire::head(&mut request, 2, scope_spans);
        request.extend_from_slice(&self.scope);
        request.append(&mut self.spans);
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

fn span(out: &mut Vec<u8>, record: &Record, text: Text<'_>, own: &Attributes) {
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
    out.extend_from_slice(own.bytes());
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
    wire::attribute(out, "url.scheme", "http");
    let (host, port) = split(text.authority);
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

fn split(authority: &str) -> (&str, u64) {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().unwrap_or(80)),
        _ => (authority, 80),
    };
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}
